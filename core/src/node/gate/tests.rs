use super::*;
use crate::node::Node;
use crate::testing::{announcement, beginning, ips};

const A: &str = "192.0.2.1";
const B: &str = "192.0.2.2";

fn addresses(texts: &[&str]) -> BTreeSet<IpAddr> {
    ips(texts).into_iter().collect()
}

fn set(vips: &[&str]) -> Arc<AnnouncementSet> {
    set_of(vips, 0)
}

fn set_of(vips: &[&str], round: u64) -> Arc<AnnouncementSet> {
    let mut set = AnnouncementSet::empty(Arc::new(Node::named("n")));
    for vip in addresses(vips) {
        let announcement = Announcement {
            round,
            ..announcement("p")
        };
        set.by_vip.insert(vip, Arc::new(announcement));
    }
    Arc::new(set)
}

/// What the gate lets pass now; `None` if that is nothing new.
fn passed(gate: &mut Gate) -> Option<(u64, BTreeSet<IpAddr>)> {
    let set = gate.pass().remove("arp")?;
    let vips = set.by_vip.keys().copied().collect();
    Some((set.generation, vips))
}

#[test]
fn a_vip_is_announced_after_its_address_is_usable_and_has_it_a_little_longer() {
    let now = beginning();
    let mut gate = Gate::default();
    gate.offer("arp", set(&[A, B]), now);
    assert_eq!(*gate.addresses(now), addresses(&[A, B]));
    assert_eq!(passed(&mut gate), Some((1, addresses(&[]))));
    assert_eq!(passed(&mut gate), None, "nothing is new");

    gate.set_usable(Arc::new(addresses(&[A])));
    assert_eq!(passed(&mut gate), Some((2, addresses(&[A]))));
    gate.set_usable(Arc::new(addresses(&[A, B])));
    assert_eq!(passed(&mut gate), Some((3, addresses(&[A, B]))));

    gate.offer("arp", set(&[B]), now);
    assert_eq!(passed(&mut gate), Some((4, addresses(&[B]))));
    assert_eq!(*gate.addresses(now), addresses(&[A, B]));
    assert_eq!(gate.poll_timeout(now), Some(now + LINGER));
    assert_eq!(*gate.addresses(now + LINGER), addresses(&[B]));
    assert_eq!(gate.poll_timeout(now + LINGER), None);
}

#[test]
fn what_is_usable_already_passes_at_once() {
    let now = beginning();
    let mut gate = Gate::default();
    gate.set_usable(Arc::new(addresses(&[A])));
    assert_eq!(passed(&mut gate), None, "nobody was offered anything");
    gate.offer("arp", set(&[A, B]), now);
    assert_eq!(passed(&mut gate), Some((1, addresses(&[A]))));
}

#[test]
fn an_address_that_is_lost_is_not_announced_until_it_is_back() {
    let now = beginning();
    let mut gate = Gate::default();
    gate.offer("arp", set(&[A]), now);
    gate.set_usable(Arc::new(addresses(&[A])));
    gate.set_usable(Arc::default());
    assert_eq!(passed(&mut gate), Some((1, addresses(&[]))));
    gate.set_usable(Arc::new(addresses(&[B])));
    assert_eq!(passed(&mut gate), None, "it is not wished");
}

#[test]
fn a_vip_that_changes_passes_as_it_is_now() {
    let now = beginning();
    let mut gate = Gate::default();
    gate.set_usable(Arc::new(addresses(&[A])));
    gate.offer("arp", set_of(&[A], 7), now);
    gate.offer("arp", set_of(&[A], 8), now);
    let sets = gate.pass();
    assert_eq!(sets["arp"].by_vip[&A.parse::<IpAddr>().unwrap()].round, 8);
}

#[test]
fn an_address_with_one_owner_goes_at_once() {
    let now = beginning();
    let mut gate = Gate::default();
    gate.offer("arp", set_of(&[A], 7), now);
    assert_eq!(*gate.addresses(now), addresses(&[A]));
    gate.offer("arp", set(&[]), now);
    assert_eq!(*gate.addresses(now), addresses(&[]));
}

#[test]
fn what_is_to_be_had_is_the_same_set_as_long_as_nothing_changes() {
    let now = beginning();
    let mut gate = Gate::default();
    gate.offer("arp", set(&[A, B]), now);
    let before = gate.addresses(now);
    gate.offer("arp", set_of(&[A, B], 3), now);
    gate.set_usable(Arc::new(addresses(&[A])));
    assert!(Arc::ptr_eq(&before, &gate.addresses(now)));
}

#[test]
fn an_address_that_is_wished_again_or_by_another_backend_stays() {
    let now = beginning();
    let mut gate = Gate::default();
    let second = LINGER;
    gate.offer("arp", set(&[A, B]), now);
    gate.offer("arp", set(&[]), now);
    gate.offer("arp", set(&[A]), now + second / 2);
    assert_eq!(*gate.addresses(now + second), addresses(&[A]));
    // It lingers as long as after any other end.
    gate.offer("arp", set(&[]), now + second);
    assert_eq!(*gate.addresses(now + second * 3 / 2), addresses(&[A]));
    assert_eq!(*gate.addresses(now + second * 2), addresses(&[]));

    gate.offer("bgp", set(&[A]), now);
    gate.offer("arp", set_of(&[A], 7), now);
    gate.offer("arp", set(&[]), now);
    assert_eq!(*gate.addresses(now), addresses(&[A]));
}
