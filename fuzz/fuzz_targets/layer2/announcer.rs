//! Frames of other stations, one after the other, as an announcer takes them in: whatever their marks
//! and senders say, it answers for what it announces, believes only those that it asked, and tells of
//! conflicts about its VIPs alone, and seldom.
#![no_main]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_backend_arp::Arp;
use carillon_backend_ndp::Ndp;
use carillon_core::address::Family;
use carillon_core::announcement::{Announcement, AnnouncementSet, Asked, Respondent};
use carillon_core::backend::BackendEvent;
use carillon_core::interface::{Exclusion, Interface, Interfaces, MacAddress};
use carillon_core::mark::Mark;
use carillon_core::node::Node;
use carillon_core::testing::{announcement, interface};
use carillon_layer2::announcer::Action;
use carillon_layer2::{Announcer, Asker, Link, Message, Protocol, Question, Saying};
use libfuzzer_sys::fuzz_target;

const OWN: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
const OTHER: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);
const INTERFACE: u32 = 1;

fuzz_target!(|input: &[u8]| {
    match input.split_first() {
        Some((choice, rest)) if choice & 1 == 0 => {
            World::<Arp>::new(IpAddr::from([192, 0, 2, 0])).run(rest)
        }
        Some((_, rest)) => {
            let base: IpAddr = "2001:db8::".parse().expect("an address");
            World::<Ndp>::new(base).run(rest);
        }
        None => {}
    }
});

struct World<P> {
    announcer: Announcer,
    link: Link,
    base: IpAddr,
    now: Instant,
    begun: Instant,
    conflicts: BTreeMap<(IpAddr, bool), u32>,
    protocol: std::marker::PhantomData<P>,
}

fn nth(base: IpAddr, last: u8) -> IpAddr {
    match base {
        IpAddr::V4(base) => IpAddr::from((base.to_bits() + u32::from(last)).to_be_bytes()),
        IpAddr::V6(base) => IpAddr::from((base.to_bits() + u128::from(last)).to_be_bytes()),
    }
}

impl<P: Protocol> World<P> {
    /// It announces 1 and 2, watches 3, and asks another station for 4, and its host for 5.
    fn new(base: IpAddr) -> Self {
        let subnet = if base.is_ipv4() {
            "192.0.2.9/24"
        } else {
            "2001:db8::9/64"
        };
        let interface = Interface {
            mac: Some(OWN),
            ..interface(INTERFACE, "eth0", &[subnet, "fe80::1/64"])
        };
        let link = P::link(&interface).expect("it is usable");
        let mut set = AnnouncementSet::empty(Arc::new(Node::named("node")));
        set.generation = 1;
        set.interfaces = Arc::new(Interfaces::usable(&[interface], &Exclusion::default()));
        for last in [1, 2] {
            let announcement = Announcement {
                round: 1,
                ..announcement("pool")
            };
            set.by_vip.insert(nth(base, last), Arc::new(announcement));
        }
        set.watched.insert(nth(base, 3));
        for (last, respondent) in [(4, Respondent::Daemon), (5, Respondent::Host)] {
            let asked = Asked {
                stations: [OTHER].into(),
                respondent,
                round: 0,
            };
            set.asked.insert(nth(base, last), Arc::new(asked));
        }
        let now = Instant::now();
        let mut announcer = Announcer::new(Family::of(base), Duration::from_secs(60), [7; 32]);
        announcer.handle_ready(INTERFACE, now);
        announcer.handle_set(&set, now);
        Self {
            announcer,
            link,
            base,
            now,
            begun: now,
            conflicts: BTreeMap::new(),
            protocol: std::marker::PhantomData,
        }
    }

    fn run(mut self, mut input: &[u8]) {
        while let [step, pause, rest @ ..] = input {
            self.now += Duration::from_millis(u64::from(*pause) * 4);
            self.announcer.handle_timeout(self.now);
            self.look(None);
            let length = usize::from(step >> 2).min(rest.len());
            let (octets, after) = rest.split_at(length);
            input = after;
            match step & 3 {
                0 => self.hear(octets),
                step => self.compose(step, octets),
            }
        }
    }

    /// A frame as a station would make it, with some octets replaced.
    fn compose(&mut self, kind: u8, octets: &[u8]) {
        let [station, last, run, patch @ ..] = octets else {
            return;
        };
        let mac = MacAddress([2, 0, 0, 0, 0, station % 4]);
        let vip = nth(self.base, last % 8);
        let saying = match kind {
            1 => Saying::Announcement(vip),
            2 => Saying::Probe(vip),
            _ => Saying::Answer(Question {
                target: vip,
                asker: Asker {
                    mac: OWN,
                    address: self.link.source,
                },
                nonce: u32::from(*run),
            }),
        };
        let mark = Mark::of("other", u64::from(*run));
        let mut frames = Vec::new();
        P::encode(saying, Link { mac, ..self.link }, mark, &mut |frame| {
            frames.push(frame.to_vec())
        });
        for mut frame in frames {
            for place in patch.chunks_exact(2) {
                if let Some(octet) = frame.get_mut(usize::from(place[0])) {
                    *octet = place[1];
                }
            }
            self.hear(&frame);
        }
    }

    fn hear(&mut self, frame: &[u8]) {
        if let Some(message) = P::decode(frame) {
            self.announcer.handle_message(INTERFACE, &message, self.now);
            self.look(Some(&message));
        }
    }

    /// Takes what is to be done, of which no more may follow from a frame than these things.
    fn look(&mut self, heard: Option<&Message>) {
        let mut answers = 0;
        while let Some(action) = self.announcer.poll_action() {
            match action {
                Action::Say { interface, saying } => {
                    assert_eq!(interface, INTERFACE);
                    answers += u32::from(matches!(saying, Saying::Answer(_)));
                }
                Action::Conflict {
                    vip, station, mark, ..
                } => {
                    let heard = heard.expect("somebody says so");
                    assert_eq!(
                        (Some(vip), station, mark),
                        (heard.claim, heard.station, heard.mark)
                    );
                    assert!(station != OWN && (1..=3).any(|last| nth(self.base, last) == vip));
                    *self.conflicts.entry((vip, mark.is_some())).or_default() += 1;
                }
                Action::Tell(BackendEvent::Answered { vip, station }) => {
                    let is_marked = heard.is_some_and(|heard| heard.mark.is_some());
                    let is_daemon = vip == nth(self.base, 4) && is_marked;
                    assert!(station == OTHER && (is_daemon || vip == nth(self.base, 5)));
                }
                Action::Tell(BackendEvent::Unanswered { station, .. }) => {
                    assert_eq!(station, OTHER)
                }
                Action::Tell(event) => assert_eq!(
                    event,
                    BackendEvent::Heard {
                        interface: INTERFACE
                    }
                ),
            }
        }
        let question = heard
            .filter(|heard| heard.station != OWN)
            .and_then(|heard| heard.question);
        let is_ours = |target| target == nth(self.base, 1) || target == nth(self.base, 2);
        let expected = question.is_some_and(|question| is_ours(question.target));
        assert_eq!(answers, u32::from(expected));
        let seconds = (self.now - self.begun).as_secs() + 1;
        assert!(
            self.conflicts
                .values()
                .all(|count| u64::from(*count) <= seconds)
        );
    }
}
