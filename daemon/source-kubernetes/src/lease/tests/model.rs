//! Several daemons, one API server that is slow and loses answers, and clocks that differ.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;

/// A daemon. All times are milliseconds of true time, unless they are its clock's.
struct Daemon {
    lease: Lease,
    /// Its clock: where it began and its rate, in thousandths.
    epoch: Instant,
    rate: u64,
    /// The request that it waits for, and until when.
    waiting: Option<(u64, u64)>,
    leaves: bool,
    watch: VecDeque<(u64, Option<StoredLease>)>,
}

impl Daemon {
    fn clock(&self, now: u64) -> Instant {
        self.epoch + Duration::from_millis(now * self.rate / 1000)
    }

    fn holds(&self, now: u64) -> bool {
        let until = self.lease.holds_until();
        until.is_some_and(|until| self.clock(now) < until)
    }
}

enum Message {
    Request(Request),
    Answer(LeaseAnswer),
}

struct World {
    random: Jitter,
    now: u64,
    daemons: Vec<Daemon>,
    /// Numbers for daemons, requests and messages.
    count: u64,
    stored: Option<StoredLease>,
    version: u64,
    /// What is under way: when it arrives, for which daemon and which of its requests.
    messages: BTreeMap<(u64, u64), (usize, u64, Message)>,
    /// The API server and the network are well.
    is_well: bool,
}

impl World {
    fn new(seed: u64, daemons: usize) -> Self {
        let mut world = Self {
            random: Jitter::new(seed),
            now: 0,
            daemons: Vec::new(),
            count: 0,
            stored: None,
            version: 0,
            messages: BTreeMap::new(),
            is_well: true,
        };
        for _ in 0..daemons {
            let daemon = world.start();
            world.daemons.push(daemon);
        }
        world
    }

    fn below(&mut self, limit: u64) -> u64 {
        let limit = Duration::from_millis(limit);
        u64::try_from(self.random.below(limit).as_millis()).unwrap()
    }

    fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in * 1000) < 1000
    }

    fn number(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    fn start(&mut self) -> Daemon {
        let number = self.number();
        let seen = self
            .stored
            .clone()
            .map(|stored| (self.now + 300, Some(stored)));
        let mut daemon = Daemon {
            lease: Lease::new(String::new(), Jitter::new(number), Instant::now()),
            epoch: Instant::now(),
            rate: 950 + self.below(100),
            waiting: None,
            leaves: false,
            watch: seen.into_iter().collect(),
        };
        let now = daemon.clock(self.now);
        daemon.lease = Lease::new(format!("daemon_{number}"), Jitter::new(number), now);
        daemon
    }

    fn delay(&mut self) -> u64 {
        if self.is_well {
            1 + self.below(50)
        } else if self.chance(2) {
            1 + self.below(3_000)
        } else {
            1 + self.below(40_000)
        }
    }

    fn send(&mut self, daemon: usize, request: u64, message: Message) {
        if self.is_well || !self.chance(3) {
            let at = self.now + self.delay();
            let number = self.number();
            let message = (daemon, request, message);
            self.messages.insert((at, number), message);
        }
    }

    fn put(&mut self, record: Record) -> StoredLease {
        self.version += 1;
        let stored = StoredLease {
            version: self.version.to_string(),
            record,
        };
        self.stored = Some(stored.clone());
        for n in 0..self.daemons.len() {
            let delay = self.delay();
            let watch = &mut self.daemons[n].watch;
            let last = watch.back().map_or(0, |(at, _)| *at);
            watch.push_back((last.max(self.now + delay), Some(stored.clone())));
        }
        stored
    }

    fn serve(&mut self, request: Request) -> LeaseAnswer {
        let current = self.stored.as_ref().map(|stored| stored.version.clone());
        match request {
            Request::Read => LeaseAnswer::Is(self.stored.clone()),
            Request::Write(version, record) if version == current => {
                LeaseAnswer::Is(Some(self.put(record)))
            }
            Request::Write(_, _) => LeaseAnswer::Conflict,
        }
    }

    /// One millisecond.
    fn step(&mut self) {
        self.now += 1;
        while let Some(first) = self.messages.first_entry()
            && first.key().0 <= self.now
        {
            let (daemon, number, message) = first.remove();
            self.deliver(daemon, number, message);
        }
        for n in 0..self.daemons.len() {
            self.move_on(n);
        }
        let holders = self.daemons.iter().filter(|daemon| daemon.holds(self.now));
        assert!(holders.count() <= 1, "two hold the Lease at {}", self.now);
    }

    fn deliver(&mut self, n: usize, number: u64, message: Message) {
        match message {
            Message::Request(request) => {
                let answer = self.serve(request);
                self.send(n, number, Message::Answer(answer));
            }
            Message::Answer(answer) => {
                let daemon = &mut self.daemons[n];
                if daemon
                    .waiting
                    .take_if(|(waiting, _)| *waiting == number)
                    .is_some()
                {
                    let now = daemon.clock(self.now);
                    daemon.lease.answered(answer, now);
                }
            }
        }
    }

    fn move_on(&mut self, n: usize) {
        let daemon = &mut self.daemons[n];
        let now = daemon.clock(self.now);
        while daemon.watch.front().is_some_and(|(at, _)| *at <= self.now) {
            let (_, seen) = daemon.watch.pop_front().unwrap();
            daemon.lease.seen(seen, now);
        }
        if daemon
            .waiting
            .take_if(|(_, until)| *until <= self.now)
            .is_some()
        {
            daemon.lease.answered(LeaseAnswer::Failed, now);
        }
        let wall = wall(i64::try_from(self.now * 1000).unwrap());
        let is_due = daemon.lease.due().is_some_and(|due| due <= now);
        if is_due && let Some(request) = daemon.lease.poll(now, wall) {
            assert_eq!(daemon.waiting, None, "two requests at once");
            // In milliseconds, as all here.
            let until = self.now + u64::try_from(PATIENCE.as_millis()).unwrap();
            let number = self.number();
            self.daemons[n].waiting = Some((number, until));
            self.send(n, number, Message::Request(request));
        }
    }

    /// Something that happens to clusters.
    fn disturb(&mut self) {
        let n = usize::try_from(self.below(1000)).unwrap() % self.daemons.len();
        match self.below(7) {
            0 => self.is_well = false,
            1 => self.is_well = true,
            2 if !self.daemons[n].leaves => {
                let now = self.daemons[n].clock(self.now);
                self.daemons[n].leaves = true;
                self.daemons[n].lease.release(now);
            }
            // Killed, and started again.
            2..=4 => self.daemons[n] = self.start(),
            5 => {
                self.put(of("thief"));
            }
            _ => {
                if let Some(stored) = self.stored.clone() {
                    self.put(stored.record);
                }
            }
        }
    }

    fn run(&mut self, millis: u64) {
        for _ in 0..millis {
            self.step();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    /// At most one holds the Lease, whatever happens; and when the API server is well again,
    /// somebody does within a record's duration and the time to notice.
    #[test]
    fn one_holds_it_and_before_long_somebody_does(seed: u64, daemons in 1_usize..5) {
        let mut world = World::new(seed, daemons);
        for _ in 0..12 {
            let time = world.below(12_000);
            world.run(time);
            world.disturb();
        }
        world.is_well = true;
        for n in 0..world.daemons.len() {
            if world.daemons[n].leaves {
                world.daemons[n] = world.start();
            }
        }
        // What is under way takes this long to arrive, and may be one more record to wait for.
        world.run(45_000);
        let duration = u64::try_from(DURATION.as_millis()).unwrap();
        let mut held = false;
        for _ in 0..duration * 2 {
            world.step();
            held |= world.daemons.iter().any(|daemon| daemon.holds(world.now));
        }
        prop_assert!(held, "nobody holds the Lease: {:?}", world.stored);
        let before = world.version;
        world.run(60_000);
        let writes = world.version - before;
        prop_assert!((19..=21).contains(&writes), "{writes} writes in a minute");
    }
}
