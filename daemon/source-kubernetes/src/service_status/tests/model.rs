//! Several daemons, one API server, and everything that can come between them.

use proptest::prelude::*;

use super::*;

const SERVICES: usize = 6;
const DAEMONS: usize = 3;

/// A write that is under way.
struct Flight {
    daemon: usize,
    /// Which start of the daemon has sent it.
    start: u32,
    write: StatusWrite,
    /// The daemon has given up waiting.
    is_given_up: bool,
}

struct Peer {
    daemon: Daemon,
    start: u32,
    /// How much of the history it has been told.
    told: usize,
    leads: bool,
}

struct World {
    random: Jitter,
    now: Instant,
    version: u32,
    objects: BTreeMap<ServiceKey, Object>,
    /// Every version of every object, in order; `None`: it is gone.
    history: Vec<(ServiceKey, Option<Object>)>,
    peers: Vec<Peer>,
    flights: Vec<Flight>,
    starts: u32,
    written: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            random: Jitter::new(seed),
            now: Instant::now(),
            version: 0,
            objects: BTreeMap::new(),
            history: Vec::new(),
            peers: Vec::new(),
            flights: Vec::new(),
            starts: 0,
            written: 0,
        };
        for _ in 0..DAEMONS {
            let peer = world.start();
            world.peers.push(peer);
        }
        world
    }

    fn below(&mut self, limit: usize) -> usize {
        let limit = Duration::from_millis(1000 * u64::try_from(limit).unwrap());
        usize::try_from(self.random.below(limit).as_millis() / 1000).unwrap()
    }

    /// A daemon that has just listed everything.
    fn start(&mut self) -> Peer {
        self.starts += 1;
        let mut daemon = Daemon::new(self.starts.into());
        for object in self.objects.values() {
            daemon.read(object, self.now);
        }
        daemon.allocation.synced(self.now);
        daemon.decide(self.now);
        Peer {
            daemon,
            start: self.starts,
            told: self.history.len(),
            leads: false,
        }
    }

    fn store(&mut self, key: &ServiceKey, change: impl FnOnce(&mut Object)) {
        let mut object = self.objects[key].clone();
        change(&mut object);
        self.version += 1;
        object.stored.resource_version = self.version.to_string().into();
        self.history.push((key.clone(), Some(object.clone())));
        self.objects.insert(key.clone(), object);
    }

    /// Tells a daemon up to so many versions.
    fn tell(&mut self, n: usize, versions: usize) {
        let peer = &mut self.peers[n];
        for (key, object) in self.history.iter().skip(peer.told).take(versions) {
            peer.told += 1;
            if let Some(object) = object {
                peer.daemon.read(object, self.now);
            } else {
                peer.daemon.allocation.remove(key);
            }
        }
        self.collect(n);
    }

    fn collect(&mut self, n: usize) {
        let peer = &mut self.peers[n];
        peer.daemon.decide(self.now);
        while let Ok(write) = peer.daemon.writes.try_recv() {
            assert!(peer.leads, "one who does not lead writes");
            let flight = Flight {
                daemon: n,
                start: peer.start,
                write,
                is_given_up: false,
            };
            self.flights.push(flight);
        }
        while peer.daemon.notices.try_recv().is_ok() {}
    }

    fn answer(&mut self, flight: &Flight, outcome: Outcome) {
        let peer = &mut self.peers[flight.daemon];
        if !flight.is_given_up && peer.start == flight.start {
            peer.daemon.answer(&flight.write, outcome, self.now);
        }
        self.collect(flight.daemon);
    }

    /// The API server takes in a write.
    fn apply(&mut self, n: usize, is_answer_lost: bool) {
        let flight = self.flights.swap_remove(n);
        let StatusWrite {
            service,
            version,
            addresses,
            pool,
        } = flight.write.clone();
        let known = self
            .objects
            .get(&service)
            .map(|object| &object.stored.resource_version);
        let outcome = match known {
            None => Outcome::Gone,
            Some(known) if *known != version => Outcome::Conflict,
            Some(_) => {
                self.written += 1;
                self.store(&service, |object| {
                    let addresses = addresses.iter().map(|(address, _)| *address);
                    object.service.publish(addresses.map(Ingress::Address));
                    object.stored.pool = pool.as_deref().map(Into::into);
                });
                Outcome::Written
            }
        };
        let lost = Outcome::Failed("lost".to_owned());
        self.answer(&flight, if is_answer_lost { lost } else { outcome });
    }

    /// A daemon gives up waiting for a write, which may still take effect.
    fn give_up(&mut self, n: usize) {
        let mut flight = self.flights.swap_remove(n);
        self.answer(&flight, Outcome::Failed("no answer in time".to_owned()));
        flight.is_given_up = true;
        self.flights.push(flight);
    }

    fn lead(&mut self, n: usize, leads: bool) {
        if leads {
            self.tell(n, usize::MAX);
        }
        self.peers[n].leads = leads;
        self.peers[n].daemon.take(ApiChange::Lead(leads), self.now);
        self.collect(n);
    }

    /// Something that users, or other programs, do.
    fn change(&mut self) {
        let n = self.below(SERVICES);
        let key = key(n);
        if !self.objects.contains_key(&key) {
            self.objects.insert(key.clone(), object(n, 0, &[], None));
            return self.store(&key, |_| {});
        }
        match self.below(8) {
            0 | 1 => {
                self.objects.remove(&key);
                self.version += 1;
                self.history.push((key, None));
            }
            2 | 3 => self.store(&key, |object| {
                object.service.is_load_balancer ^= true;
                if !object.service.is_load_balancer {
                    object.service.publish([]);
                }
            }),
            4 => self.store(&key, |object| object.service.publish([])),
            5 => {
                let address = format!("192.0.2.{}", self.below(ADDRESSES + 2));
                let address = Ingress::Address(address.parse().unwrap());
                let is_load_balancer = self.objects[&key].service.is_load_balancer;
                self.store(&key, |object| {
                    object.service.publish(is_load_balancer.then_some(address));
                });
            }
            // Something else in it.
            _ => self.store(&key, |_| {}),
        }
    }

    fn step(&mut self) {
        let peer = self.below(DAEMONS);
        let flight = (!self.flights.is_empty()).then(|| self.below(self.flights.len()));
        match (self.below(12), flight) {
            (0..=3, _) => {
                let versions = self.below(4);
                self.tell(peer, versions);
            }
            (4 | 5, Some(flight)) => self.apply(flight, false),
            (6, Some(flight)) => self.apply(flight, true),
            (7, Some(flight)) if !self.flights[flight].is_given_up => self.give_up(flight),
            (8, _) => {
                self.now += Duration::from_millis(500);
                self.collect(peer);
            }
            (9, _) => {
                // Two may lead for a moment.
                let leads = self.peers[peer].leads;
                self.lead(peer, !leads);
            }
            (10, _) if self.below(4) == 0 => self.peers[peer] = self.start(),
            _ => self.change(),
        }
    }

    /// Everything arrives, and time passes, until there is nothing left to do.
    fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 10_000, "it does not settle");
            while !self.flights.is_empty() {
                self.apply(0, false);
            }
            for n in 0..DAEMONS {
                self.tell(n, usize::MAX);
            }
            let allocations = self.peers.iter().map(|peer| &peer.daemon.allocation);
            let due = allocations.filter_map(Allocation::due).min();
            match due {
                _ if !self.flights.is_empty() => {}
                Some(due) => self.now = self.now.max(due),
                None => return,
            }
        }
    }

    fn check(&self) {
        let mut holders = BTreeMap::new();
        let mut waiting = 0;
        for (key, Object { service, stored }) in &self.objects {
            let published: Vec<_> = service.published_addresses().collect();
            for peer in &self.peers {
                let allocation = &peer.daemon.allocation;
                let known = allocation.services().into_iter();
                let known = known.filter(|(known, _)| *known == key);
                let known: Vec<_> = known.flat_map(|(_, status)| status.addresses).collect();
                assert_eq!(known, published, "{key}");
                assert_eq!(allocation.problem(), None);
            }
            if !service.is_load_balancer {
                assert_eq!(
                    (service.published().len(), &stored.pool),
                    (0, &None),
                    "{key}"
                );
                continue;
            }
            waiting += usize::from(service.published().is_empty());
            assert_eq!(
                stored.pool.is_some(),
                !service.published().is_empty(),
                "{key}"
            );
            for address in service.published_addresses() {
                let other = holders.insert(address, key);
                assert_eq!(other, None, "{address} is given twice");
            }
        }
        assert!(
            waiting == 0 || holders.len() == ADDRESSES,
            "an address is lost: {holders:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Whatever happens, in the end no address is given twice and none is lost; and when nothing
    /// changes, nothing is written, neither after a restart nor after a change of the leader.
    #[test]
    fn all_is_well_in_the_end(seed: u64, steps in 1_usize..200) {
        let mut world = World::new(seed);
        for _ in 0..steps {
            world.step();
        }
        for n in 0..DAEMONS {
            world.lead(n, false);
        }
        world.lead(0, true);
        world.settle();
        world.check();
        let written = world.written;
        world.peers[1] = world.start();
        world.lead(0, false);
        world.lead(1, true);
        world.peers[0] = world.start();
        world.settle();
        prop_assert_eq!(world.written, written);
        world.check();
    }

    /// Without disturbance each change that matters costs one write.
    #[test]
    fn a_change_costs_one_write(seed: u64, changes in 1_usize..20) {
        let mut world = World::new(seed);
        world.lead(0, true);
        for _ in 0..changes {
            let n = world.below(SERVICES);
            let key = key(n);
            let before = world.written;
            let expected = if world.objects.contains_key(&key) {
                world.store(&key, |object| object.service.is_load_balancer = false);
                world.store(&key, |object| object.service.publish([]));
                // The annotation, and the address for one who waits.
                usize::from(world.objects[&key].stored.pool.is_some()) * 2
            } else {
                world.objects.insert(key.clone(), object(n, 0, &[], None));
                world.store(&key, |_| {});
                1
            };
            world.settle();
            prop_assert!(world.written - before <= expected);
            world.check();
        }
    }
}
