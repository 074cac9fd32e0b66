//! The opinion of another implementation, netgauze, in both directions.

use std::net::Ipv6Addr;

use carillon_core::address::Family;
use ipnet::IpNet;
use netgauze_bgp_pkt::BgpMessage;
use netgauze_bgp_pkt::capabilities::{
    BgpCapability, FourOctetAsCapability, MultiProtocolExtensionsCapability,
};
use netgauze_bgp_pkt::community::{Community, LargeCommunity};
use netgauze_bgp_pkt::nlri::{Ipv4Unicast, Ipv4UnicastAddress, Ipv6Unicast, Ipv6UnicastAddress};
use netgauze_bgp_pkt::open::{BgpOpenMessage, BgpOpenMessageParameter};
use netgauze_bgp_pkt::path_attribute::*;
use netgauze_bgp_pkt::update::BgpUpdateMessage;
use netgauze_bgp_pkt::wire::deserializer::BgpParsingContext;
use netgauze_parse_utils::WritablePdu as _;
use netgauze_parse_utils::reader::SliceReader;
use netgauze_parse_utils::traits::ParseFromWithOneInput;
use proptest::prelude::*;

use super::{Announcement, context, decode, decode_updates, split, strategies};
use crate::packet::{
    Capabilities, DecodeContext, FamilySet, Message, NextHop as OurNextHop, Notification, Open,
    PeerType, Reason, RouteRefresh, put_end_of_rib, put_keepalive, put_withdrawal,
};

/// What the oracle reads in one of our messages. What it makes of it must be ours again, octet for
/// octet.
fn theirs(octets: &[u8], four_octet_as: bool) -> BgpMessage {
    let mut context = if four_octet_as {
        BgpParsingContext::default()
    } else {
        BgpParsingContext::asn2_default()
    };
    let mut reader = SliceReader::new(octets);
    let message = BgpMessage::parse(&mut reader, &mut context).unwrap();
    assert!(reader.is_empty());
    assert_eq!(encoded_by_them(&message), octets);
    message
}

fn encoded_by_them(message: &BgpMessage) -> Vec<u8> {
    let mut out = Vec::new();
    message.write(&mut out).unwrap();
    out
}

fn their_update(octets: &[u8], four_octet_as: bool) -> BgpUpdateMessage {
    match theirs(octets, four_octet_as) {
        BgpMessage::Update(update) => update,
        other => panic!("{other:?}"),
    }
}

/// The routes and attributes of an UPDATE, in our terms.
#[derive(Debug, Default, PartialEq)]
struct Read {
    announced: Vec<IpNet>,
    withdrawn: Vec<IpNet>,
    as_path: Vec<u32>,
    as4_path: Option<Vec<u32>>,
    next_hop: Option<OurNextHop>,
    local_pref: Option<u32>,
    communities: Vec<u32>,
}

fn read(update: &BgpUpdateMessage) -> Read {
    let mut read = Read {
        announced: v4(update.nlri()),
        withdrawn: v4(update.withdraw_routes()),
        ..Read::default()
    };
    for attribute in update.path_attributes() {
        match attribute.value() {
            PathAttributeValue::Origin(origin) => assert_eq!(*origin, Origin::IGP),
            PathAttributeValue::AsPath(path) => read.as_path = path.clone().into(),
            PathAttributeValue::As4Path(path) => read.as4_path = Some(numbers(path)),
            PathAttributeValue::NextHop(hop) => {
                read.next_hop = Some(OurNextHop::V4(hop.next_hop()));
            }
            PathAttributeValue::LocalPreference(value) => read.local_pref = Some(value.metric()),
            PathAttributeValue::Communities(list) => {
                read.communities = list.communities().iter().map(Community::value).collect();
            }
            PathAttributeValue::MpReach(MpReach::Ipv6Unicast {
                next_hop_global,
                next_hop_local,
                nlri,
            }) => {
                read.next_hop = Some(OurNextHop::V6 {
                    global: *next_hop_global,
                    link_local: *next_hop_local,
                });
                read.announced.extend(v6(nlri));
            }
            PathAttributeValue::MpUnreach(MpUnreach::Ipv6Unicast { nlri }) => {
                read.withdrawn.extend(v6(nlri));
            }
            other => panic!("{other:?}"),
        }
    }
    read
}

fn numbers(path: &As4Path) -> Vec<u32> {
    path.segments()
        .iter()
        .flat_map(As4PathSegment::as_numbers)
        .copied()
        .collect()
}

fn v4(nlri: &[Ipv4UnicastAddress]) -> Vec<IpNet> {
    nlri.iter()
        .map(|nlri| nlri.network().address().into())
        .collect()
}

fn v6(nlri: &[Ipv6UnicastAddress]) -> Vec<IpNet> {
    nlri.iter()
        .map(|nlri| nlri.network().address().into())
        .collect()
}

/// What the oracle should read in an announcement.
fn expected(announcement: &Announcement, four_octet_as: bool) -> Read {
    let wide = |asn: &u32| *asn > u16::MAX.into();
    let hidden = !four_octet_as && announcement.as_path.iter().any(wide);
    let visible = |asn: &u32| {
        if wide(asn) && !four_octet_as {
            23456
        } else {
            *asn
        }
    };
    Read {
        as_path: announcement.as_path.iter().map(visible).collect(),
        as4_path: hidden.then(|| announcement.as_path.clone()),
        next_hop: Some(announcement.next_hop),
        local_pref: announcement.local_pref,
        communities: announcement.communities.iter().map(|c| c.0).collect(),
        ..Read::default()
    }
}

proptest! {
    #[test]
    fn our_open(open in strategies::open()) {
        let mut out = Vec::new();
        open.encode(&mut out);
        let BgpMessage::Open(read) = theirs(&out, true) else { panic!() };
        prop_assert_eq!(read.my_asn4(), open.asn);
        prop_assert_eq!(read.hold_time(), open.hold_time);
        prop_assert_eq!(read.bgp_id(), open.router_id);
        let mut seen = Capabilities::default();
        for capability in read.capabilities() {
            match capability {
                BgpCapability::RouteRefresh => seen.route_refresh = true,
                BgpCapability::FourOctetAs(_) => seen.four_octet_as = true,
                other => {
                    let family = if *other == their_capability(Family::V4) {
                        Family::V4
                    } else {
                        Family::V6
                    };
                    prop_assert_eq!(other, &their_capability(family));
                    seen.multiprotocol.get_or_insert_default().insert(family);
                }
            }
        }
        prop_assert_eq!(seen, open.capabilities);
    }

    #[test]
    fn our_announcements((announcement, prefixes) in strategies::routes(), four_octet_as: bool) {
        let writer = announcement.writer(four_octet_as).unwrap();
        let mut out = Vec::new();
        let mut left = prefixes.iter().copied().peekable();
        while writer.announce(&mut left, &mut out).unwrap() > 0 {}
        let mut announced = Vec::new();
        for octets in split(&out) {
            let mut read = read(&their_update(octets, four_octet_as));
            announced.append(&mut read.announced);
            prop_assert_eq!(read, expected(&announcement, four_octet_as));
        }
        prop_assert_eq!(announced, prefixes);
    }

    #[test]
    fn our_withdrawals((_, prefixes) in strategies::routes()) {
        let mut out = Vec::new();
        let mut left = prefixes.iter().copied().peekable();
        while put_withdrawal(&mut left, &mut out) > 0 {}
        let mut withdrawn = Vec::new();
        for octets in split(&out) {
            let mut read = read(&their_update(octets, true));
            withdrawn.append(&mut read.withdrawn);
            prop_assert_eq!(read, Read::default());
        }
        prop_assert_eq!(withdrawn, prefixes);
    }

    #[test]
    fn their_open(
        asn in strategies::asn(),
        hold_time in 3..u16::MAX,
        id in 1..strategies::MAX_ROUTER_ID,
    ) {
        let capabilities = [
            their_capability(Family::V6),
            BgpCapability::EnhancedRouteRefresh,
            BgpCapability::ExtendedMessage,
            BgpCapability::RouteRefresh,
            BgpCapability::FourOctetAs(FourOctetAsCapability::new(asn)),
        ];
        // One parameter for each capability, as some implementations do.
        let parameters = capabilities.map(|capability| {
            BgpOpenMessageParameter::new_capabilities([capability])
        });
        let short = u16::try_from(asn).unwrap_or(23456);
        let open = BgpOpenMessage::new(short, hold_time, id.into(), parameters);
        let octets = encoded_by_them(&BgpMessage::Open(open));
        let expected = Open {
            asn,
            hold_time,
            router_id: id.into(),
            capabilities: Capabilities {
                multiprotocol: Some(FamilySet::from_iter([Family::V6])),
                four_octet_as: true,
                route_refresh: true,
            },
        };
        prop_assert_eq!(decode(&octets, DecodeContext::default()), Ok(Message::Open(expected)));
    }

    #[test]
    fn their_updates(
        announced in proptest::collection::vec(strategies::prefix(Family::V4), 1..50),
        withdrawn in proptest::collection::vec(strategies::prefix(Family::V4), 0..50),
        announced6 in proptest::collection::vec(strategies::prefix(Family::V6), 0..50),
        withdrawn6 in proptest::collection::vec(strategies::prefix(Family::V6), 0..50),
        asns in proptest::collection::vec(strategies::asn(), 0..20),
        extended: bool,
    ) {
        let update = BgpUpdateMessage::new(
            their_v4(&withdrawn),
            their_attributes(&announced6, &withdrawn6, &asns, extended),
            their_v4(&announced),
        );
        let octets = encoded_by_them(&BgpMessage::Update(update));
        let [decoded] = &decode_updates(&octets, context(PeerType::External))[..] else { panic!() };
        prop_assert_eq!(&decoded.faults, &[]);
        prop_assert_eq!(&decoded.announced, &[announced, announced6].concat());
        prop_assert_eq!(&decoded.withdrawn, &[withdrawn, withdrawn6].concat());
    }
}

/// The oracle's Multiprotocol capability.
fn their_capability(family: Family) -> BgpCapability {
    let unreach = match family {
        Family::V4 => MpUnreach::Ipv4Unicast {
            nlri: Box::default(),
        },
        Family::V6 => MpUnreach::Ipv6Unicast {
            nlri: Box::default(),
        },
    };
    let address_type = unreach.address_type().unwrap();
    BgpCapability::MultiProtocolExtensions(MultiProtocolExtensionsCapability::new(address_type))
}

fn their_v4(prefixes: &[IpNet]) -> Vec<Ipv4UnicastAddress> {
    prefixes
        .iter()
        .map(|prefix| match prefix {
            IpNet::V4(net) => {
                Ipv4UnicastAddress::new_no_path_id(Ipv4Unicast::from_net(*net).unwrap())
            }
            IpNet::V6(_) => panic!("{prefix}"),
        })
        .collect()
}

fn their_v6(prefixes: &[IpNet]) -> Box<[Ipv6UnicastAddress]> {
    prefixes
        .iter()
        .map(|prefix| match prefix {
            IpNet::V6(net) => Ipv6UnicastAddress::new(None, Ipv6Unicast::from_net(*net).unwrap()),
            IpNet::V4(_) => panic!("{prefix}"),
        })
        .collect()
}

/// One attribute of every kind that an external peer may send and both sides know.
fn their_attributes(
    announced: &[IpNet],
    withdrawn: &[IpNet],
    asns: &[u32],
    extended: bool,
) -> Vec<PathAttribute> {
    let segment = |kind| As4PathSegment::new(kind, asns);
    let segments: Vec<_> = [AsPathSegmentType::AsSequence, AsPathSegmentType::AsSet]
        .into_iter()
        .filter(|_| !asns.is_empty())
        .map(segment)
        .collect();
    let address = std::net::Ipv4Addr::new(192, 0, 2, 1);
    let next_hop_global = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    let next_hop_local = extended.then_some(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));
    let reach = MpReach::Ipv6Unicast {
        next_hop_global,
        next_hop_local,
        nlri: their_v6(announced),
    };
    let unreach = MpUnreach::Ipv6Unicast {
        nlri: their_v6(withdrawn),
    };
    let communities = Communities::new([Community::new(0xfc00_0064), Community::new(1)]);
    let large = [LargeCommunity::new(64512, 1, 2)];
    let aggregator = As4Aggregator::new(4_200_000_000, address);
    [
        PathAttributeValue::Origin(Origin::Incomplete),
        PathAttributeValue::AsPath(AsPath::as4_path_segments(segments)),
        PathAttributeValue::NextHop(NextHop::new(address)),
        PathAttributeValue::MultiExitDiscriminator(MultiExitDiscriminator::new(7)),
        PathAttributeValue::AtomicAggregate(AtomicAggregate),
        PathAttributeValue::Aggregator(Aggregator::As4Aggregator(aggregator)),
        PathAttributeValue::Communities(communities),
        PathAttributeValue::LargeCommunities(LargeCommunities::new(large)),
        PathAttributeValue::OnlyToCustomer(OnlyToCustomer::new(64512)),
        PathAttributeValue::UnknownAttribute(UnknownAttribute::new(200, [1, 2, 3])),
        PathAttributeValue::MpReach(reach),
        PathAttributeValue::MpUnreach(unreach),
    ]
    .into_iter()
    .map(|value| {
        let optional = value.can_be_optional().unwrap_or(true);
        let transitive = value.can_be_transitive().unwrap_or(true);
        // Prefixes may make the attribute longer than 255 octets.
        let extended = extended
            || matches!(
                value,
                PathAttributeValue::MpReach(_) | PathAttributeValue::MpUnreach(_)
            );
        PathAttribute::from(optional, transitive, false, extended, value).unwrap()
    })
    .collect()
}

#[test]
fn our_end_of_rib() {
    for family in [Family::V4, Family::V6] {
        let mut out = Vec::new();
        put_end_of_rib(family, &mut out);
        let end = their_update(&out, true).end_of_rib().unwrap();
        let theirs =
            BgpCapability::MultiProtocolExtensions(MultiProtocolExtensionsCapability::new(end));
        assert_eq!(theirs, their_capability(family));
    }
}

#[test]
fn our_small_messages() {
    let mut out = Vec::new();
    put_keepalive(&mut out);
    assert_eq!(theirs(&out, true), BgpMessage::KeepAlive);

    let request = RouteRefresh {
        afi: 2,
        subtype: 0,
        safi: 1,
    };
    let mut out = Vec::new();
    request.encode(&mut out);
    assert!(matches!(theirs(&out, true), BgpMessage::RouteRefresh(_)));
}

#[test]
fn our_notifications() {
    for reason in Reason::ALL {
        // The oracle does not know deprecated subcodes, and those of today's RFCs.
        let unknown = matches!(
            reason,
            Reason::AuthenticationFailure
                | Reason::AsRoutingLoop
                | Reason::CeaseUnspecific
                | Reason::SendHoldTimerExpired
                | Reason::LossOfLsdbSynchronization
        );
        if !unknown {
            let mut out = Vec::new();
            Notification::with_data(*reason, vec![1, 2, 3]).encode(&mut out);
            let read = theirs(&out, true);
            assert!(matches!(read, BgpMessage::Notification(_)), "{read:?}");
        }
    }
}
