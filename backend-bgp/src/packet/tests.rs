//! Whole messages: what is encoded decodes to the same.

use carillon_core::address::Family;
use ipnet::IpNet;

use super::*;

fn context() -> DecodeContext {
    DecodeContext {
        peer_type: PeerType::External,
        four_octet_as: true,
        families: FamilySet::from_iter([Family::V4, Family::V6]),
    }
}

/// Takes the octets apart into messages and decodes each.
fn decode_all(mut octets: &[u8], context: DecodeContext) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Some(frame) = Frame::parse(octets).unwrap() {
        messages.push(Message::decode(frame, context).unwrap());
        octets = &octets[frame.size()..];
    }
    assert!(octets.is_empty(), "{} octets left over", octets.len());
    messages
}

fn host_routes(family: Family, count: u32) -> Vec<IpNet> {
    (0..count)
        .map(|n| match family {
            Family::V4 => IpNet::from(std::net::IpAddr::from((0x0a00_0000 + n).to_be_bytes())),
            Family::V6 => {
                let network = 0x2001_0db8_u128 << 96;
                IpNet::from(std::net::IpAddr::from(
                    (network + u128::from(n)).to_be_bytes(),
                ))
            }
        })
        .collect()
}

#[test]
fn updates_are_filled_and_lose_nothing() {
    for (family, next_hop, per_message) in [
        (Family::V4, "192.0.2.1", 810),
        (Family::V6, "2001:db8::1", 237),
    ] {
        let attributes = PathAttributes {
            as_path: vec![64512],
            next_hop: next_hop.parse().unwrap(),
            local_pref: None,
            communities: std::collections::BTreeSet::new(),
        };
        let writer = UpdateWriter::new(&attributes, true).unwrap();
        let routes = host_routes(family, 10_000);
        let mut prefixes = routes.iter().copied().peekable();
        let mut out = Vec::new();
        assert_eq!(writer.announce(&mut prefixes, &mut out), Ok(per_message));
        while writer.announce(&mut prefixes, &mut out).unwrap() > 0 {}
        let mut announced = Vec::new();
        for message in decode_all(&out, context()) {
            let Message::Update(update) = message else {
                panic!("{message:?}")
            };
            assert_eq!(update.faults, []);
            announced.extend(update.announced);
        }
        assert_eq!(announced, routes);
    }
}
