//! Routes on the wire.

use std::collections::BTreeSet;
use std::sync::Arc;

use carillon_core::backend::Detail;
use carillon_core::config::Community;
use ipnet::IpNet;
use proptest::prelude::*;

use super::pair::{Pair, ebgp, hosts, routes};
use crate::export::Routes;
use crate::packet::Attributes;
use crate::packet::attribute::Communities;
use crate::packet::{Message, RouteRefresh};
use crate::session::{Event, Input};

#[test]
fn many_routes_take_few_messages() {
    let mut pair = Pair::established(ebgp());
    let before = pair.updates();
    pair.input(Input::Routes(hosts(10_000)));
    assert_eq!(pair.table.len(), 10_000);
    assert_eq!(
        pair.updates() - before,
        13,
        "10 000 routes of 5 octets in messages of 4096"
    );
}

#[test]
fn a_change_sends_only_what_changed() {
    let mut pair = Pair::established(ebgp());
    let mut table = hosts(1000);
    pair.input(Input::Routes(table.clone()));
    let before = pair.updates();
    table.insert(
        "198.51.100.1/32".parse().unwrap(),
        Arc::new(Attributes::default()),
    );
    pair.input(Input::Routes(table.clone()));
    let Some(Message::Update(update)) = pair.received.last() else {
        panic!("no UPDATE");
    };
    assert_eq!((update.announced.len(), update.withdrawn.len()), (1, 0));
    pair.input(Input::Routes(table));
    assert_eq!(pair.updates() - before, 1, "the same again is nothing");
}

#[test]
fn other_attributes_replace_without_a_withdrawal() {
    let mut pair = Pair::established(ebgp());
    pair.input(Input::Routes(hosts(1)));
    let other = Arc::new(Attributes::default().with(Communities::new([Community(1)])));
    let table: Routes = hosts(1)
        .keys()
        .map(|prefix| (*prefix, other.clone()))
        .collect();
    pair.input(Input::Routes(table));
    let Some(Message::Update(update)) = pair.received.last() else {
        panic!("no UPDATE");
    };
    assert_eq!((update.announced.len(), update.withdrawn.len()), (1, 0));
}

#[test]
fn a_refresh_is_answered_with_the_table() {
    let mut pair = Pair::established(ebgp());
    pair.input(Input::Routes(hosts(1000)));
    let before = pair.updates();
    let ask = |pair: &mut Pair, afi, subtype| {
        let refresh = RouteRefresh {
            afi,
            subtype,
            safi: 1,
        };
        pair.say(|out| refresh.encode(out));
    };
    ask(&mut pair, 1, 0);
    assert_eq!(pair.updates() - before, 2);
    ask(&mut pair, 2, 0);
    ask(&mut pair, 1, 1);
    assert_eq!(
        pair.updates() - before,
        2,
        "of another family, and not a request"
    );
}

#[test]
fn a_slow_router_costs_little_memory_and_gets_the_newest_table() {
    let mut pair = Pair::established(ebgp());
    pair.reads = false;
    pair.input(Input::Routes(hosts(100_000)));
    assert!(pair.held().1 < 70 * 1024);
    assert!(!pair.session.is_settled());
    pair.input(Input::Routes(hosts(50_000)));
    pair.input(Input::Routes(hosts(7)));
    pair.reads = true;
    pair.read(usize::MAX);
    pair.input(Input::Routes(hosts(8)));
    assert_eq!(pair.table.len(), 8);
    assert!(
        pair.updates() < 40,
        "only what had been written already is taken back"
    );
    assert!(pair.session.is_settled());
}

#[test]
fn routes_whose_attributes_fit_in_no_message_are_left_out() {
    let mut pair = Pair::established(ebgp());
    pair.input(Input::Routes(hosts(2)));
    let huge = Arc::new(Attributes::default().with(Communities::new((0..2000).map(Community))));
    let mut table = hosts(3);
    let prefixes: Vec<_> = table.keys().copied().collect();
    table.insert(prefixes[0], huge.clone());
    table.insert(prefixes[2], huge);
    pair.input(Input::Routes(table));
    assert_eq!(pair.table, [prefixes[1]].into());
    let announced = pair.session.status(Detail::Routes, pair.now).announced;
    assert_eq!(announced.len(), 1, "status does not claim the others");
    assert!(
        pair.last_error().contains("leave no room for a prefix"),
        "{}",
        pair.last_error()
    );
    assert!(pair.session.is_settled());
}

#[derive(Clone, Debug)]
enum Step {
    Set(BTreeSet<u8>),
    Read(usize),
    Refresh,
    Reset,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        prop::collection::btree_set(0..30u8, 0..20).prop_map(Step::Set),
        (1..200usize).prop_map(Step::Read),
        Just(Step::Refresh),
        Just(Step::Reset),
    ]
}

fn prefix(last: u8) -> IpNet {
    std::net::IpAddr::from([192, 0, 2, last]).into()
}

proptest! {
    /// The router of the pair applies what it decodes, minds needless withdrawals, and reads in
    /// pieces of any size.
    #[test]
    fn the_router_ends_with_the_newest_table(steps in prop::collection::vec(step(), 1..30)) {
        let mut pair = Pair::established(ebgp());
        pair.reads = false;
        let mut wished = BTreeSet::new();
        for step in steps {
            match step {
                Step::Set(set) => {
                    wished = set.into_iter().map(prefix).collect();
                    pair.input(Input::Routes(routes(wished.iter().copied())));
                }
                Step::Read(count) => {
                    pair.read(count);
                }
                Step::Refresh => {
                    let refresh = RouteRefresh { afi: 1, subtype: 0, safi: 1 };
                    pair.say(|out| refresh.encode(out));
                }
                Step::Reset => {
                    pair.input(Input::Closed(None));
                    pair.until_connect();
                    prop_assert!(pair.events.contains(&Event::Connect));
                    pair.reads = true;
                    pair.establish();
                    pair.reads = false;
                }
            }
        }
        pair.reads = true;
        while pair.read(usize::MAX) > 0 {}
        prop_assert_eq!(&pair.table, &wished);
        prop_assert!(pair.session.is_settled());
    }
}
