//! Peers that send what they should not. What counts is what they get: the exact NOTIFICATION, or
//! a session that stays; and that nobody else notices.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use carillon_lab::{Carillon, Frr, Lab, test, wait};

use crate::manifest::POOL;
use crate::scripted::{
    KEEPALIVE, Listener, NOTIFICATION, OPEN, Open, ROUTE_REFRESH, Session, UPDATE, message, update,
};
use crate::site::{SOON, Site, await_status, await_table, connections, v4, v6};

const ORIGIN: [u8; 4] = [0x40, 1, 1, 0];
const AS_PATH: [u8; 3] = [0x40, 2, 0];
const NEXT_HOP: [u8; 7] = [0x40, 3, 4, 192, 0, 2, 2];
const LOCAL_PREF: [u8; 7] = [0x40, 5, 4, 0, 0, 0, 100];
const NLRI: [u8; 4] = [24, 203, 0, 113];

/// A good router, number 1, and a bad one, number 2, that listens on ports from 2000 on; the node
/// announces 198.51.100.0 to all.
pub(crate) struct BadSite {
    site: Site,
    router: Frr,
    /// The router's counters, once it has the first route.
    before: BTreeMap<IpAddr, (u32, u32)>,
    pub(crate) bad: Vec<Listener>,
    pub(crate) node: Carillon,
}

impl BadSite {
    /// One with this number of bad peers; `more` is added to the configuration of each.
    pub(crate) fn new(lab: &Lab, peers: usize, more: &str) -> Result<Self> {
        let site = Site::new(lab)?;
        let router = site.router("router", 1, &[v4(11)])?;
        let host = site.host("bad", 2)?;
        let mut config = vec![crate::manifest::peer("192.0.2.1")];
        let mut bad = Vec::new();
        for port in (2000..).take(peers) {
            bad.push(Listener::bind(&host, (v4(2), port).into())?);
            let peer = crate::manifest::peer("192.0.2.2");
            config.push(peer.replace('}', &format!(", peer-port: {port}{more}}}")));
        }
        let config: Vec<&str> = config.iter().map(String::as_str).collect();
        site.files.configure(&config, &[POOL])?;
        site.files.serve("web")?;
        let node = site.node("alpha", 11)?;
        await_table(&router, &[("198.51.100.0/32", &[11])])?;
        Ok(Self {
            before: connections(&router)?,
            site,
            router,
            bad,
            node,
        })
    }

    /// The good session was never disturbed, and changes still go through it.
    pub(crate) fn check_good_session(&self) -> Result<()> {
        self.site.files.serve("api")?;
        await_table(
            &self.router,
            &[("198.51.100.0/32", &[11]), ("198.51.100.1/32", &[11])],
        )?;
        assert_eq!(connections(&self.router)?, self.before);
        Ok(())
    }
}

/// What a bad peer sends, and the body of the NOTIFICATION that it must get.
type Case = (&'static str, Vec<u8>, Vec<u8>);

/// Plays every case on a session of its own, which `begin` makes.
fn play(cases: &[Case], begin: impl Fn(&Listener) -> Result<Session>) {
    test(|lab| {
        let site = BadSite::new(lab, cases.len(), "")?;
        for ((name, octets, notification), listener) in cases.iter().zip(&site.bad) {
            let exchange = || {
                let mut session = begin(listener)?;
                session.send(octets)?;
                let received = session.await_message(NOTIFICATION)?;
                ensure!(
                    received == *notification,
                    "{received:?}, not {notification:?}"
                );
                session.await_close()
            };
            exchange().context(*name)?;
        }
        site.check_good_session()
    });
}

/// A message with another length in its header.
fn with_length(mut message: Vec<u8>, length: u16) -> Vec<u8> {
    message[16..18].copy_from_slice(&length.to_be_bytes());
    message
}

fn noise(length: usize) -> Vec<u8> {
    // A multiplicative generator: the same noise in every run.
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(747_796_405).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn who_does_not_speak_bgp_is_told_so() {
    let mut bad_marker = message(KEEPALIVE, &[]);
    bad_marker[15] = 0xfe;
    let http = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n".repeat(500);
    let keepalive = || message(KEEPALIVE, &[]);
    let cases = [
        ("noise", noise(100), vec![1, 1]),
        ("much noise", noise(100_000), vec![1, 1]),
        ("HTTP", http, vec![1, 1]),
        ("SSH", b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec(), vec![1, 1]),
        ("a bad marker", bad_marker, vec![1, 1]),
        ("length 0", with_length(keepalive(), 0), vec![1, 2, 0, 0]),
        ("length 18", with_length(keepalive(), 18), vec![1, 2, 0, 18]),
        (
            "length 4097",
            with_length(keepalive(), 4097),
            vec![1, 2, 16, 1],
        ),
        (
            "length 65535",
            with_length(message(UPDATE, &[0; 4]), 65535),
            vec![1, 2, 255, 255],
        ),
        (
            "a KEEPALIVE with a body",
            message(KEEPALIVE, &[0]),
            vec![1, 2, 0, 20],
        ),
        (
            "an OPEN of one octet",
            message(OPEN, &[4]),
            vec![1, 2, 0, 20],
        ),
        ("type 0", message(0, &[]), vec![1, 3, 0]),
        ("type 9", message(9, &[]), vec![1, 3, 9]),
        (
            "a KEEPALIVE before the OPEN",
            keepalive(),
            vec![5, 1, KEEPALIVE],
        ),
        (
            "an UPDATE before the OPEN",
            message(UPDATE, &[0; 4]),
            vec![5, 1, UPDATE],
        ),
    ];
    play(&cases, Listener::accept);
}

#[test]
fn who_opens_with_unacceptable_terms_is_told_which() {
    let open = |change: fn(&mut Open)| {
        let mut open = Open::default();
        change(&mut open);
        open.encode()
    };
    let mut confirm = Open::default().encode();
    confirm.extend(message(UPDATE, &[0; 4]));
    let cases = [
        ("version 3", open(|open| open.version = 3), vec![2, 1, 0, 4]),
        ("AS 0", open(|open| open.asn = 0), vec![2, 2]),
        ("another AS", open(|open| open.asn = 64999), vec![2, 2]),
        ("hold time 1 s", open(|open| open.hold_time = 1), vec![2, 6]),
        ("hold time 2 s", open(|open| open.hold_time = 2), vec![2, 6]),
        (
            "identifier 0",
            open(|open| open.router_id = [0; 4]),
            vec![2, 3],
        ),
        (
            "our identifier",
            open(|open| open.router_id = [192, 0, 2, 11]),
            vec![2, 3],
        ),
        (
            "a parameter of old",
            open(|open| open.parameters = vec![1, 1, 0]),
            vec![2, 4],
        ),
        (
            "half a parameter",
            open(|open| open.parameters = vec![2, 9, 1, 4]),
            vec![2, 0],
        ),
        (
            "no family but IPv6",
            open(|open| open.parameters = vec![2, 6, 1, 4, 0, 2, 0, 1]),
            vec![2, 7, 1, 4, 0, 1, 0, 1],
        ),
        (
            "an UPDATE instead of a KEEPALIVE",
            confirm,
            vec![5, 2, UPDATE],
        ),
    ];
    play(&cases, Listener::accept);
}

#[test]
fn who_sends_what_cannot_be_understood_is_reset_with_the_exact_reason() {
    let attributes = [&ORIGIN[..], &AS_PATH, &NEXT_HOP, &LOCAL_PREF].concat();
    let with = |more: &[u8], nlri: &[u8]| update(&[], &[&attributes, more].concat(), nlri);
    let short_refresh = message(ROUTE_REFRESH, &[0, 1, 0]);
    let mut refused_refresh = vec![7, 1];
    refused_refresh.extend(&short_refresh);
    let reach = [0x80, 14, 4, 0, 2, 1, 0];
    let cases = [
        (
            "a prefix of 33 bits",
            with(&[], &[33, 203, 0, 113, 0, 0]),
            vec![3, 10],
        ),
        ("half a prefix", with(&[], &[24, 203, 0]), vec![3, 10]),
        (
            "half a withdrawn prefix",
            update(&[32, 203], &[], &[]),
            vec![3, 10],
        ),
        (
            "more withdrawn octets than there are",
            message(UPDATE, &[0, 9, 0, 0]),
            vec![3, 1],
        ),
        (
            "more attribute octets than there are",
            message(UPDATE, &[0, 0, 0, 9, 1]),
            vec![3, 1],
        ),
        (
            "MP_REACH_NLRI twice",
            with(&[reach, reach].concat(), &[]),
            vec![3, 1],
        ),
        (
            "an unknown attribute that claims to be well-known",
            with(&[0x40, 200, 1, 5], &NLRI),
            vec![3, 2, 0x40, 200, 1, 5],
        ),
        (
            "a malformed attribute and no prefix that it could be about",
            update(&[], &[0x40, 1, 2, 0, 0], &[]),
            vec![3, 5, 0x40, 1, 2, 0, 0],
        ),
        ("a second OPEN", Open::default().encode(), vec![5, 3, OPEN]),
        ("half a ROUTE-REFRESH", short_refresh, refused_refresh),
        ("noise", noise(50), vec![1, 1]),
    ];
    play(&cases, Listener::establish);
}

/// Sends an UPDATE with each of these path attributes on one session, which must stay.
fn survives(cases: &[(&'static str, Vec<u8>)]) {
    test(|lab| {
        let site = BadSite::new(lab, 1, "")?;
        let mut session = site.bad[0].establish()?;
        session.await_route()?;
        for (name, attributes) in cases {
            let mut exchange = || {
                session.send(&update(&[], attributes, &NLRI))?;
                session.refresh()
            };
            exchange().context(*name)?;
        }
        site.check_good_session()
    });
}

/// RFC 7606, treat-as-withdraw.
#[test]
fn malformed_attributes_that_matter_do_not_end_the_session() {
    let origin = |octets: &[u8]| [octets, &AS_PATH, &NEXT_HOP, &LOCAL_PREF].concat();
    let next_hop = |octets: &[u8]| [&ORIGIN[..], &AS_PATH, octets, &LOCAL_PREF].concat();
    let as_path = |octets: &[u8]| [&ORIGIN[..], octets, &NEXT_HOP, &LOCAL_PREF].concat();
    let local_pref = |octets: &[u8]| [&ORIGIN[..], &AS_PATH, &NEXT_HOP, octets].concat();
    survives(&[
        ("no ORIGIN", origin(&[])),
        ("ORIGIN 9", origin(&[0x40, 1, 1, 9])),
        ("ORIGIN of 2 octets", origin(&[0x40, 1, 2, 0, 0])),
        ("ORIGIN that is optional", origin(&[0xc0, 1, 1, 0])),
        ("no AS_PATH", as_path(&[])),
        ("AS_PATH cut short", as_path(&[0x40, 2, 3, 2, 2, 1])),
        ("no NEXT_HOP", next_hop(&[])),
        ("NEXT_HOP of 3 octets", next_hop(&[0x40, 3, 3, 192, 0, 2])),
        ("NEXT_HOP 0.0.0.0", next_hop(&[0x40, 3, 4, 0, 0, 0, 0])),
        ("no LOCAL_PREF", local_pref(&[])),
        ("LOCAL_PREF of 3 octets", local_pref(&[0x40, 5, 3, 0, 0, 1])),
    ]);
}

/// RFC 7606, attribute discard, and what is only strange.
#[test]
fn strange_attributes_do_not_end_the_session() {
    let with = |more: &[u8]| [&ORIGIN[..], &AS_PATH, &NEXT_HOP, &LOCAL_PREF, more].concat();
    survives(&[
        ("nothing strange", with(&[])),
        ("ORIGIN twice", with(&ORIGIN)),
        ("MED of 3 octets", with(&[0x80, 4, 3, 0, 0, 1])),
        ("ATOMIC_AGGREGATE with a value", with(&[0x40, 6, 1, 0])),
        ("AGGREGATOR of 5 octets", with(&[0xc0, 7, 5, 0, 0, 0, 0, 0])),
        ("COMMUNITIES of 3 octets", with(&[0xc0, 8, 3, 0, 0, 0])),
        ("no communities", with(&[0xc0, 8, 0])),
        ("ORIGINATOR_ID of 3 octets", with(&[0x80, 9, 3, 0, 0, 0])),
        ("an unknown family", with(&[0x80, 14, 5, 0x40, 4, 71, 0, 0])),
        ("an unknown attribute", with(&[0xc0, 200, 1, 5])),
        ("an attribute cut short", with(&[0xc0, 200, 90, 5])),
        ("an extended length", with(&[0xd0, 200, 0, 1, 5])),
    ]);
}

/// RFC 4760 section 7: what cannot be understood of a family ends the session; what belongs to
/// another family is passed over.
#[test]
fn malformed_routes_end_an_ipv6_session_and_ipv4_routes_do_not() {
    test(|lab| {
        let site = Site::new(lab)?;
        let listener = Listener::bind(&site.host("bad", 2)?, (v6(2), 179).into())?;
        let pool = "{name: six, protocol: bgp, addresses: ['2001:db8:100::/64']}";
        site.files
            .configure(&[&crate::manifest::peer("2001:db8::2")], &[pool])?;
        let spec = "ipFamilies: [IPv6]";
        site.files
            .write("web.yaml", &crate::manifest::served("web", spec))?;
        let _node = site.node("alpha", 11)?;
        let open = Open {
            parameters: vec![2, 8, 1, 4, 0, 2, 0, 1, 2, 0],
            ..Open::default()
        };
        let attributes = [&ORIGIN[..], &AS_PATH, &NEXT_HOP, &LOCAL_PREF].concat();
        let bad_next_hop = [0x80, 14, 12, 0, 2, 1, 4, 192, 0, 2, 2, 0, 16, 0x20, 1];
        let bad_prefix = [0x80, 15, 4, 0, 2, 1, 129];
        for malformed in [&bad_next_hop[..], &bad_prefix] {
            let mut session = listener.accept()?;
            session.establish(&open)?;
            session.await_route()?;
            session.send(&update(&[], &attributes, &NLRI))?;
            session.send(&message(ROUTE_REFRESH, &[0, 2, 0, 1]))?;
            session.await_route()?;
            session.send(&update(&[], &[&attributes, malformed].concat(), &[]))?;
            let notification = [&[3, 9], malformed].concat();
            assert_eq!(session.await_message(NOTIFICATION)?, notification);
        }
        Ok(())
    });
}

#[test]
fn messages_may_come_octet_by_octet() {
    test(|lab| {
        let site = BadSite::new(lab, 1, "")?;
        let mut session = site.bad[0].accept()?;
        session.await_message(OPEN)?;
        let octets = [Open::default().encode(), message(KEEPALIVE, &[])].concat();
        for octet in octets {
            session.send(&[octet])?;
        }
        session.await_route()?;
        site.check_good_session()
    });
}

#[test]
fn a_silent_peer_is_given_up_after_the_hold_time() {
    test(|lab| {
        let site = BadSite::new(lab, 1, ", hold-time: 3s")?;
        let mut session = site.bad[0].establish()?;
        // It gets KEEPALIVEs, and half a message is no sign of life.
        session.send(&[0xff; 16])?;
        assert_eq!(session.await_message(NOTIFICATION)?, [4, 0]);
        await_status(&site.node, &["192.0.2.2", "hold timer"])?;
        let mut session = site.bad[0].establish()?;
        session.await_route()?;
        site.check_good_session()
    });
}

/// The resident memory of a daemon, in KiB.
pub(crate) fn resident(node: &Carillon) -> Result<u64> {
    let path = format!("/proc/{}/status", node.process.id());
    let status = fs::read_to_string(path)?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.context("no VmRSS")?.parse()?)
}

#[test]
fn a_flood_of_routes_takes_no_memory() {
    test(|lab| {
        let site = BadSite::new(lab, 1, "")?;
        let mut session = site.bad[0].establish()?;
        session.await_route()?;
        let before = resident(&site.node)?;
        let attributes = [&ORIGIN[..], &AS_PATH, &NEXT_HOP, &LOCAL_PREF].concat();
        for block in 0..2000_u16 {
            let [a, b] = block.to_be_bytes();
            let nlri: Vec<u8> = (0..=255_u8)
                .flat_map(|c| [32, 10 + a, b, c, 1, 32, 10 + a, b, c, 2])
                .collect();
            session.send(&update(&[], &attributes, &nlri))?;
        }
        session.refresh()?;
        let growth = resident(&site.node)?.saturating_sub(before);
        ensure!(growth < 16 * 1024, "a million routes took {growth} KiB");
        site.check_good_session()
    });
}

/// Every ROUTE-REFRESH makes the daemon send 101 routes; here nobody reads them.
#[test]
fn a_peer_that_asks_and_does_not_listen_takes_no_memory() {
    test(|lab| {
        let site = BadSite::new(lab, 1, "")?;
        let mut many = String::new();
        for number in 0..100 {
            let _ = write!(
                many,
                "{}",
                crate::manifest::served(&format!("many-{number}"), "")
            );
        }
        site.site.files.write("many.yaml", &many)?;
        let mut session = site.bad[0].establish()?;
        session.await_route()?;
        wait::until("all routes at the good router", SOON, || {
            let count = crate::site::table(&site.router)?.len();
            ensure!(count == 101, "{count}");
            Ok(())
        })?;
        let before = resident(&site.node)?;
        session.ask_until_full()?;
        let growth = resident(&site.node)?.saturating_sub(before);
        ensure!(growth < 16 * 1024, "the answers took {growth} KiB");
        site.site.files.remove("many")?;
        site.check_good_session()
    });
}
