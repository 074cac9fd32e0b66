use carillon_core::announcement::Announcement;
use carillon_core::node::Node;

use super::*;

const A: &str = "192.0.2.1";
const B: &str = "192.0.2.2";

fn addresses(texts: &[&str]) -> BTreeSet<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn set(vips: &[&str]) -> Arc<AnnouncementSet> {
    set_of(vips, 0)
}

fn set_of(vips: &[&str], round: u64) -> Arc<AnnouncementSet> {
    let mut set = AnnouncementSet::empty(Arc::new(Node::named("n")));
    for vip in addresses(vips) {
        let announcement = Announcement {
            vip,
            pool: "p".into(),
            services: Vec::new(),
            round,
        };
        set.by_vip.insert(vip, Arc::new(announcement));
    }
    Arc::new(set)
}

fn passed(gate: &mut Gate, now: Instant) -> (BTreeSet<IpAddr>, bool) {
    let passed = gate.pass("arp", now).unwrap();
    let vips = passed.set.by_vip.keys().copied().collect();
    (vips, passed.is_complete)
}

#[test]
fn a_vip_is_announced_after_its_address_is_usable_and_has_it_a_little_longer() {
    let now = Instant::now();
    let mut gate = Gate::default();
    gate.offer("arp", &set(&[A, B]), now);
    assert_eq!(gate.addresses(now), addresses(&[A, B]));
    assert_eq!(passed(&mut gate, now), (addresses(&[]), false));
    let first = gate.pass("arp", now).unwrap().set.generation;

    assert_eq!(gate.set_usable(Arc::new(addresses(&[A]))), ["arp"]);
    assert_eq!(passed(&mut gate, now), (addresses(&[A]), false));
    assert_eq!(gate.set_usable(Arc::new(addresses(&[A, B]))), ["arp"]);
    assert_eq!(passed(&mut gate, now), (addresses(&[A, B]), true));
    let last = gate.pass("arp", now).unwrap().set.generation;
    assert!(last > first, "backends tell apart what they were given");

    gate.offer("arp", &set(&[B]), now);
    assert_eq!(passed(&mut gate, now), (addresses(&[B]), true));
    assert_eq!(gate.addresses(now), addresses(&[A, B]));
    assert_eq!(gate.due(now), Some(now + LINGER));
    assert_eq!(gate.addresses(now + LINGER), addresses(&[B]));
    assert_eq!(gate.due(now + LINGER), None);
}

#[test]
fn one_address_that_never_comes_does_not_hold_up_the_others_for_ever() {
    let now = Instant::now();
    let mut gate = Gate::default();
    gate.offer("arp", &set(&[A, B]), now);
    gate.set_usable(Arc::new(addresses(&[A])));
    assert_eq!(passed(&mut gate, now), (addresses(&[A]), false));
    assert_eq!(gate.due(now), Some(now + PATIENCE));
    assert_eq!(passed(&mut gate, now + PATIENCE), (addresses(&[A]), true));
}

#[test]
fn an_address_that_is_lost_is_not_announced_until_it_is_back() {
    let now = Instant::now();
    let mut gate = Gate::default();
    gate.offer("arp", &set(&[A]), now);
    gate.set_usable(Arc::new(addresses(&[A])));
    assert_eq!(gate.set_usable(Arc::default()), ["arp"]);
    assert_eq!(passed(&mut gate, now).0, addresses(&[]));
    assert_eq!(
        gate.set_usable(Arc::new(addresses(&[B]))),
        [""; 0],
        "not ours"
    );
}

#[test]
fn an_address_with_one_owner_goes_at_once() {
    let now = Instant::now();
    let mut gate = Gate::default();
    gate.offer("arp", &set_of(&[A], 7), now);
    assert_eq!(gate.addresses(now), addresses(&[A]));
    gate.offer("arp", &set(&[]), now);
    assert_eq!(gate.addresses(now), addresses(&[]));
}
