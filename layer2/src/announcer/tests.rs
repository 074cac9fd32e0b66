use std::collections::{BTreeMap, BTreeSet};

use carillon_core::announcement::{Announcement, Respondent};
use carillon_core::interface::{Exclusion, Interface, InterfaceNames, Interfaces, MacAddress};
use carillon_core::mark::Mark;
use carillon_core::node::Node;
use carillon_core::testing;
use proptest::prelude::*;

use super::*;
use crate::message::{Asker, Question};

const OWN: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
const OTHER: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);
const THIRD: MacAddress = MacAddress([2, 0, 0, 0, 0, 3]);
const NO_REFRESH: Duration = Duration::ZERO;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn vip(last: u32) -> IpAddr {
    IpAddr::from((0x0a00_0000 + last).to_be_bytes())
}

fn interface(index: u32, subnet: &str) -> Interface {
    Interface {
        mac: Some(OWN),
        ..testing::interface(index, &format!("eth{index}"), &[subnet])
    }
}

/// A machine in virtual time, and what it did.
struct World {
    announcer: Announcer,
    set: AnnouncementSet,
    start: Instant,
    now: Instant,
    /// When, and what.
    log: Vec<(Duration, Action)>,
    listening: Vec<Listening>,
    /// That of the last question to each station for each VIP.
    nonces: BTreeMap<(IpAddr, MacAddress), u32>,
}

impl World {
    fn new(refresh: Duration) -> Self {
        let start = testing::beginning();
        Self {
            announcer: Announcer::new(Family::V4, refresh, [7; 32]),
            set: AnnouncementSet::empty(Arc::new(Node::named("node"))),
            start,
            now: start,
            log: Vec::new(),
            listening: Vec::new(),
            nonces: BTreeMap::new(),
        }
    }

    /// With interface 1, ready, on the subnet of all VIPs.
    fn with_interface(refresh: Duration) -> Self {
        let mut world = Self::new(refresh);
        world.interfaces(&[interface(1, "10.0.0.1/8")]);
        world.announcer.handle_ready(1, world.now);
        world
    }

    fn interfaces(&mut self, all: &[Interface]) {
        self.set.interfaces = Arc::new(Interfaces::usable(all, &Exclusion::default()));
        self.apply();
    }

    fn wish(&mut self, vip: IpAddr, round: u64) {
        let announcement = Announcement {
            round,
            ..testing::announcement("pool")
        };
        self.set.by_vip.insert(vip, Arc::new(announcement));
    }

    fn apply(&mut self) {
        self.set.generation += 1;
        self.announcer.handle_set(&self.set, self.now);
        self.run_until(self.now);
    }

    fn run(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    fn run_until(&mut self, end: Instant) {
        loop {
            while let Some(action) = self.announcer.poll_action() {
                if let Action::Say {
                    saying: Saying::Inquiry(vip, station, nonce),
                    ..
                } = action
                {
                    self.nonces.insert((vip, station), nonce);
                }
                self.log.push((self.now - self.start, action));
            }
            while let Some(change) = self.announcer.poll_listening() {
                self.listening.push(change);
            }
            match self.announcer.poll_timeout() {
                Some(at) if at <= end => {
                    let before = self.now;
                    self.now = at.max(self.now);
                    self.announcer.handle_timeout(self.now);
                    let next = self.announcer.poll_timeout();
                    assert!(
                        next.is_none_or(|next| next > self.now)
                            || self.now > before
                            || at <= before,
                        "time stands still"
                    );
                }
                _ => break,
            }
        }
        self.now = end;
    }

    fn hear(&mut self, interface: u32, message: Message) {
        self.announcer.handle_message(interface, &message, self.now);
        self.run_until(self.now);
    }

    /// A daemon answers the last question.
    fn hear_answer(&mut self, vip: IpAddr, station: MacAddress) {
        let nonce = self.nonces.get(&(vip, station)).copied();
        let answer = Message {
            nonce: nonce.unwrap_or_default(),
            ..answer(vip, station)
        };
        self.hear(1, answer);
    }

    fn take(&mut self) -> Vec<(Duration, Action)> {
        std::mem::take(&mut self.log)
    }

    /// Times of announcements by VIP and interface.
    fn announced(&mut self) -> BTreeMap<(IpAddr, u32), Vec<Duration>> {
        self.said(|saying| match saying {
            Saying::Announcement(vip) => Some(vip),
            Saying::Answer(_) | Saying::Probe(_) | Saying::Inquiry(..) => None,
        })
    }

    /// Times of questions to all, by VIP and interface.
    fn probed(&mut self) -> BTreeMap<(IpAddr, u32), Vec<Duration>> {
        self.said(|saying| match saying {
            Saying::Probe(vip) => Some(vip),
            Saying::Answer(_) | Saying::Announcement(_) | Saying::Inquiry(..) => None,
        })
    }

    fn said(
        &mut self,
        of: impl Fn(Saying) -> Option<IpAddr>,
    ) -> BTreeMap<(IpAddr, u32), Vec<Duration>> {
        let mut times: BTreeMap<_, Vec<Duration>> = BTreeMap::new();
        for (at, action) in self.take() {
            if let Action::Say { interface, saying } = action
                && let Some(vip) = of(saying)
            {
                times.entry((vip, interface)).or_default().push(at);
            }
        }
        times
    }
}

fn claim(vip: IpAddr, station: MacAddress) -> Message {
    Message {
        station,
        claim: Some(vip),
        is_direct: false,
        question: None,
        mark: (station == THIRD).then(|| Mark::of("third", 1)),
        nonce: 0,
    }
}

fn question(target: IpAddr) -> Message {
    Message {
        station: OTHER,
        claim: None,
        is_direct: false,
        question: Some(Question {
            target,
            asker: Asker {
                mac: OTHER,
                address: vip(77),
            },
            nonce: 0,
        }),
        mark: None,
        nonce: 0,
    }
}

fn burst(start: Duration) -> Vec<Duration> {
    let offsets = [0, 50, 200, 1000, 2000];
    offsets.iter().map(|offset| start + ms(*offset)).collect()
}

#[test]
fn a_new_vip_is_announced_at_once_and_a_few_times_more() {
    let mut world = World::with_interface(NO_REFRESH);
    world.run(ms(10));
    world.wish(vip(1), 1);
    world.apply();
    world.run(ms(60_000));
    assert_eq!(world.announced(), [((vip(1), 1), burst(ms(10)))].into());
    assert_eq!(world.announcer.poll_timeout(), None, "then there is rest");
}

#[test]
fn only_another_round_makes_a_known_vip_be_announced() {
    let mut world = World::with_interface(NO_REFRESH);
    world.wish(vip(1), 1);
    world.apply();
    world.run(ms(5000));
    world.take();
    let changed = Announcement {
        pool: "other".into(),
        ..Announcement::clone(&world.set.by_vip[&vip(1)])
    };
    world.set.by_vip.insert(vip(1), Arc::new(changed));
    world.apply();
    world.run(ms(5000));
    assert_eq!(world.take(), []);
    world.wish(vip(1), 2);
    world.apply();
    world.run(ms(5000));
    assert_eq!(world.announced(), [((vip(1), 1), burst(ms(10_000)))].into());
}

#[test]
fn a_round_within_a_burst_starts_it_over() {
    let mut world = World::with_interface(NO_REFRESH);
    world.wish(vip(1), 1);
    world.apply();
    world.run(ms(100));
    world.wish(vip(1), 2);
    world.apply();
    world.run(ms(5000));
    let mut times = vec![ms(0), ms(50)];
    times.extend(burst(ms(100)));
    assert_eq!(world.announced()[&(vip(1), 1)], times);
}

#[test]
fn a_vip_that_is_not_wished_any_more_is_silent() {
    let mut world = World::with_interface(NO_REFRESH);
    world.wish(vip(1), 1);
    world.apply();
    world.run(ms(100));
    world.take();
    world.set.by_vip.clear();
    world.apply();
    let ignored = Listening {
        interface: 1,
        vip: vip(1),
        wanted: false,
    };
    assert_eq!(world.listening.last(), Some(&ignored));
    world.hear(1, question(vip(1)));
    world.hear(1, claim(vip(1), OTHER));
    world.run(ms(5000));
    assert_eq!(world.take(), []);
}

#[test]
fn a_vip_is_announced_on_its_subnets_or_everywhere() {
    let mut world = World::new(NO_REFRESH);
    world.wish(vip(1), 1);
    world.wish("192.0.2.1".parse().unwrap(), 1);
    world.interfaces(&[
        interface(1, "10.0.0.1/24"),
        interface(2, "10.0.1.1/24"),
        interface(3, "10.0.2.1/24"),
    ]);
    world.announcer.handle_ready(1, world.now);
    world.announcer.handle_ready(2, world.now);
    world.run(ms(5000));
    let outside = "192.0.2.1".parse().unwrap();
    let places: Vec<_> = world.announced().into_keys().collect();
    assert_eq!(places, [(vip(1), 1), (outside, 1), (outside, 2)]);
    world.hear(2, question(vip(1)));
    assert_eq!(
        world.take(),
        [],
        "not on a segment where it is not announced"
    );
}

/// An address of no subnet, which is watched.
const WATCHED: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

/// On three interfaces, of which the first has the subnet of the VIPs 1 and 2: VIP 1 and the one that is
/// watched are for the second alone.
fn world_of_names() -> World {
    let mut world = World::new(ms(2000));
    world.interfaces(&[
        interface(1, "10.0.0.1/24"),
        interface(2, "10.0.1.1/24"),
        interface(3, "10.0.2.1/24"),
    ]);
    for index in 1..=3 {
        world.announcer.handle_ready(index, world.now);
    }
    for last in [1, 2] {
        world.wish(vip(last), 1);
    }
    world.set.watched.insert(WATCHED);
    for vip in [vip(1), WATCHED] {
        world.set.interfaces_of.insert(vip, eth2());
    }
    world.apply();
    world
}

fn eth2() -> InterfaceNames {
    Arc::new(BTreeSet::from(["eth2".into(), "eth9".into()]))
}

/// The VIPs that were spoken of without having been asked for, and where.
fn spoken_of(world: &mut World) -> BTreeSet<(IpAddr, u32)> {
    let said = world.said(|saying| match saying {
        Saying::Announcement(vip) | Saying::Probe(vip) | Saying::Inquiry(vip, ..) => Some(vip),
        Saying::Answer(_) => None,
    });
    said.into_keys().collect()
}

/// What was done, but for telling that others are heard.
fn done(world: &mut World) -> Vec<Action> {
    let actions = world.take().into_iter().map(|(_, action)| action);
    actions
        .filter(|action| !matches!(action, Action::Tell(BackendEvent::Heard { .. })))
        .collect()
}

#[test]
fn a_vip_for_some_interfaces_is_not_spoken_of_on_others() {
    let mut world = world_of_names();
    world.run(ms(5000));
    let expected = BTreeSet::from([(vip(1), 2), (vip(2), 1), (WATCHED, 2)]);
    assert_eq!(spoken_of(&mut world), expected);
    ask(&mut world, vip(1), &[OTHER], Respondent::Daemon);
    world.run(ms(10));
    assert_eq!(spoken_of(&mut world), [(vip(1), 2)].into());
    for interface in [1, 3] {
        world.hear(interface, question(vip(1)));
        world.hear(interface, claim(vip(1), OTHER));
        world.hear(interface, claim(WATCHED, OTHER));
    }
    assert_eq!(done(&mut world), []);
    world.hear(2, question(vip(1)));
    world.hear(2, claim(WATCHED, OTHER));
    assert_eq!(done(&mut world).len(), 2);
}

#[test]
fn a_vip_goes_where_it_is_for_now() {
    let mut world = world_of_names();
    let reached = |world: &mut World| {
        let told = std::iter::from_fn(|| world.announcer.poll_reached(|_| true));
        let told = told.map(|(index, vips)| (index, vips.keys().copied().collect::<Vec<_>>()));
        told.collect::<Vec<_>>()
    };
    world.run(ms(10));
    assert_eq!(reached(&mut world), [(1, vec![vip(2)]), (2, vec![vip(1)])]);
    world.take();
    // Nothing else changes, and it goes to its subnet.
    world.set.interfaces_of.remove(&vip(1));
    world.apply();
    assert_eq!(spoken_of(&mut world), [(vip(1), 1)].into());
    let told = [(1, vec![vip(1), vip(2)]), (2, vec![])];
    assert_eq!(reached(&mut world), told);
    world.hear(2, question(vip(1)));
    assert_eq!(done(&mut world), []);
    // One that is not announced any more is not announced by that.
    world.set.by_vip.remove(&vip(1));
    world.set.interfaces_of.insert(vip(1), eth2());
    world.apply();
    world.set.interfaces_of.remove(&vip(1));
    world.apply();
    world.run(ms(500));
    assert!(!spoken_of(&mut world).iter().any(|(of, _)| *of == vip(1)));
}

#[test]
fn interfaces_that_come_later_get_their_announcements_alone() {
    let mut world = World::new(NO_REFRESH);
    world.interfaces(&[interface(1, "192.0.2.1/24")]);
    world.announcer.handle_ready(1, world.now);
    world.wish(vip(1), 1);
    world.apply();
    world.run(ms(5000));
    world.take();
    let both = [
        interface(1, "192.0.2.1/24"),
        interface(2, "198.51.100.1/24"),
    ];
    world.interfaces(&both);
    world.run(ms(1000));
    assert_eq!(world.take(), [], "it is not ready");
    world.announcer.handle_ready(2, world.now);
    world.run(ms(5000));
    assert_eq!(world.announced(), [((vip(1), 2), burst(ms(6000)))].into());
    world.announcer.handle_lost(1, world.now);
    world.run(ms(10));
    world.announcer.handle_ready(1, world.now);
    world.run(ms(5000));
    assert_eq!(world.announced(), [((vip(1), 1), burst(ms(11_010)))].into());
}

#[test]
fn of_two_interfaces_on_a_segment_one_speaks() {
    let mut world = World::with_interface(NO_REFRESH);
    world.wish(vip(1), 1);
    world.apply();
    world.run(ms(5000));
    world.take();
    world.interfaces(&[interface(1, "10.0.0.1/8"), interface(2, "10.0.0.2/8")]);
    world.announcer.handle_ready(2, world.now);
    world.run(ms(5000));
    assert_eq!(world.take(), []);
    world.hear(2, question(vip(1)));
    assert_eq!(world.take(), []);
    world.announcer.handle_lost(1, world.now);
    world.run(ms(5000));
    assert_eq!(world.announced(), [((vip(1), 2), burst(ms(10_000)))].into());
    world.announcer.handle_ready(1, world.now);
    world.run(ms(5000));
    assert_eq!(world.announced(), [((vip(1), 1), burst(ms(15_000)))].into());
    world.hear(2, question(vip(1)));
    assert_eq!(world.take(), []);
}

#[test]
fn a_subnet_that_comes_later_moves_a_vip_there() {
    let mut world = World::new(NO_REFRESH);
    world.wish(vip(1), 1);
    world.interfaces(&[
        interface(1, "192.0.2.1/24"),
        interface(2, "198.51.100.1/24"),
    ]);
    world.announcer.handle_ready(1, world.now);
    world.announcer.handle_ready(2, world.now);
    world.run(ms(5000));
    assert_eq!(world.announced().len(), 2);
    world.interfaces(&[interface(1, "192.0.2.1/24"), interface(2, "10.0.0.2/8")]);
    world.run(ms(5000));
    assert!(
        world.announced().is_empty(),
        "it was announced there before"
    );
    assert!(world.announcer.announced(1).is_empty());
    assert_eq!(world.announcer.announced(2), [vip(1)]);
}

#[test]
fn questions_are_answered_for_what_is_announced_only() {
    let mut world = World::with_interface(NO_REFRESH);
    world.wish(vip(1), 1);
    world.apply();
    world.run(ms(5000));
    world.take();
    world.hear(1, question(vip(2)));
    world.hear(2, question(vip(1)));
    assert_eq!(world.take(), []);
    let asked = question(vip(1));
    world.hear(1, asked);
    let saying = Saying::Answer(asked.question.unwrap());
    let answer = Action::Say {
        interface: 1,
        saying,
    };
    assert_eq!(world.take(), [(ms(5000), answer)]);
    let own = Message {
        station: OWN,
        ..asked
    };
    world.hear(1, own);
    assert_eq!(world.take(), [], "what we say is no question to us");
}

#[test]
fn claims_of_others_are_conflicts_once_a_second() {
    let mut world = World::with_interface(NO_REFRESH);
    world.wish(vip(1), 1);
    world.set.watched.insert(vip(2));
    world.apply();
    world.run(ms(100));
    world.take();
    world.hear(1, claim(vip(1), OWN));
    world.hear(1, claim(vip(3), OTHER));
    world.hear(2, claim(vip(1), OTHER));
    assert_eq!(done(&mut world), []);
    for (address, station) in [
        (vip(1), OTHER),
        (vip(1), THIRD),
        (vip(2), OTHER),
        (vip(2), OTHER),
    ] {
        world.hear(1, claim(address, station));
    }
    let conflict = |vip, station| Action::Conflict {
        interface: 1,
        vip,
        station,
        mark: claim(vip, station).mark,
    };
    let told = [(vip(1), OTHER), (vip(1), THIRD), (vip(2), OTHER)];
    let told = told.map(|(vip, station)| conflict(vip, station));
    assert_eq!(done(&mut world), told);
    world.run(ms(1000));
    world.take();
    world.hear(1, claim(vip(1), OTHER));
    assert_eq!(done(&mut world), [conflict(vip(1), OTHER)]);
    for station in 10..100 {
        world.hear(1, claim(vip(1), MacAddress([2, 0, 0, 0, 1, station])));
    }
    assert_eq!(done(&mut world), [], "no flood");
}

#[test]
fn who_else_has_a_vip_is_asked_when_it_was_taken_and_nothing_waits_for_that() {
    let mut world = World::with_interface(NO_REFRESH);
    world.wish(vip(1), 1);
    world.apply();
    assert_eq!(world.announcer.applied(), Some(world.set.generation));
    world.run(ms(500));
    world.wish(vip(1), 2);
    world.apply();
    world.run(ms(5000));
    let asked = [1000, 2000].map(ms).to_vec();
    assert_eq!(world.probed(), [((vip(1), 1), asked)].into());
    world.wish(vip(1), 3);
    world.apply();
    world.run(ms(5000));
    assert_eq!(world.probed(), [].into(), "a defence provokes no answers");
    world.announcer.handle_lost(1, world.now);
    world.announcer.handle_ready(1, world.now);
    world.run(ms(500));
    world.set.by_vip.clear();
    world.apply();
    world.run(ms(5000));
    assert_eq!(world.probed(), [].into(), "it is not announced any more");
}

#[test]
fn a_host_that_answers_and_never_speaks_by_itself_is_a_conflict() {
    let mut world = World::with_interface(ms(60_000));
    world.wish(vip(1), 1);
    world.apply();
    let silent = Message {
        is_direct: true,
        ..claim(vip(1), OTHER)
    };
    let mut told = Vec::new();
    for _ in 0..130 {
        for (at, action) in world.take() {
            match action {
                Action::Say {
                    saying: Saying::Probe(_),
                    ..
                } => world.hear(1, silent),
                Action::Conflict { station: OTHER, .. } => told.push(at),
                other => assert!(matches!(other, Action::Say { .. }), "{other:?}"),
            }
        }
        world.run(ms(1000));
    }
    assert_eq!(told, [1000, 2000, 60_000, 120_000].map(ms));
}

#[test]
fn what_the_kernel_of_this_node_answers_is_no_conflict() {
    let mut world = World::with_interface(NO_REFRESH);
    let excluded = Interface {
        name: "docker0".into(),
        mac: Some(THIRD),
        ..interface(2, "10.1.0.1/16")
    };
    world.interfaces(&[interface(1, "10.0.0.1/8"), excluded]);
    world.wish(vip(1), 1);
    world.apply();
    world.run(ms(5000));
    world.take();
    world.hear(1, claim(vip(1), THIRD));
    assert_eq!(world.take(), []);
}

#[test]
fn who_else_has_ten_thousand_vips_is_asked_slowly() {
    let mut world = World::with_interface(NO_REFRESH);
    for last in 0..10_000 {
        world.wish(vip(last), 1);
    }
    world.apply();
    world.run(ms(10_000));
    let probed = world.probed();
    assert_eq!(probed.len(), 10_000);
    assert!(probed.values().all(|times| times.len() == 2));
    let mut all: Vec<Duration> = probed.into_values().flatten().collect();
    all.sort();
    for window in all.windows(101) {
        assert!(window[100] >= window[0] + ms(5), "more than 50 in 5 ms");
    }
    assert!(all.last() <= Some(&ms(4000)), "{:?}", all.last());
}

#[test]
fn watched_vips_are_asked_for_every_second() {
    let mut world = World::with_interface(NO_REFRESH);
    world.set.watched = [vip(1), vip(2)].into_iter().collect();
    world.apply();
    world.run(ms(9999));
    let mut asked = BTreeMap::new();
    for (_, action) in world.take() {
        match action {
            Action::Say {
                interface: 1,
                saying: Saying::Probe(vip),
            } => *asked.entry(vip).or_insert(0) += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(asked, [(vip(1), 10), (vip(2), 10)].into());
    world.set.watched.clear();
    world.apply();
    world.run(ms(5000));
    assert_eq!(world.take(), []);
    assert_eq!(world.announcer.poll_timeout(), None);
}

#[test]
fn many_are_paced_and_all_are_announced_before_any_is_repeated() {
    let mut world = World::with_interface(NO_REFRESH);
    for last in 0..10_000 {
        world.wish(vip(last), 1);
    }
    world.apply();
    let log: Vec<Duration> = {
        world.run(ms(10_000));
        let mut log: Vec<Duration> = world.announced().into_values().flatten().collect();
        log.sort();
        log
    };
    assert_eq!(log.len(), 50_000);
    assert!(log[9999] <= ms(100), "{:?}", log[9999]);
    for window in log.windows(1001) {
        assert!(window[1000] >= window[0] + ms(5), "more than 500 in 5 ms");
    }
    for window in log[10_000..].windows(101) {
        assert!(
            window[100] >= window[0] + ms(5),
            "more than 50 again in 5 ms"
        );
    }
    for times in world_of_many().values() {
        assert!(times[0] < ms(100) && times[1] >= ms(100));
        assert!(times[1] < ms(1300), "{times:?}");
    }
}

#[test]
fn repetitions_give_way_to_what_comes_in_portions() {
    let mut world = World::with_interface(NO_REFRESH);
    for portion in 0..10 {
        for last in 0..200 {
            world.wish(vip(portion * 200 + last), 1);
        }
        world.apply();
        world.run(ms(60));
    }
    world.run(ms(10_000));
    let announced = world.announced();
    assert_eq!(announced.len(), 2000);
    assert!(announced.values().all(|times| times.len() == 5));
    let count = |from: u64, to: u64| {
        let range = ms(from)..ms(to);
        let times = announced.values().flat_map(|times| &times[1..]);
        times.filter(|time| range.contains(time)).count()
    };
    // The last portion comes after 540 ms. A few are repeated all the time, and all soon after it.
    assert!((100..=650).contains(&count(0, 640)), "{}", count(0, 640));
    assert!(count(650, 900) > 2000, "{}", count(650, 900));
}

#[test]
fn repetitions_of_a_few_wait_for_nobody() {
    let mut world = World::with_interface(NO_REFRESH);
    for last in 0..20 {
        world.wish(vip(last), 1);
        world.apply();
        world.run(ms(40));
    }
    world.run(ms(3000));
    for times in world.announced().values() {
        assert_eq!(times.len(), 5);
        assert!(times[1] <= times[0] + ms(60), "{times:?}");
    }
}

fn world_of_many() -> BTreeMap<(IpAddr, u32), Vec<Duration>> {
    let mut world = World::with_interface(NO_REFRESH);
    for last in 0..10_000 {
        world.wish(vip(last), 1);
    }
    world.apply();
    world.run(ms(10_000));
    world.announced()
}

#[test]
fn a_generation_is_applied_when_all_of_it_was_announced_once() {
    let mut world = World::with_interface(NO_REFRESH);
    assert_eq!(world.announcer.applied(), Some(1));
    for last in 0..1200 {
        world.wish(vip(last), 1);
    }
    world.apply();
    assert_eq!(world.announcer.applied(), Some(1));
    world.wish(vip(5000), 1);
    world.apply();
    world.run(ms(5));
    assert_eq!(world.announcer.applied(), Some(1));
    world.run(ms(5));
    assert_eq!(world.announcer.applied(), Some(3));
}

#[test]
fn the_refresh_is_spread_over_the_interval() {
    let mut world = World::with_interface(ms(60_000));
    for last in 0..300 {
        world.wish(vip(last), 1);
    }
    world.apply();
    world.run(ms(59_000));
    world.take();
    world.run(ms(61_000));
    world.take();
    world.run(ms(60_000));
    let times = world.announced();
    assert_eq!(times.len(), 300);
    assert!(times.values().all(|times| (1..=2).contains(&times.len())));
    let mut all: Vec<Duration> = times.into_values().flatten().collect();
    all.sort();
    for window in all.windows(4) {
        assert!(window[3] >= window[0] + ms(400), "{window:?}");
    }
}

#[test]
fn addresses_of_the_other_family_are_left_alone() {
    let mut world = World::with_interface(ms(100));
    let other: IpAddr = "2001:db8::1".parse().unwrap();
    world.wish(other, 1);
    world.set.watched.insert(other);
    world.apply();
    world.run(ms(3000));
    assert_eq!(world.take(), []);
    assert_eq!(world.announcer.wished(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Wish(u32, u64),
    Unwish(u32),
    Ready(u32),
    Lost(u32),
    Interfaces(u8),
    Run(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..8_u32, 0..3_u64).prop_map(|(vip, round)| Step::Wish(vip, round)),
        (0..8_u32).prop_map(Step::Unwish),
        (1..4_u32).prop_map(Step::Ready),
        (1..4_u32).prop_map(Step::Lost),
        (0..8_u8).prop_map(Step::Interfaces),
        (0..3000_u64).prop_map(Step::Run),
    ]
}

proptest! {
    /// Whatever happens: what is answered is what is wished on ready interfaces that fit, listening
    /// goes along with it, and after a while everything is applied and there is rest.
    #[test]
    fn answers_follow_the_wish(steps in prop::collection::vec(step(), 0..40)) {
        let mut world = World::new(NO_REFRESH);
        let mut ready = BTreeSet::new();
        for step in steps {
            match step {
                Step::Wish(last, round) => world.wish(vip(last), round),
                Step::Unwish(last) => {
                    world.set.by_vip.remove(&vip(last));
                }
                Step::Ready(index) => {
                    ready.insert(index);
                    world.announcer.handle_ready(index, world.now);
                }
                Step::Lost(index) => {
                    ready.remove(&index);
                    world.announcer.handle_lost(index, world.now);
                }
                Step::Interfaces(bits) => {
                    let subnets = ["10.0.0.1/30", "10.0.0.5/30", "192.0.2.1/24"];
                    let all: Vec<Interface> = (1..4_u32)
                        .zip(subnets)
                        .filter(|(index, _)| bits & 1 << (index - 1) != 0)
                        .map(|(index, subnet)| interface(index, subnet))
                        .collect();
                    world.interfaces(&all);
                }
                Step::Run(milliseconds) => world.run(ms(milliseconds)),
            }
            world.apply();
        }
        world.apply();
        world.run(ms(3000));
        prop_assert_eq!(world.announcer.applied(), Some(world.set.generation));
        prop_assert_eq!(world.announcer.poll_timeout(), None);
        let mut listening = BTreeSet::new();
        for change in std::mem::take(&mut world.listening) {
            let place = (change.vip, change.interface);
            let is_change = if change.wanted {
                listening.insert(place)
            } else {
                listening.remove(&place)
            };
            prop_assert!(is_change);
        }
        for (_, action) in world.take() {
            let is_to_all = matches!(
                action,
                Action::Say {
                    saying: Saying::Announcement(_) | Saying::Probe(_),
                    ..
                }
            );
            prop_assert!(is_to_all);
        }
        for last in 0..8 {
            let wished = world.set.by_vip.contains_key(&vip(last));
            let ready = |one: &Interface| ready.contains(&one.index);
            let of_vip = world.set.interfaces.of_vip(vip(last), None, ready);
            let of_vip: BTreeSet<u32> = of_vip.iter().map(|one| one.index).collect();
            for index in 1..4 {
                let expected = wished && of_vip.contains(&index);
                world.hear(index, question(vip(last)));
                prop_assert_eq!(world.take().len(), usize::from(expected));
                prop_assert_eq!(listening.contains(&(vip(last), index)), expected);
            }
        }
    }
}

/// That stations are to be asked for a VIP.
fn ask(world: &mut World, vip: IpAddr, stations: &[MacAddress], respondent: Respondent) {
    let stations = stations.iter().copied().collect();
    let asked = Asked {
        stations,
        respondent,
        round: 0,
    };
    world.set.asked.insert(vip, Arc::new(asked));
    world.apply();
}

/// The times of the questions to a station, and what was found out.
fn asked(world: &mut World, of: MacAddress) -> (Vec<Duration>, Vec<(Duration, bool)>) {
    let (mut questions, mut found) = (Vec::new(), Vec::new());
    for (at, action) in world.take() {
        match action {
            Action::Say {
                saying: Saying::Inquiry(_, station, _),
                ..
            } if station == of => questions.push(at),
            Action::Tell(BackendEvent::Answered { station, .. }) if station == of => {
                found.push((at, true));
            }
            Action::Tell(BackendEvent::Unanswered { station, .. }) if station == of => {
                found.push((at, false));
            }
            Action::Say { .. } | Action::Tell(_) | Action::Conflict { .. } => {}
        }
    }
    (questions, found)
}

fn answer(vip: IpAddr, station: MacAddress) -> Message {
    Message {
        is_direct: true,
        mark: Some(Mark::of("other", 1)),
        ..claim(vip, station)
    }
}

#[test]
fn a_station_that_does_not_answer_is_found_silent_within_a_tenth_of_a_second() {
    let mut world = World::with_interface(NO_REFRESH);
    ask(&mut world, vip(1), &[OTHER], Respondent::Daemon);
    world.run(ms(300));
    let (questions, found) = asked(&mut world, OTHER);
    assert_eq!(questions[..6], [0, 20, 40, 60, 80, 100].map(ms));
    assert_eq!(found, [(ms(100), false)], "once");
    world.hear_answer(vip(1), OTHER);
    world.hear_answer(vip(1), OTHER);
    assert_eq!(
        asked(&mut world, OTHER).1,
        [],
        "one question is answered once"
    );
    world.run(ms(5));
    world.hear_answer(vip(1), OTHER);
    assert_eq!(asked(&mut world, OTHER).1, [(ms(305), true)]);
}

#[test]
fn who_is_asked_anew_is_asked_at_once_and_has_to_answer_anew() {
    for answers in [true, false] {
        let mut world = World::with_interface(NO_REFRESH);
        ask(&mut world, vip(1), &[OTHER], Respondent::Daemon);
        for _ in 0..2 {
            world.hear_answer(vip(1), OTHER);
            world.run(ms(5));
        }
        assert_eq!(asked(&mut world, OTHER).1, [(ms(5), true)]);
        world.run(ms(20));
        let anew = Asked {
            round: 1,
            ..Asked::clone(&world.set.asked[&vip(1)])
        };
        world.set.asked.insert(vip(1), Arc::new(anew));
        world.apply();
        if answers {
            world.hear_answer(vip(1), OTHER);
        }
        world.run(ms(110));
        let (questions, found) = asked(&mut world, OTHER);
        assert_eq!(questions[0], ms(30));
        let at = if answers { ms(30) } else { ms(130) };
        assert_eq!(found[0], (at, answers));
    }
}

#[test]
fn only_an_answer_of_the_station_itself_counts() {
    let mut world = World::with_interface(NO_REFRESH);
    ask(&mut world, vip(1), &[OTHER], Respondent::Daemon);
    let answer = answer(vip(1), OTHER);
    let to_all = Message {
        is_direct: false,
        ..answer
    };
    let of_a_kernel = Message {
        mark: None,
        ..answer
    };
    let of_another = Message {
        station: THIRD,
        ..answer
    };
    for _ in 0..10 {
        for message in [to_all, of_a_kernel, of_another] {
            world.hear(1, message);
        }
        world.run(ms(15));
    }
    assert_eq!(asked(&mut world, OTHER).1, [(ms(100), false)]);
    ask(&mut world, vip(2), &[OTHER], Respondent::Host);
    let kernel = Message {
        claim: Some(vip(2)),
        ..of_a_kernel
    };
    world.hear(1, kernel);
    assert_eq!(asked(&mut world, OTHER).1, [(ms(150), true)]);
}

/// Neither after a pause, in which answers have come in that are not read yet, nor while nothing may be
/// said does it count against anybody that it has not answered.
#[test]
fn what_could_not_be_asked_or_read_counts_against_nobody() {
    let mut world = World::with_interface(NO_REFRESH);
    ask(&mut world, vip(1), &[OTHER], Respondent::Daemon);
    for _ in 0..2 {
        world.hear_answer(vip(1), OTHER);
        world.run(ms(5));
    }
    assert_eq!(asked(&mut world, OTHER).1.len(), 1);
    world.announcer.set_mute(true);
    world.run(ms(700));
    world.announcer.set_mute(false);
    world.run(ms(10));
    world.hear_answer(vip(1), OTHER);
    world.run(ms(10));
    assert_eq!(asked(&mut world, OTHER).1, []);
    world.run(ms(90));
    world.now += ms(300);
    world.announcer.handle_timeout(world.now);
    world.hear_answer(vip(1), OTHER);
    world.run(ms(10));
    assert_eq!(asked(&mut world, OTHER).1, []);
    world.run(ms(400));
    let [(_, has_answered)] = asked(&mut world, OTHER).1[..] else {
        panic!("it is silent");
    };
    assert!(!has_answered);
}

#[test]
fn who_does_not_get_the_question_cannot_answer_it() {
    let mut world = World::with_interface(NO_REFRESH);
    ask(&mut world, vip(1), &[OTHER], Respondent::Daemon);
    let mut questions = 0;
    for step in 0..2000 {
        let right = world.nonces[&(vip(1), OTHER)];
        for nonce in [0, 1, step, right.wrapping_add(1)] {
            let blind = Message {
                nonce,
                ..answer(vip(1), OTHER)
            };
            world.hear(1, blind);
        }
        world.run(ms(1));
        let (asked, found) = asked(&mut world, OTHER);
        questions += asked.len();
        assert!(found.iter().all(|(_, has_answered)| !has_answered));
    }
    assert!(questions > 30);
    ask(&mut world, vip(2), &[OTHER], Respondent::FormerDaemon);
    for _ in 0..2 {
        world.hear(1, answer(vip(2), OTHER));
        world.run(ms(5));
    }
    assert!(asked(&mut world, OTHER).1.iter().any(|(_, has)| *has));
}

/// Of the questions, answers so many in a row, and then not so many.
fn answers_in_part(answered: usize, of: usize) -> Vec<bool> {
    let mut world = World::with_interface(NO_REFRESH);
    ask(&mut world, vip(1), &[OTHER], Respondent::Daemon);
    let (mut count, mut all) = (0, Vec::new());
    for _ in 0..3000 {
        let (questions, found) = asked(&mut world, OTHER);
        all.extend(found.iter().map(|(_, has_answered)| *has_answered));
        if !questions.is_empty() {
            count += 1;
            if count % of < answered {
                world.hear_answer(vip(1), OTHER);
            }
        }
        world.run(ms(1));
    }
    all
}

#[test]
fn who_answers_few_questions_does_not_answer() {
    assert_eq!(answers_in_part(1, 2), [false], "never two in a row");
    let third = answers_in_part(2, 6);
    assert!(third.len() > 4, "silent again and again: {third:?}");
    assert_eq!(answers_in_part(4, 5), [true]);
}

#[test]
fn the_end_of_answers_is_found_within_a_fifth_of_a_second() {
    for last in [0, 7, 23, 49, 50, 77] {
        let mut world = World::with_interface(NO_REFRESH);
        ask(&mut world, vip(1), &[OTHER], Respondent::Daemon);
        let end = world.start + ms(1000 + last);
        while world.now < end {
            let (questions, _) = asked(&mut world, OTHER);
            if !questions.is_empty() {
                world.hear_answer(vip(1), OTHER);
            }
            world.run(ms(1));
        }
        world.take();
        world.run(ms(500));
        let (_, found) = asked(&mut world, OTHER);
        assert_eq!(found.len(), 1);
        let (at, has_answered) = found[0];
        assert!(!has_answered && at <= ms(1000 + last + 160), "{at:?}");
    }
}

#[test]
fn a_lost_answer_is_no_silence() {
    let mut world = World::with_interface(NO_REFRESH);
    ask(&mut world, vip(1), &[OTHER], Respondent::Daemon);
    let mut count = 0;
    for _ in 0..5000 {
        let (questions, found) = asked(&mut world, OTHER);
        assert!(found.iter().all(|(_, has_answered)| *has_answered));
        count += questions.len();
        if !questions.is_empty() && count % 3 != 0 {
            world.hear_answer(vip(1), OTHER);
        }
        world.run(ms(1));
    }
    assert!(count > 100);
}

#[test]
fn ten_thousand_addresses_are_asked_for_slowly_and_their_silence_is_found_fast() {
    let mut world = World::with_interface(NO_REFRESH);
    let stations = BTreeSet::from([OTHER]);
    let asked = Arc::new(Asked {
        stations,
        respondent: Respondent::Daemon,
        round: 0,
    });
    for number in 0..10_000 {
        world.set.asked.insert(vip(number), asked.clone());
    }
    world.apply();
    let mut count = 0;
    for _ in 0..8000 {
        for (_, action) in world.take() {
            if let Action::Say {
                saying: Saying::Inquiry(address, station, _),
                ..
            } = action
            {
                count += 1;
                world.hear_answer(address, station);
            }
        }
        world.run(ms(1));
    }
    assert!(count < 30_000, "{count} questions in 8 s");
    world.take();
    world.run(ms(150));
    let actions = world.take();
    let is_silent = |(_, action): &&(_, Action)| {
        matches!(action, Action::Tell(BackendEvent::Unanswered { .. }))
    };
    assert_eq!(actions.iter().filter(is_silent).count(), 10_000);
}

#[test]
fn others_are_heard_while_any_is_asked_or_a_vip_is_watched() {
    let ask = |world: &mut World| ask(world, vip(2), &[OTHER], Respondent::Daemon);
    let watch = |world: &mut World| {
        world.set.watched.insert(vip(2));
        world.apply();
    };
    for begin in [ask as fn(&mut World), watch] {
        let mut world = World::with_interface(NO_REFRESH);
        world.wish(vip(1), 1);
        world.apply();
        world.hear(1, question(vip(9)));
        let heard = |world: &mut World| {
            let actions = world.take();
            let heard = Action::Tell(BackendEvent::Heard { interface: 1 });
            actions.iter().filter(|(_, one)| *one == heard).count()
        };
        assert_eq!(heard(&mut world), 0);
        begin(&mut world);
        for _ in 0..100 {
            world.hear(1, question(vip(9)));
            world.run(ms(1));
        }
        assert_eq!(heard(&mut world), 2, "in a tenth of a second");
    }
}

#[test]
fn who_stood_still_repeats_nothing_until_others_could_tell() {
    let mut world = World::with_interface(ms(1000));
    world.wish(vip(1), 1);
    world.apply();
    world.run(ms(5000));
    world.take();
    world.now += ms(2000);
    let resumed = world.now;
    world.run(ms(450));
    assert_eq!(world.announced(), BTreeMap::new());
    world.wish(vip(2), 2);
    world.apply();
    assert_eq!(world.announced().len(), 1, "what is new is not put off");
    world.run(ms(1200));
    assert!(world.announced().contains_key(&(vip(1), 1)));
    assert!(world.now > resumed);
}

#[test]
fn frames_about_ten_thousand_vips_are_no_flood_of_conflicts() {
    let mut world = World::with_interface(NO_REFRESH);
    for number in 1..10_000 {
        world.wish(vip(number), 1);
    }
    world.apply();
    world.run(ms(5000));
    world.take();
    for number in 1..10_000 {
        world.hear(1, claim(vip(number), OTHER));
    }
    assert_eq!(world.take().len(), 100);
    world.run(ms(50));
    world.hear(1, claim(vip(200), OTHER));
    assert_eq!(world.take().len(), 1);
}

#[test]
fn what_is_announced_on_an_interface_is_told_at_once_and_not_for_each_vip() {
    let mut world = World::with_interface(NO_REFRESH);
    for number in 1..=2000 {
        world.wish(vip(number), 1);
    }
    world.apply();
    let told = |world: &mut World, is_on_wire| world.announcer.poll_reached(|_| is_on_wire);
    assert_eq!(told(&mut world, true), None, "most wait to be announced");
    world.run(ms(100));
    assert_eq!(told(&mut world, false), None);
    assert_eq!(told(&mut world, true), Some((1, world.set.by_vip.clone())));
    world.wish(vip(1), 1);
    world.apply();
    world.run(ms(5000));
    assert_eq!(told(&mut world, true), None, "repetitions are no news");

    world.set.by_vip.remove(&vip(1));
    world.wish(vip(2), 7);
    world.apply();
    assert_eq!(told(&mut world, true), Some((1, world.set.by_vip.clone())));
    world.announcer.handle_lost(1, world.now);
    assert_eq!(told(&mut world, true), Some((1, Announcements::new())));
    world.announcer.handle_ready(1, world.now);
    assert_eq!(told(&mut world, true), None);
    world.run(ms(100));
    assert_eq!(told(&mut world, true), Some((1, world.set.by_vip.clone())));
}
