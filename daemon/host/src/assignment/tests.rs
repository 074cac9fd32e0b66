use std::collections::{BTreeMap, VecDeque};

use carillon_core::testing::ip;
use proptest::prelude::*;

use super::message::label;
use super::reconciler::{Event, Place, State};
use super::*;

mod kernel;

const LO: u32 = 1;
const OTHER: u32 = 2;
const READY: State = State {
    is_ours: false,
    is_ready: true,
};
const OURS: State = State {
    is_ours: true,
    ..READY
};

fn ips(texts: &[&str]) -> BTreeSet<IpAddr> {
    texts.iter().map(|text| ip(text)).collect()
}

fn place(index: u32, address: &str) -> Place {
    let ip = ip(address);
    let prefix = if ip.is_ipv4() { 32 } else { 128 };
    Place { index, ip, prefix }
}

fn link(index: u32, name: &str, is_up: bool) -> Event {
    Event::Link {
        index,
        name: name.to_owned(),
        is_up,
    }
}

fn reconciler() -> Reconciler {
    let mut reconciler = Reconciler::new("lo");
    reconciler.handle(link(LO, "lo", true));
    reconciler.handle(link(OTHER, "eth0", true));
    reconciler
}

fn want(reconciler: &mut Reconciler, texts: &[&str]) {
    reconciler.set(Arc::new(ips(texts)));
}

fn add(address: &str) -> Request {
    let label = address.contains('.').then(|| "lo:carillon".to_owned());
    Request::Add(place(LO, address), label)
}

#[test]
fn what_is_wanted_is_added_and_usable_once_the_kernel_tells_so() {
    let mut it = reconciler();
    want(&mut it, &["192.0.2.1", "2001:db8::1"]);
    let requests = it.requests(9);
    assert_eq!(requests, [add("192.0.2.1"), add("2001:db8::1")]);
    it.done(&requests[0], Ok(()));
    it.done(&requests[1], Ok(()));
    assert_eq!(it.assigned(), Assigned::default());
    assert!(it.requests(9).is_empty(), "its notice is to come");

    it.handle(Event::Address(place(LO, "192.0.2.1"), OURS));
    let tentative = State {
        is_ready: false,
        ..OURS
    };
    it.handle(Event::Address(place(LO, "2001:db8::1"), tentative));
    assert_eq!(*it.assigned().usable, ips(&["192.0.2.1"]));
    it.handle(Event::Address(place(LO, "2001:db8::1"), OURS));
    assert_eq!(it.assigned().usable.len(), 2);
    assert!(it.requests(9).is_empty());
}

#[test]
fn nothing_is_removed_before_it_is_known_what_is_wanted() {
    let mut it = reconciler();
    for address in ["192.0.2.1", "192.0.2.2"] {
        it.handle(Event::Address(place(LO, address), OURS));
    }
    it.handle(Event::Address(place(OTHER, "192.0.2.2"), OURS));
    assert!(it.requests(9).is_empty());
    want(&mut it, &["192.0.2.2"]);
    // What another run has put on another interface is stale too.
    let stale = [place(LO, "192.0.2.1"), place(OTHER, "192.0.2.2")];
    assert_eq!(it.requests(9), stale.map(Request::Remove));
    assert_eq!(*it.assigned().usable, ips(&["192.0.2.2"]));
}

#[test]
fn what_somebody_else_has_put_there_is_used_and_left() {
    let mut it = reconciler();
    let wide = Place {
        prefix: 24,
        ..place(LO, "192.0.2.1")
    };
    it.handle(Event::Address(wide, READY));
    want(&mut it, &["192.0.2.1"]);
    assert!(it.requests(9).is_empty());
    assert_eq!(it.assigned().usable, it.assigned().foreign);
    assert_eq!(*it.assigned().foreign, ips(&["192.0.2.1"]));
    want(&mut it, &[]);
    assert!(it.requests(9).is_empty());
    // Nor does it hold up what is wanted when it goes.
    want(&mut it, &["192.0.2.1"]);
    it.handle(Event::AddressGone(wide));
    assert_eq!(it.requests(9), [add("192.0.2.1")]);
}

#[test]
fn what_is_removed_by_hand_comes_back() {
    let mut it = reconciler();
    it.handle(Event::Address(place(LO, "192.0.2.1"), OURS));
    want(&mut it, &["192.0.2.1"]);
    it.handle(Event::AddressGone(place(LO, "192.0.2.1")));
    assert_eq!(*it.assigned().usable, ips(&[]));
    assert_eq!(it.requests(9), [add("192.0.2.1")]);
}

#[test]
fn refusals_are_told_with_their_remedy_and_tried_again() {
    let mut it = reconciler();
    want(&mut it, &["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
    let errnos = [Errno::EPERM, Errno::EPERM, Errno::EACCES];
    for (request, errno) in it.requests(9).iter().zip(errnos) {
        it.done(request, Err(errno));
    }
    let problems = it.assigned().problems;
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("CAP_NET_ADMIN"), "{problems:?}");
    assert!(
        problems[1].contains("net.ipv6.conf.lo.disable_ipv6=0"),
        "{problems:?}"
    );
    assert!(it.has_failed() && it.requests(9).is_empty());
    it.retry();
    assert_eq!(it.requests(9).len(), 3);
}

#[test]
fn an_interface_that_is_gone_or_down_is_a_problem() {
    let mut it = reconciler();
    it.handle(Event::Address(place(LO, "192.0.2.1"), OURS));
    want(&mut it, &["192.0.2.1"]);
    it.handle(link(LO, "lo", false));
    assert!(it.assigned().problems[0].contains("ip link set lo up"));
    assert!(it.assigned().usable.is_empty());
    it.handle(Event::LinkGone(LO));
    assert!(it.assigned().problems[0].contains("is gone"));
    assert!(it.requests(9).is_empty());
    it.handle(link(7, "lo", true));
    assert_eq!(it.requests(9).len(), 1);
}

#[test]
fn labels_fit() {
    assert_eq!(label("lo").unwrap(), "lo:carillon");
    assert_eq!(label("enp3s0f0").unwrap(), "enp3s0f0:carill");
    assert_eq!(label("a123456789012").unwrap(), "a123456789012:c");
    assert_eq!(label("a1234567890123"), None);
    assert_eq!(label("a12345678901234"), None);
}

/// A kernel with an interface, whose notices come late.
#[derive(Debug, Default)]
struct Kernel {
    addresses: BTreeMap<Place, State>,
    notices: VecDeque<Event>,
}

impl Kernel {
    fn add(&mut self, place: Place, state: State) -> Outcome {
        let range = Place { prefix: 0, ..place }..=Place {
            prefix: 255,
            ..place
        };
        let is_taken = self.addresses.contains_key(&place)
            || place.ip.is_ipv6() && self.addresses.range(range).next().is_some();
        if is_taken {
            return Err(Errno::EEXIST);
        }
        self.addresses.insert(place, state);
        self.notices.push_back(Event::Address(place, state));
        Ok(())
    }

    fn remove(&mut self, place: Place) -> Outcome {
        let gone = self.addresses.remove(&place);
        gone.ok_or(Errno::EADDRNOTAVAIL)?;
        self.notices.push_back(Event::AddressGone(place));
        Ok(())
    }
}

#[derive(Clone, Debug)]
enum Step {
    Want(Vec<u8>),
    /// A person adds an address, or removes it, whosever it is. The kernel cannot be asked to remove
    /// only what is ours, so nobody is so fast that an address changes hands unnoticed.
    Add(u8, bool),
    Remove(u8, bool),
    /// Notices are read.
    Read(usize),
    /// Requests are made and answered, or refused for no good reason.
    Ask,
    Refuse,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        prop::collection::vec(0..4u8, 0..4).prop_map(Step::Want),
        (0..4u8, any::<bool>()).prop_map(|(host, wide)| Step::Add(host, wide)),
        (0..4u8, any::<bool>()).prop_map(|(host, wide)| Step::Remove(host, wide)),
        (0..4usize).prop_map(Step::Read),
        Just(Step::Ask),
        Just(Step::Refuse),
    ]
}

/// Two of each family.
fn host(number: u8, is_wide: bool) -> Place {
    let text = ["192.0.2.0", "192.0.2.1", "2001:db8::", "2001:db8::1"];
    let mut place = place(LO, text[usize::from(number)]);
    if is_wide {
        place.prefix = 24;
    }
    place
}

fn ask(it: &mut Reconciler, kernel: &mut Kernel) {
    for request in it.requests(9) {
        let outcome = match &request {
            Request::Add(place, _) => kernel.add(*place, OURS),
            Request::Remove(place) => {
                assert!(
                    kernel
                        .addresses
                        .get(place)
                        .is_none_or(|state| state.is_ours)
                );
                kernel.remove(*place)
            }
        };
        it.done(&request, outcome);
    }
}

proptest! {
    /// Whatever happens in whatever order, in the end there is all that is wanted, none else of
    /// ours, and all that others have put there.
    #[test]
    fn the_interface_ends_as_wanted(steps in prop::collection::vec(step(), 0..60)) {
        let (mut it, mut kernel) = (reconciler(), Kernel::default());
        let (mut desired, mut others) = (BTreeSet::new(), BTreeSet::new());
        it.set(Arc::default());
        for step in steps {
            match step {
                Step::Want(hosts) => {
                    desired = hosts.iter().map(|number| host(*number, false).ip).collect();
                    it.set(Arc::new(desired.clone()));
                }
                Step::Add(number, is_wide) => {
                    kernel.notices.drain(..).for_each(|event| it.handle(event));
                    let place = host(number, is_wide);
                    if kernel.add(place, READY).is_ok() {
                        others.insert(place);
                    }
                }
                Step::Remove(number, is_wide) => {
                    let _ = kernel.remove(host(number, is_wide));
                    others.remove(&host(number, is_wide));
                }
                Step::Read(most) => {
                    let most = most.min(kernel.notices.len());
                    kernel.notices.drain(..most).for_each(|event| it.handle(event));
                }
                Step::Ask => ask(&mut it, &mut kernel),
                Step::Refuse => {
                    for request in it.requests(9) {
                        it.done(&request, Err(Errno::ENOMEM));
                    }
                }
            }
        }
        for _ in 0..10 {
            it.retry();
            kernel.notices.drain(..).for_each(|event| it.handle(event));
            ask(&mut it, &mut kernel);
        }
        prop_assert!(kernel.notices.is_empty() && !it.is_waiting());
        let present: BTreeSet<IpAddr> = kernel.addresses.keys().map(|place| place.ip).collect();
        prop_assert!(present.is_superset(&desired));
        prop_assert_eq!(&*it.assigned().usable, &desired);
        for (place, state) in &kernel.addresses {
            prop_assert!(!state.is_ours || desired.contains(&place.ip));
            prop_assert_eq!(state.is_ours, !others.contains(place));
        }
        prop_assert!(others.iter().all(|place| kernel.addresses.contains_key(place)));
    }
}
