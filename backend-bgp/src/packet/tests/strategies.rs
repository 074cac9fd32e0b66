//! Arbitrary messages.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use carillon_core::address::Family;
use carillon_core::config::Community;
use ipnet::IpNet;
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use super::Announcement;
use crate::packet::*;

/// An AS number that may stand in an OPEN.
pub(crate) fn asn() -> impl Strategy<Value = u32> {
    prop_oneof![1..=23455_u32, 23457..=65535_u32, 65536..=u32::MAX]
}

/// Any 32 bits but 0 are a BGP identifier (RFC 6286), though not every implementation takes what
/// would be no unicast address.
pub(crate) const MAX_ROUTER_ID: u32 = 0xdfff_ffff;

pub(crate) fn family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::V4), Just(Family::V6)]
}

/// A unicast address.
pub(crate) fn address(family: Family) -> BoxedStrategy<IpAddr> {
    match family {
        Family::V4 => (1..=223_u8, any::<[u8; 3]>())
            .prop_filter("loopback", |(first, _)| *first != 127)
            .prop_map(|(a, [b, c, d])| IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
            .boxed(),
        Family::V6 => (0x2000..=0x3fff_u16, any::<[u8; 14]>())
            .prop_map(|(first, rest)| {
                let mut octets = [0; 16];
                octets[..2].copy_from_slice(&first.to_be_bytes());
                octets[2..].copy_from_slice(&rest);
                IpAddr::V6(Ipv6Addr::from(octets))
            })
            .boxed(),
    }
}

/// A prefix without host bits. None is so short that the oracle, which walks through all addresses
/// of an IPv4 prefix, takes long for it.
pub(crate) fn prefix(family: Family) -> impl Strategy<Value = IpNet> {
    (address(family), 20..=family.bits())
        .prop_map(|(address, length)| IpNet::new(address, length).unwrap().trunc())
}

pub(crate) fn prefixes(family: Family) -> impl Strategy<Value = Vec<IpNet>> {
    prop_oneof![4 => vec(prefix(family), 0..5), 1 => vec(prefix(family), 200..1000)]
}

fn next_hop(family: Family) -> impl Strategy<Value = NextHop> {
    let link_local = any::<u64>().prop_map(|id| Ipv6Addr::from((0xfe80 << 112) + u128::from(id)));
    (address(family), option::of(link_local)).prop_map(|(address, link_local)| match address {
        IpAddr::V4(address) => NextHop::V4(address),
        IpAddr::V6(global) => NextHop::V6 { global, link_local },
    })
}

fn announcement(family: Family) -> impl Strategy<Value = Announcement> {
    (
        prop_oneof![vec(asn(), 0..4), vec(asn(), 250..260)],
        next_hop(family),
        option::of(any::<u32>()),
        btree_set(any::<u32>().prop_map(Community), 0..100),
    )
        .prop_map(
            |(as_path, next_hop, local_pref, communities)| Announcement {
                as_path,
                next_hop,
                local_pref,
                communities,
            },
        )
}

/// An announcement, and a few prefixes of the same family.
fn few_routes() -> impl Strategy<Value = (Announcement, Vec<IpNet>)> {
    family().prop_flat_map(|family| (announcement(family), vec(prefix(family), 1..20)))
}

/// An announcement, and prefixes of the same family.
pub(crate) fn routes() -> impl Strategy<Value = (Announcement, Vec<IpNet>)> {
    family().prop_flat_map(|family| (announcement(family), prefixes(family)))
}

pub(crate) fn open() -> impl Strategy<Value = Open> {
    let families = vec(family(), 1..3).prop_map(FamilySet::from_iter);
    (
        asn(),
        prop_oneof![Just(0), 3..=u16::MAX],
        1..=MAX_ROUTER_ID,
        option::of(families),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(asn, hold_time, router_id, multiprotocol, four_octet_as, route_refresh)| Open {
                asn,
                hold_time,
                router_id: router_id.into(),
                capabilities: Capabilities {
                    multiprotocol,
                    // The number of a sender without the capability fits in two octets.
                    four_octet_as: four_octet_as || asn > u16::MAX.into(),
                    route_refresh,
                },
            },
        )
}

pub(crate) fn notification() -> impl Strategy<Value = Notification> {
    let raw =
        (any::<u8>(), any::<u8>(), vec(any::<u8>(), 0..300)).prop_map(|(code, subcode, data)| {
            Notification {
                code,
                subcode,
                data,
            }
        });
    let communication = any::<String>()
        .prop_map(|text| Notification::with_communication(Reason::AdministrativeShutdown, &text));
    prop_oneof![raw, communication]
}

/// The octets of any message that we can send.
pub(crate) fn octets() -> impl Strategy<Value = Vec<u8>> {
    let open = open().prop_map(|open| {
        let mut out = Vec::new();
        open.encode(&mut out);
        out
    });
    let notification = notification().prop_map(|notification| {
        let mut out = Vec::new();
        notification.encode(&mut out);
        out
    });
    let announcement =
        (few_routes(), any::<bool>()).prop_map(|((announcement, prefixes), four)| {
            let mut out = Vec::new();
            let writer = announcement.writer(four).unwrap();
            writer
                .announce(&mut prefixes.into_iter().peekable(), &mut out)
                .unwrap();
            out
        });
    let withdrawal = few_routes().prop_map(|(_, prefixes)| {
        let mut out = Vec::new();
        put_withdrawal(&mut prefixes.into_iter().peekable(), &mut out);
        out
    });
    let small = (family(), any::<bool>()).prop_map(|(family, refresh)| {
        let mut out = Vec::new();
        if refresh {
            let request = RouteRefresh {
                afi: family::afi(family),
                subtype: 0,
                safi: 1,
            };
            request.encode(&mut out);
        } else {
            put_end_of_rib(family, &mut out);
        }
        out
    });
    prop_oneof![open, notification, announcement, withdrawal, small]
}
