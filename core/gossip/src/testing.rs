//! A network of members in virtual time, that loses, delays and reorders datagrams.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{Event, Keys, Membership, Profile, Settings, Transmit, wire};

/// The beginning of virtual time.
#[expect(
    clippy::disallowed_methods,
    reason = "where virtual time begins does not matter, and an Instant cannot be made otherwise"
)]
pub fn beginning() -> Instant {
    Instant::now()
}

/// What an IPv4 and a UDP header add to a datagram.
const HEADERS: usize = 28;

/// The way from one member to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// The shortest time that a datagram takes.
    pub latency: Duration,
    /// The longest is longer by this; so datagrams overtake each other.
    pub jitter: Duration,
    /// Which part of all datagrams is lost.
    pub loss: f64,
    /// Nothing gets through.
    pub is_cut: bool,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            latency: Duration::from_micros(100),
            jitter: Duration::from_micros(200),
            loss: 0.0,
            is_cut: false,
        }
    }
}

/// A datagram on its way.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Flight {
    at: Instant,
    sequence: u64,
    to: SocketAddr,
    from: SocketAddr,
    datagram: Vec<u8>,
}

/// A member at its place in the network.
#[derive(Debug)]
pub struct Host {
    /// The daemon; `None` while none runs.
    pub member: Option<Membership>,
    /// When the daemon has something to do.
    due: Option<Instant>,
    /// It stands still until then.
    pub stalled_until: Option<Instant>,
    /// How many octets it has sent, with their IP and UDP headers.
    pub octets: usize,
    /// How many datagrams it has sent.
    pub datagrams: usize,
    /// The longest of them, without headers.
    pub longest: usize,
    waiting: Vec<Flight>,
    /// Its entry in [`Network::agenda`].
    entry: Option<Instant>,
}

impl Host {
    fn next(&self) -> Option<Instant> {
        self.member.as_ref()?;
        self.stalled_until.or(self.due)
    }
}

/// Hosts, and what is on its way between them.
#[derive(Debug)]
pub struct Network {
    /// The time.
    pub now: Instant,
    /// All hosts, by the address of their daemon.
    pub hosts: BTreeMap<SocketAddr, Host>,
    /// How each way is that has no entry in [`Self::links`].
    pub link: Link,
    /// Ways that are otherwise, from the one address to the other.
    pub links: BTreeMap<(SocketAddr, SocketAddr), Link>,
    /// What the members have told, with the time, since it was last taken.
    pub events: Vec<(Instant, SocketAddr, Event)>,
    /// Copies of all datagrams, if wanted.
    pub capture: Option<Vec<Transmit>>,
    flights: BinaryHeap<Reverse<Flight>>,
    /// When each host has something to do.
    agenda: BTreeSet<(Instant, SocketAddr)>,
    sequence: u64,
    rng: StdRng,
}

/// The address of the daemon with this number.
pub fn address(number: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, number)), 7946)
}

/// The settings of the daemon with this number.
pub fn settings(number: u8, generation: u64) -> Settings {
    Settings {
        address: address(number),
        generation,
        cluster: "test".to_owned(),
        profile: Profile::standard(),
        alone_after: Duration::from_secs(2),
    }
}

impl Network {
    /// Without hosts. Everything follows from the seed.
    pub fn new(seed: u64) -> Self {
        Self {
            now: beginning(),
            hosts: BTreeMap::new(),
            link: Link::default(),
            links: BTreeMap::new(),
            events: Vec::new(),
            capture: None,
            flights: BinaryHeap::new(),
            agenda: BTreeSet::new(),
            sequence: 0,
            rng: StdRng::seed_from_u64(seed),
        }
    }

    /// Randomness for those who shape the network.
    pub fn rng(&mut self) -> &mut StdRng {
        &mut self.rng
    }

    /// Starts a daemon, in place of the one that may run at its address.
    pub fn start(&mut self, settings: Settings, keys: &Keys, seeds: &[SocketAddr]) {
        self.start_version(wire::VERSION, settings, keys, seeds);
    }

    /// The same, of a daemon that speaks this version of the protocol.
    pub fn start_version(
        &mut self,
        version: u8,
        settings: Settings,
        keys: &Keys,
        seeds: &[SocketAddr],
    ) {
        let address = settings.address;
        let rng = StdRng::from_rng(&mut self.rng);
        let mut member = Membership::new(settings, keys.clone(), rng, self.now);
        if version != wire::VERSION {
            member.sessions.speak(version);
        }
        member.join(seeds, self.now);
        let host = self.hosts.entry(address).or_insert_with(|| Host {
            member: None,
            due: None,
            stalled_until: None,
            octets: 0,
            datagrams: 0,
            longest: 0,
            waiting: Vec::new(),
            entry: None,
        });
        host.member = Some(member);
        self.collect(address);
    }

    /// Kills the daemon at this address.
    pub fn kill(&mut self, address: SocketAddr) {
        if let Some(host) = self.hosts.get_mut(&address) {
            host.member = None;
            host.due = None;
            host.waiting.clear();
        }
        self.plan(address);
    }

    /// The host at this address has another one from now on.
    pub fn relocate(&mut self, from: SocketAddr, to: SocketAddr) {
        if let Some(mut host) = self.hosts.remove(&from) {
            if let Some(entry) = host.entry.take() {
                self.agenda.remove(&(entry, from));
            }
            self.hosts.insert(to, host);
            self.with(to, |member, now| member.relocate(to, now));
        }
    }

    /// The host at this address stands still for so long.
    pub fn stall(&mut self, address: SocketAddr, how_long: Duration) {
        if let Some(host) = self.hosts.get_mut(&address) {
            host.stalled_until = Some(self.now + how_long);
        }
        self.plan(address);
    }

    /// Brings the agenda up to date about one host.
    fn plan(&mut self, address: SocketAddr) {
        let Some(host) = self.hosts.get_mut(&address) else {
            return;
        };
        let next = host.next();
        let before = std::mem::replace(&mut host.entry, next);
        if before == next {
            return;
        }
        if let Some(before) = before {
            self.agenda.remove(&(before, address));
        }
        if let Some(next) = next {
            self.agenda.insert((next, address));
        }
    }

    /// Cuts, or mends, all ways between these two groups.
    pub fn cut(&mut self, these: &[SocketAddr], those: &[SocketAddr], is_cut: bool) {
        for (this, that) in these
            .iter()
            .flat_map(|a| those.iter().map(move |b| (*a, *b)))
        {
            let link = self.link;
            for way in [(this, that), (that, this)] {
                self.links.entry(way).or_insert(link).is_cut = is_cut;
            }
        }
    }

    /// Nothing gets from one host to another any more; the other way is left as it is.
    pub fn cut_one_way(&mut self, from: SocketAddr, to: SocketAddr) {
        let link = self.link;
        self.links.entry((from, to)).or_insert(link).is_cut = true;
    }

    /// Tells the daemon at this address something, and sends what it wants to say.
    pub fn with<T>(
        &mut self,
        address: SocketAddr,
        what: impl FnOnce(&mut Membership, Instant) -> T,
    ) -> Option<T> {
        let host = self.hosts.get_mut(&address)?;
        let result = what(host.member.as_mut()?, self.now);
        self.collect(address);
        Some(result)
    }

    /// Sends a datagram of which the source may be forged.
    pub fn inject(&mut self, from: SocketAddr, to: SocketAddr, datagram: Vec<u8>) {
        let way = self.links.get(&(from, to)).copied().unwrap_or(self.link);
        if way.is_cut || self.rng.random_bool(way.loss) {
            return;
        }
        let jitter = way.jitter.mul_f64(self.rng.random());
        self.sequence += 1;
        self.flights.push(Reverse(Flight {
            at: self.now + way.latency + jitter,
            sequence: self.sequence,
            to,
            from,
            datagram,
        }));
    }

    /// Takes what a daemon wants to send and tell.
    fn collect(&mut self, address: SocketAddr) {
        let mut transmits = Vec::new();
        if let Some(host) = self.hosts.get_mut(&address)
            && let Some(member) = &mut host.member
        {
            while let Some(transmit) = member.poll_transmit() {
                host.octets += transmit.datagram.len() + HEADERS;
                host.datagrams += 1;
                host.longest = host.longest.max(transmit.datagram.len());
                transmits.push(transmit);
            }
            while let Some(event) = member.poll_event() {
                self.events.push((self.now, address, event));
            }
            host.due = member.poll_timeout();
        }
        self.plan(address);
        for transmit in transmits {
            if let Some(capture) = &mut self.capture {
                capture.push(transmit.clone());
            }
            self.inject(address, transmit.to, transmit.datagram);
        }
    }

    /// Lets everything happen that is due until then.
    pub fn run_until(&mut self, end: Instant) {
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.step();
        }
        self.now = end;
    }

    /// Lets so much time pass.
    pub fn run(&mut self, how_long: Duration) {
        self.run_until(self.now + how_long);
    }

    /// When something happens next.
    pub fn next(&self) -> Option<Instant> {
        let flight = self.flights.peek().map(|Reverse(flight)| flight.at);
        let host = self.agenda.first().map(|(at, _)| *at);
        host.into_iter().chain(flight).min()
    }

    /// Lets happen what is due now.
    pub fn step(&mut self) {
        let now = self.now;
        let due = self.agenda.iter().take_while(|(at, _)| *at <= now);
        let due: BTreeSet<SocketAddr> = due.map(|(_, address)| *address).collect();
        for address in due {
            self.wake(address);
        }
        while let Some(Reverse(flight)) = self.flights.peek()
            && flight.at <= self.now
        {
            if let Some(Reverse(flight)) = self.flights.pop() {
                self.deliver(flight);
            }
        }
    }

    fn wake(&mut self, address: SocketAddr) {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&address) else {
            return;
        };
        if let Some(stalled_until) = host.stalled_until {
            if now < stalled_until {
                return;
            }
            host.stalled_until = None;
            let waiting = std::mem::take(&mut host.waiting);
            // Which it looks at first, its clock or its socket, is up to the daemon.
            if self.rng.random_bool(0.5) {
                self.with(address, Membership::handle_timeout);
            }
            for flight in waiting {
                self.deliver(flight);
            }
        }
        let Some(host) = self.hosts.get(&address) else {
            return;
        };
        if host.due.is_some_and(|due| due <= now) {
            self.with(address, Membership::handle_timeout);
        }
        self.plan(address);
    }

    fn deliver(&mut self, flight: Flight) {
        let Some(host) = self.hosts.get_mut(&flight.to) else {
            return;
        };
        if host.stalled_until.is_some() {
            host.waiting.push(flight);
            return;
        }
        self.with(flight.to, |member, now| {
            member.handle_datagram(flight.from, &flight.datagram, now);
        });
    }
}
