use std::collections::BTreeMap;

use carillon_core::config::Community;
use proptest::prelude::*;

use super::*;
use crate::packet::attribute::{Communities, LocalPref};

/// Routes with this community are withheld.
const UNFIT: Community = Community(1);

type Table = BTreeMap<IpNet, Attributes>;

fn attributes(local_pref: u32, community: Option<u32>) -> Arc<Attributes> {
    let attributes = Attributes::default()
        .with(Some(LocalPref(local_pref)))
        .with(Communities::new(community.map(Community)));
    Arc::new(attributes)
}

/// What a peer makes of what it is told.
fn owned(attributes: &[Attribute]) -> Attributes {
    let attributes = attributes.iter().cloned().map(Some);
    attributes.fold(Attributes::default(), Attributes::with)
}

fn is_unfit(attributes: &[Attribute]) -> bool {
    let unfit = Communities::new([UNFIT]).map(Attribute::from);
    attributes
        .iter()
        .any(|attribute| Some(attribute) == unfit.as_ref())
}

fn routes(entries: &[(&str, u32)]) -> Routes {
    entries
        .iter()
        .map(|(prefix, local_pref)| {
            (
                prefix.parse::<IpNet>().unwrap(),
                attributes(*local_pref, None),
            )
        })
        .collect()
}

fn v4() -> FamilySet {
    [Family::V4].into_iter().collect()
}

/// A peer that believes what it is told, and minds being told what it knows.
#[derive(Default)]
struct Peer {
    table: Table,
    ended: Vec<Family>,
    needless: usize,
}

impl Peer {
    /// Takes at most `count` prefixes, or none of a batch that is withheld; whether there was
    /// anything to take.
    fn take(&mut self, rib: &mut AdjRibOut, count: usize) -> bool {
        let Some(batch) = rib.next() else {
            return false;
        };
        let taken = match batch {
            Batch::Withdraw(prefixes) => {
                let some = &prefixes[..count.min(prefixes.len())];
                for prefix in some {
                    assert!(
                        self.table.remove(prefix).is_some(),
                        "{prefix} was never announced"
                    );
                }
                some.len()
            }
            Batch::Announce(_, attributes, _) if is_unfit(attributes) => {
                rib.withhold();
                return true;
            }
            Batch::Announce(_, attributes, prefixes) => {
                let some = &prefixes[..count.min(prefixes.len())];
                for prefix in some {
                    let new = owned(attributes);
                    if self.table.insert(*prefix, new.clone()) == Some(new) {
                        self.needless += 1;
                    }
                }
                some.len()
            }
            Batch::EndOfRib(family) => {
                self.ended.push(family);
                1
            }
        };
        rib.advance(taken);
        true
    }

    fn take_all(&mut self, rib: &mut AdjRibOut) {
        while self.take(rib, 3) {}
    }
}

fn started(routes: Routes) -> (AdjRibOut, Peer) {
    let mut rib = AdjRibOut::default();
    rib.set(routes);
    rib.start(v4(), PeerType::Internal);
    let mut peer = Peer::default();
    peer.take_all(&mut rib);
    (rib, peer)
}

#[test]
fn the_whole_table_and_then_end_of_rib() {
    let wished = routes(&[
        ("192.0.2.1/32", 1),
        ("192.0.2.2/32", 2),
        ("192.0.2.3/32", 1),
    ]);
    let mut rib = AdjRibOut::default();
    rib.set(wished.clone());
    rib.start(v4(), PeerType::Internal);
    let of_one: Vec<IpNet> = vec![
        "192.0.2.1/32".parse().unwrap(),
        "192.0.2.3/32".parse().unwrap(),
    ];
    let attributes = attributes(1, None);
    let told = attributes.for_peer(PeerType::Internal);
    assert_eq!(rib.next(), Some(Batch::Announce(Family::V4, told, &of_one)));
    rib.advance(1);
    assert_eq!(
        rib.next(),
        Some(Batch::Announce(Family::V4, told, &of_one[1..]))
    );
    rib.advance(1);
    assert!(matches!(rib.next(), Some(Batch::Announce(..))));
    rib.advance(1);
    assert_eq!(rib.next(), Some(Batch::EndOfRib(Family::V4)));
    rib.advance(1);
    assert_eq!(rib.next(), None);
}

#[test]
fn an_empty_table_is_ended_too() {
    let (_, peer) = started(Routes::new());
    assert_eq!(peer.ended, [Family::V4]);
}

#[test]
fn withdrawals_come_before_updates() {
    let (mut rib, _) = started(routes(&[("192.0.2.1/32", 1), ("192.0.2.2/32", 1)]));
    rib.set(routes(&[("192.0.2.2/32", 2), ("192.0.2.3/32", 1)]));
    assert!(matches!(rib.next(), Some(Batch::Withdraw([_]))));
    rib.advance(1);
    assert!(matches!(rib.next(), Some(Batch::Announce(_, _, [_]))));
}

#[test]
fn families_that_are_not_negotiated_are_left_out() {
    let wished = routes(&[("192.0.2.1/32", 1), ("2001:db8::1/128", 1)]);
    let (mut rib, mut peer) = started(wished.clone());
    assert_eq!(peer.table.len(), 1);
    rib.refresh(Family::V6);
    assert_eq!(rib.next(), None);
    rib.set(routes(&[("192.0.2.1/32", 1)]));
    assert_eq!(rib.next(), None);
    rib.set(wished);
    rib.start(
        [Family::V4, Family::V6].into_iter().collect(),
        PeerType::Internal,
    );
    peer.table.clear();
    peer.take_all(&mut rib);
    assert_eq!(peer.table.len(), 2);
    assert_eq!(peer.ended, [Family::V4, Family::V4, Family::V6]);
}

#[test]
fn local_preference_is_nothing_to_an_external_peer() {
    let mut rib = AdjRibOut::default();
    rib.set(routes(&[("192.0.2.1/32", 1), ("192.0.2.2/32", 2)]));
    rib.start(v4(), PeerType::External);
    let mut peer = Peer::default();
    assert!(
        matches!(rib.next(), Some(Batch::Announce(_, _, [_, _]))),
        "one group"
    );
    peer.take_all(&mut rib);
    rib.set(routes(&[("192.0.2.1/32", 3), ("192.0.2.2/32", 2)]));
    assert_eq!(rib.next(), None);
}

#[test]
fn a_refresh_sends_everything_again_and_end_of_rib_does_not_repeat() {
    let entries: Routes = (0..10_000u32)
        .map(|n| {
            let address = std::net::Ipv4Addr::from(0x0a00_0000 + n);
            (IpNet::from(IpAddr::V4(address)), attributes(n % 3, None))
        })
        .collect();
    let (mut rib, mut peer) = started(entries);
    assert_eq!(peer.needless, 0);
    rib.refresh(Family::V4);
    peer.take_all(&mut rib);
    assert_eq!(peer.needless, 10_000);
    assert_eq!(peer.ended, [Family::V4]);
}

#[test]
fn a_refresh_that_is_interrupted_by_a_change_goes_on() {
    let (mut rib, mut peer) = started(routes(&[("192.0.2.1/32", 1), ("192.0.2.2/32", 1)]));
    rib.refresh(Family::V4);
    assert!(peer.take(&mut rib, 1));
    rib.set(routes(&[("192.0.2.2/32", 1)]));
    assert!(matches!(rib.next(), Some(Batch::Withdraw(..))));
    peer.table.clear();
    peer.table
        .insert("192.0.2.1/32".parse().unwrap(), Attributes::default());
    peer.take_all(&mut rib);
    assert_eq!(
        peer.table.keys().map(IpNet::to_string).collect::<Vec<_>>(),
        ["192.0.2.2/32"]
    );
}

#[derive(Clone, Debug)]
enum Step {
    Set(BTreeMap<(bool, u8), (u32, Option<u32>)>),
    Take(usize),
    Refresh(bool),
    Restart(bool, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        prop::collection::btree_map(
            (any::<bool>(), 0..12u8),
            (0..3u32, prop::option::of(0..2u32)),
            0..10
        )
        .prop_map(Step::Set),
        (1..6usize).prop_map(Step::Take),
        any::<bool>().prop_map(Step::Refresh),
        (any::<bool>(), any::<bool>()).prop_map(|(both, ibgp)| Step::Restart(both, ibgp)),
    ]
}

fn prefix(v6: bool, last: u8) -> IpNet {
    let address: IpAddr = if v6 {
        [0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(last)].into()
    } else {
        [192, 0, 2, last].into()
    };
    address.into()
}

/// A table as an external peer sees it.
fn without_local_pref(mut table: Table) -> Table {
    for attributes in table.values_mut() {
        *attributes = owned(attributes.for_peer(PeerType::External));
    }
    table
}

proptest! {
    #[test]
    fn the_peer_ends_with_the_newest_table_whatever_happened(
        steps in prop::collection::vec(step(), 1..30),
    ) {
        let mut rib = AdjRibOut::default();
        let mut peer = Peer::default();
        let (mut families, mut peer_type) = (vec![Family::V4], PeerType::Internal);
        let (mut wished, mut refreshed) = (Table::new(), false);
        rib.start(families.iter().copied().collect(), peer_type);
        for step in steps {
            match step {
                Step::Set(entries) => {
                    wished = entries
                        .iter()
                        .map(|((v6, last), (local_pref, community))| {
                            let attributes = attributes(*local_pref, *community);
                            (prefix(*v6, *last), Attributes::clone(&attributes))
                        })
                        .collect();
                    rib.set(wished.iter().map(|(p, a)| (*p, Arc::new(a.clone()))).collect());
                }
                Step::Take(count) => {
                    peer.take(&mut rib, count);
                }
                Step::Refresh(v6) => {
                    rib.refresh(if v6 { Family::V6 } else { Family::V4 });
                    refreshed = true;
                }
                Step::Restart(both, internal) => {
                    rib.stop();
                    families = if both { vec![Family::V4, Family::V6] } else { vec![Family::V6] };
                    peer_type = if internal { PeerType::Internal } else { PeerType::External };
                    rib.start(families.iter().copied().collect(), peer_type);
                    peer = Peer::default();
                    refreshed = false;
                }
            }
            let mut held = Table::new();
            rib.for_each(|prefix, attributes| {
                held.insert(*prefix, Attributes::clone(attributes));
            });
            prop_assert_eq!(without_local_pref(held), without_local_pref(peer.table.clone()));
            if !refreshed {
                prop_assert_eq!(peer.needless, 0);
            }
        }
        peer.take_all(&mut rib);
        wished.retain(|prefix, attributes| {
            families.contains(&family_of(prefix)) && !is_unfit(attributes.for_peer(peer_type))
        });
        if peer_type == PeerType::External {
            wished = without_local_pref(wished);
        }
        prop_assert_eq!(peer.table, wished);
        prop_assert_eq!(peer.ended, families);
    }
}
