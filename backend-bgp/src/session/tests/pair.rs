//! A session and a scripted router, in virtual time.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_core::address::Family;
use carillon_core::backend::Detail;
use carillon_core::config::Peer;
use carillon_core::testing::{MY_ASN, beginning, peer};
use ipnet::IpNet;

use crate::export::Routes;
use crate::fsm::State;
use crate::packet::Attributes;
use crate::packet::message::put_keepalive;
use crate::packet::{Capabilities, DecodeContext, FamilySet, Frame, Message, Notification, Open};
use crate::session::connection::Connection;
use crate::session::{Event, Input, Session};

pub(super) const OURS: u32 = MY_ASN;
pub(super) const THEIRS: u32 = 64512;
pub(super) const LOCAL: &str = "192.168.7.13";
pub(super) const FALLBACK: Ipv4Addr = Ipv4Addr::new(9, 9, 9, 9);

/// The seed's router as an external peer.
pub(super) fn ebgp() -> Peer {
    peer("192.168.7.10", THEIRS)
}

/// The same as an internal peer.
pub(super) fn ibgp() -> Peer {
    Peer {
        my_asn: THEIRS,
        ..ebgp()
    }
}

/// The OPEN of the router.
pub(super) fn open() -> Open {
    Open {
        asn: THEIRS,
        hold_time: 90,
        router_id: Ipv4Addr::new(192, 168, 7, 10),
        capabilities: Capabilities {
            multiprotocol: Some(FamilySet::from_iter([Family::V4, Family::V6])),
            four_octet_as: true,
            route_refresh: true,
        },
    }
}

pub(super) fn routes(prefixes: impl IntoIterator<Item = IpNet>) -> Routes {
    let attributes = Arc::new(Attributes::default());
    prefixes
        .into_iter()
        .map(|prefix| (prefix, attributes.clone()))
        .collect()
}

/// `count` host routes.
pub(super) fn hosts(count: u32) -> Routes {
    routes((0..count).map(|n| IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n)).into()))
}

pub(super) struct Pair {
    pub(super) session: Session,
    pub(super) now: Instant,
    /// The router reads.
    pub(super) reads: bool,
    /// Its TCP acknowledges what it reads.
    pub(super) acknowledges: bool,
    /// What the session wanted and told, but for the octets.
    pub(super) events: Vec<Event>,
    /// What the router received.
    pub(super) received: Vec<Message>,
    /// The routes that the router holds of the present connection.
    pub(super) table: BTreeSet<IpNet>,
    octets: Vec<u8>,
    /// How the router reads UPDATEs.
    context: DecodeContext,
}

impl Pair {
    pub(super) fn new(peer: Peer) -> Self {
        let now = beginning();
        Self {
            session: Session::new(Arc::new(peer), FALLBACK, 1, now),
            now,
            reads: true,
            acknowledges: true,
            events: Vec::new(),
            received: Vec::new(),
            table: BTreeSet::new(),
            octets: Vec::new(),
            context: DecodeContext::default(),
        }
    }

    /// A pair whose session waits for the router's OPEN.
    pub(super) fn open_sent(peer: Peer) -> Self {
        let mut pair = Self::new(peer);
        pair.input(Input::Start);
        pair.connect();
        pair
    }

    /// A pair whose session waits for the router's KEEPALIVE.
    pub(super) fn open_confirm(peer: Peer) -> Self {
        let mut pair = Self::open_sent(peer);
        pair.say(|out| open().encode(out));
        pair
    }

    /// A pair whose session is Established, after the first table.
    pub(super) fn established(peer: Peer) -> Self {
        let mut pair = Self::open_confirm(peer);
        pair.say(put_keepalive);
        assert_eq!(pair.session.state, State::Established);
        pair
    }

    /// Lets the session go on with the handshake after [`Event::Connect`].
    pub(super) fn establish(&mut self) {
        self.connect();
        self.say(|out| open().encode(out));
        self.say(put_keepalive);
        assert_eq!(self.session.state, State::Established);
    }

    pub(super) fn connect(&mut self) {
        self.table.clear();
        self.octets.clear();
        self.input(Input::Connected(SocketAddr::new(
            LOCAL.parse().unwrap(),
            40000,
        )));
    }

    pub(super) fn input(&mut self, input: Input<'_>) {
        self.session.handle_input(input, self.now);
        self.pump();
    }

    /// The router sends what `put` writes.
    pub(super) fn say(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        let mut octets = Vec::new();
        put(&mut octets);
        self.input(Input::Received(&octets));
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(deadline) = self.session.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(deadline);
            self.session.handle_timeout(self.now);
            self.pump();
        }
        self.now = end;
    }

    /// Lets time pass while the router sends a KEEPALIVE each second.
    pub(super) fn live(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.pass(Duration::from_secs(1));
            self.say(put_keepalive);
        }
    }

    /// Lets time pass until the session dials.
    pub(super) fn until_connect(&mut self) -> Duration {
        let start = self.now;
        self.events.clear();
        while !self.events.contains(&Event::Connect) {
            let deadline = self.session.poll_timeout().expect("the session is waiting");
            self.pass(deadline - self.now);
        }
        self.now - start
    }

    /// The router reads `count` octets, or all.
    pub(super) fn read(&mut self, count: usize) -> usize {
        let octets = self.session.poll_transmit(self.now);
        let some = octets[..count.min(octets.len())].to_vec();
        self.take(&some);
        self.session
            .handle_input(Input::Written(some.len()), self.now);
        if self.session.awaits_acknowledgement() && self.acknowledges {
            self.session.handle_input(Input::Acknowledged, self.now);
        }
        self.note_events();
        some.len()
    }

    fn pump(&mut self) {
        self.session.poll_transmit(self.now);
        self.note_events();
        while self.reads && self.read(usize::MAX) > 0 {}
    }

    fn note_events(&mut self) {
        while let Some(event) = self.session.poll_event() {
            if let Event::Disconnect(unsent) = &event
                && self.reads
            {
                self.take(unsent);
            }
            self.events.push(event);
        }
    }

    fn take(&mut self, octets: &[u8]) {
        if let Some(agreement) = self.session.agreement() {
            self.context = agreement.context();
        }
        self.octets.extend(octets);
        while let Some(frame) = Frame::parse(&self.octets).unwrap() {
            let message = Message::decode(frame, self.context).unwrap();
            let size = frame.size();
            if let Message::Update(update) = &message {
                assert_eq!(update.faults, []);
                for prefix in &update.withdrawn {
                    assert!(self.table.remove(prefix), "{prefix} was never announced");
                }
                self.table.extend(&update.announced);
            }
            self.received.push(message);
            self.octets.drain(..size);
        }
    }

    /// How many octets the session holds of what it received, and of what it has to send.
    pub(super) fn held(&self) -> (usize, usize) {
        let connection = self.session.connection.as_ref();
        connection.map(Connection::held).unwrap_or_default()
    }

    /// The NOTIFICATION that the router received last.
    pub(super) fn notification(&self) -> Option<&Notification> {
        self.received
            .iter()
            .rev()
            .find_map(|message| match message {
                Message::Notification(notification) => Some(notification),
                _ => None,
            })
    }

    /// How many UPDATEs the router received, End-of-RIB included.
    pub(super) fn updates(&self) -> usize {
        let update = |message: &&Message| matches!(message, Message::Update(_));
        self.received.iter().filter(update).count()
    }

    /// How many messages of this kind the router received.
    pub(super) fn keepalives(&self) -> usize {
        self.received
            .iter()
            .filter(|m| **m == Message::Keepalive)
            .count()
    }

    pub(super) fn last_error(&mut self) -> String {
        let status = self.session.status(Detail::Routes, self.now);
        status.last_error.unwrap_or_default()
    }

    /// The reasons told by [`Event::Down`].
    pub(super) fn downs(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::Down(reason) => Some(reason.as_str()),
                _ => None,
            })
            .collect()
    }
}
