//! `v1/octets.txt` was written by a daemon that knew version 1 only: the names of messages, and
//! their octets inside the seal.

use std::net::IpAddr;

use super::super::record::{Claim, Impediment, Interface, Key, Named, Node, Request, Value};
use super::super::seal::{Keys, Sealer};
use super::*;
use crate::MacAddress;

const TOKEN: u64 = 0x1122_3344_5566_7788;
const COUNTER: u64 = 130;

fn octets(name: &str) -> Vec<u8> {
    let mut lines = include_str!("v1/octets.txt").lines();
    let hex = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let hex = hex.unwrap();
    let pairs = (0..hex.len()).step_by(2);
    pairs
        .map(|place| u8::from_str_radix(&hex[place..place + 2], 16).unwrap())
        .collect()
}

fn member(address: &str, generation: u64) -> MemberId {
    MemberId {
        address: address.parse().unwrap(),
        generation,
    }
}

fn members() -> [MemberId; 2] {
    [
        member("192.0.2.11:7480", 1_700_000_000),
        member("[2001:db8::12]:7480", 300),
    ]
}

fn hello() -> Hello {
    Hello {
        from: members()[0],
        run: 0x0123_4567_89ab_cdef,
        token: 77,
    }
}

/// Versions, keys and values of the records there.
fn records() -> [(u64, Key, Option<Value>); 7] {
    let [alpha, beta] = members();
    let vip4: IpAddr = "192.0.2.100".parse().unwrap();
    let vip6: IpAddr = "2001:db8::100".parse().unwrap();
    let node = Node {
        name: "alpha".into(),
        ipv4: true,
        ipv6: false,
        is_ready: true,
        impediments: [Impediment::Excluded].into(),
        capabilities: 0,
    };
    let interface = Interface {
        mac: MacAddress([2, 0, 0, 0, 0, 1]),
        subnets: vec![
            "192.0.2.0/24".parse().unwrap(),
            "2001:db8::/64".parse().unwrap(),
        ],
        hosts: vec![vip4, vip6],
        named: None,
    };
    let plain = Claim {
        term: 5,
        successor: None,
    };
    let handed = Claim {
        term: 70_000,
        successor: Some(beta),
    };
    let request = Request { to: alpha, term: 6 };
    let other: IpAddr = "192.0.2.101".parse().unwrap();
    [
        (10, Key::Node, Some(Value::Node(node))),
        (12, Key::Interface(300), Some(Value::Interface(interface))),
        (13, Key::Claim(vip4), Some(Value::Claim(plain))),
        (14, Key::Claim(other), Some(Value::Claim(plain))),
        (15, Key::Claim(vip6), Some(Value::Claim(handed))),
        (16, Key::Request(vip4), Some(Value::Request(request))),
        (216, Key::Request(vip6), None),
    ]
}

/// They as this version has them.
fn packed() -> Records {
    let [alpha, _] = members();
    let mut items = Vec::new();
    let mut last = 9;
    let mut before: Option<Option<Octets>> = None;
    for (version, key, value) in records() {
        let value: Option<Octets> = value.map(|value| value.encode().into());
        let is_same = before.as_ref() == Some(&value);
        let key = AnyKey::Known(key);
        items.extend(encode_item(version - last, &key, value.as_ref(), is_same));
        last = version;
        before = Some(value);
    }
    Records {
        member: alpha,
        after: 9,
        to: 400,
        latest: 500,
        floor: 3,
        last: true,
        items,
    }
}

fn check(name: &str, message: &Message) {
    let octets = octets(name);
    let said = message.for_version(1).unwrap();
    assert_eq!(encode_plain(TOKEN, COUNTER, &said), octets, "{name}");
    let Some(Plain::Said {
        token: TOKEN,
        counter: COUNTER,
        message: Some(heard),
    }) = decode(&octets)
    else {
        panic!("{name}");
    };
    assert_eq!(heard, *said, "{name}");
}

#[test]
fn what_version_1_says_is_understood_and_said_to_it() {
    let [alpha, beta] = members();
    assert_eq!(encode_hello(&hello()), octets("hello"));
    let Some(Plain::Hello(heard)) = decode(&octets("hello")) else {
        panic!();
    };
    assert_eq!(heard, hello());
    check("welcome", &Message::Welcome(hello()));
    check("confirm", &Message::Confirm);
    check("stale", &Message::Stale(1_700_000_001));
    check("swim", &Message::Swim(vec![1, 2, 3]));
    check("heartbeat", &Message::Heartbeat(80));
    check("end-of-watch", &Message::EndOfWatch);
    check("probe", &Message::Probe);
    check("probe-ack", &Message::ProbeAck(true));
    check("probe-for", &Message::ProbeFor(beta, 120));
    check("probed-for", &Message::ProbedFor(beta, 7));
    let lost = Identity {
        id: beta,
        renewal: 2,
    };
    check("lost", &Message::Lost(lost));
    check("goodbye", &Message::Goodbye);
    check("digest", &Message::Digest(0xfedc_ba98_7654_3210));
    let vector = Vector {
        versions: vec![(alpha, 12), (beta, 3)],
        more: 1,
        asks: true,
    };
    check("vector", &Message::Vector(vector));
    check("pull", &Message::Pull(alpha, 9, 3));
    check("records", &Message::Records(packed()));

    let keys = Keys::new(b"correct horse battery staple", None).unwrap();
    let sealer = Sealer::new(keys, "test".to_owned());
    let opened = sealer.open(&octets("sealed-probe")).unwrap();
    assert_eq!(opened, octets("probe"));
}

#[test]
fn records_say_the_same_in_both_versions() {
    let this = packed();
    let Some(Plain::Said {
        message: Some(Message::ReducedRecords(first)),
        ..
    }) = decode(&octets("records"))
    else {
        panic!();
    };
    for decoded in [this.decode().unwrap(), first.decode_reduced().unwrap()] {
        let understood = decoded.into_iter().map(|record| {
            let key = record.key.known().unwrap();
            let value = record.value.as_ref();
            let value = value.map(|octets| Value::decode(key, octets).unwrap());
            (record.version, key, value)
        });
        assert_eq!(understood.collect::<Vec<_>>(), records());
    }
}

#[test]
fn version_1_is_not_told_what_it_cannot_know() {
    let unknown = AnyKey::decode(&[99, 1, 2]).unwrap();
    assert_eq!(unknown.known(), None);
    let value: Octets = Octets::from([1, 1, 7].as_slice());
    let claim = Value::Claim(Claim {
        term: 7,
        successor: None,
    });
    let known = AnyKey::Known(Key::Claim([192, 0, 2, 1].into()));
    // A claim with a field of a later version.
    let longer: Octets = [claim.encode(), vec![50, 2, 8, 8]].concat().into();
    let strange: Octets = Octets::from([0xff].as_slice());
    let items = [
        encode_item(1, &unknown, Some(&value), false),
        encode_item(1, &known, Some(&longer), false),
        encode_item(1, &unknown, None, false),
        encode_item(2, &known, Some(&strange), false),
    ];
    let records = Records {
        items: items.concat(),
        ..packed()
    };
    let all = records.decode().unwrap();
    assert_eq!(all[0].key, unknown);
    assert_eq!(all[1].value.as_ref(), Some(&longer));
    let reduced = records.reduce().unwrap().decode_reduced().unwrap();
    let reduced: Vec<_> = reduced
        .into_iter()
        .map(|record| (record.version, record.key, record.value))
        .collect();
    let claim: Octets = claim.encode().into();
    let expected = [(11, known.clone(), Some(claim)), (14, known, None)];
    assert_eq!(reduced, expected);
}

#[test]
fn a_run_shows_the_version() {
    for lot in [0, 1, 0x4352_4c4e, u64::MAX, 0x0123_4567_89ab_cdef] {
        assert_eq!(version_of(run(lot, 1)), 1);
        assert_eq!(version_of(run(lot, 2)), 2);
        assert_eq!(version_of(run(lot, 200)), 200);
    }
    assert_ne!(run(1, 2), run(2, 2));
}

#[test]
fn what_later_versions_append_is_passed_over() {
    for name in ["hello", "welcome", "probe", "records"] {
        let longer = [octets(name), vec![1, 2, 3]].concat();
        match decode(&longer) {
            Some(Plain::Hello(heard)) => assert_eq!(heard, hello()),
            Some(Plain::Said { message, .. }) => assert!(message.is_some(), "{name}"),
            None => panic!("{name}"),
        }
    }
    let later = [&octets("probe")[..10], &[100, 1]].concat();
    let Some(Plain::Said { message: None, .. }) = decode(&later) else {
        panic!();
    };
}

#[test]
fn an_impediment_is_told_apart_from_all_else() {
    for impediment in Impediment::ALL {
        let node = Value::Node(Node {
            impediments: [*impediment].into(),
            ..Node::default()
        });
        assert_eq!(Value::decode(Key::Node, &node.encode()), Some(node));
    }
}

#[test]
fn a_generation_leaves_room_for_the_next() {
    let highest = member("192.0.2.1:1", 1 << 62);
    let too_high = member("192.0.2.1:1", (1 << 62) + 1);
    assert_eq!(postcard::from_bytes(&encode(&highest)), Ok(highest));
    assert!(postcard::from_bytes::<MemberId>(&encode(&too_high)).is_err());
}

proptest::proptest! {
    #[test]
    fn no_octets_of_records_do_harm(
        items in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
    ) {
        let records = Records { items, ..packed() };
        let _ = records.reduce();
        for record in records.decode_reduced().into_iter().flatten() {
            let key = record.key.known().unwrap();
            assert!(Value::decode(key, &record.value.unwrap_or_default()).is_some());
        }
    }

    #[test]
    fn a_value_is_what_it_was(term in 0..u64::MAX, generation in 0..1_u64 << 62, bits in 0..u64::MAX) {
        let [to, _] = members();
        let to = MemberId { generation, ..to };
        let node = Node { capabilities: bits, name: term.to_string().into(), ..Node::default() };
        let vip = IpAddr::from([192, 0, 2, 1]);
        let values = [
            (Key::Node, Value::Node(node)),
            (Key::Claim(vip), Value::Claim(Claim { term, successor: Some(to) })),
            (Key::Request(vip), Value::Request(Request { to, term })),
        ];
        for (key, value) in values {
            let octets = [value.encode(), vec![77, 1, 0]].concat();
            assert_eq!(Value::decode(key, &octets), Some(value));
        }
    }
}

#[test]
fn an_interface_has_a_name_only_where_that_is_told() {
    let [.., (_, key, Some(Value::Interface(plain))), _, _, _, _, _] = &records()[..] else {
        panic!("no interface");
    };
    let plain = plain.clone();
    for (ipv4, ipv6) in [(true, true), (true, false), (false, false)] {
        let name = "eth1".into();
        let named = Value::Interface(Interface {
            named: Some(Named { name, ipv4, ipv6 }),
            ..plain.clone()
        });
        let octets = named.encode();
        assert_eq!(Value::decode(*key, &octets), Some(named));
        let without = Value::Interface(plain.clone()).encode();
        assert_eq!(
            octets.get(..without.len()),
            Some(&*without),
            "nothing else changes"
        );
    }
}
