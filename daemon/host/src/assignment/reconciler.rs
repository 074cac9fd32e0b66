//! What is to be done so that an interface has the wanted addresses.
//!
//! The kernel's notices are the only truth. A request that succeeds changes nothing here: until its
//! notice comes, nothing else is asked for that address. So a notice is never taken for that of a
//! later request.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use carillon_core::address::Family;
use nix::errno::Errno;

use super::Assigned;
use super::message::label;

/// Where an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The index of the interface.
    pub(super) index: u32,
    /// The address.
    pub(super) ip: IpAddr,
    /// The length of its prefix, in bits.
    pub(super) prefix: u8,
}

impl Place {
    fn host(index: u32, ip: IpAddr) -> Self {
        let prefix = if ip.is_ipv4() { 32 } else { 128 };
        Self { index, ip, prefix }
    }

    /// Whether the prefix is the address and nothing else.
    pub(super) fn is_host(&self) -> bool {
        *self == Self::host(self.index, self.ip)
    }
}

/// How an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// It carries our mark.
    pub(super) is_ours: bool,
    /// The kernel answers to it.
    pub(super) is_ready: bool,
}

/// What the kernel tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A link is like this now.
    Link {
        index: u32,
        name: String,
        is_up: bool,
    },
    /// It is gone, and all its addresses.
    LinkGone(u32),
    /// An address is like this now.
    Address(Place, State),
    /// It is gone.
    AddressGone(Place),
}

/// What the kernel is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// To put an address there, with this label.
    Add(Place, Option<String>),
    /// To remove it.
    Remove(Place),
}

/// What the kernel says to a request.
pub(super) type Outcome = Result<(), Errno>;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Reconciler {
    interface: String,
    /// `None` until it is known; then nothing may be removed.
    desired: Option<Arc<BTreeSet<IpAddr>>>,
    /// Names, and whether they are up.
    links: BTreeMap<u32, (String, bool)>,
    addresses: BTreeMap<Place, State>,
    /// For which a notice must come.
    pending: BTreeSet<(u32, IpAddr)>,
    /// What the kernel has refused since the last [`Self::retry`].
    failures: BTreeMap<(u32, IpAddr), Errno>,
}

impl Reconciler {
    /// One that does not know anything of the kernel yet.
    pub(super) fn new(interface: &str) -> Self {
        Self {
            interface: interface.to_owned(),
            desired: None,
            links: BTreeMap::new(),
            addresses: BTreeMap::new(),
            pending: BTreeSet::new(),
            failures: BTreeMap::new(),
        }
    }

    /// The name of the interface that is looked after.
    pub(super) fn interface(&self) -> &str {
        &self.interface
    }

    /// The names of all interfaces.
    pub(super) fn names(&self) -> Vec<&str> {
        self.links.values().map(|(name, _)| &**name).collect()
    }

    /// Whether the interface is there.
    pub(super) fn has_interface(&self) -> bool {
        self.target().is_some()
    }

    fn target(&self) -> Option<(u32, bool)> {
        let mut links = self.links.iter();
        links.find_map(|(index, (name, is_up))| {
            (*name == self.interface).then_some((*index, *is_up))
        })
    }

    /// Forgets everything that the kernel told: it is about to tell it all again.
    pub(super) fn forget(&mut self) {
        self.links.clear();
        self.addresses.clear();
        self.pending.clear();
        self.failures.clear();
    }

    /// These are wanted.
    pub(super) fn set(&mut self, desired: Arc<BTreeSet<IpAddr>>) {
        self.desired = Some(desired);
    }

    /// Takes in what the kernel tells.
    pub(super) fn handle(&mut self, event: Event) {
        match event {
            Event::Link { index, name, is_up } => {
                self.links.insert(index, (name, is_up));
            }
            Event::LinkGone(index) => {
                self.links.remove(&index);
                self.addresses.retain(|place, _| place.index != index);
                self.pending.retain(|(of, _)| *of != index);
                self.failures.retain(|(of, _), _| *of != index);
            }
            Event::Address(place, state) => {
                self.settled(place);
                self.addresses.insert(place, state);
            }
            Event::AddressGone(place) => {
                self.settled(place);
                self.addresses.remove(&place);
            }
        }
    }

    fn settled(&mut self, place: Place) {
        self.pending.remove(&(place.index, place.ip));
        self.failures.remove(&(place.index, place.ip));
    }

    /// What to ask the kernel now, no more than `most`. Each must be answered with [`Self::done`].
    pub(super) fn requests(&mut self, most: usize) -> Vec<Request> {
        let Some(desired) = self.desired.clone() else {
            return Vec::new();
        };
        let target = self.target().map(|(index, _)| index);
        let missing = target.into_iter().flat_map(|index| {
            let wanted = desired.iter().map(move |ip| (index, *ip));
            wanted.filter(|(index, ip)| self.at(*index, *ip).next().is_none())
        });
        let add = |(index, ip)| {
            let label = label(&self.interface).filter(|_| IpAddr::is_ipv4(&ip));
            Request::Add(Place::host(index, ip), label)
        };
        let stale = self.addresses.iter().filter(|(place, state)| {
            state.is_ours && !(Some(place.index) == target && desired.contains(&place.ip))
        });
        let all = missing
            .map(add)
            .chain(stale.map(|(place, _)| Request::Remove(*place)));
        let free = |key| !self.pending.contains(&key) && !self.failures.contains_key(&key);
        let requests: Vec<Request> = all.filter(|one| free(one.key())).take(most).collect();
        self.pending.extend(requests.iter().map(Request::key));
        requests
    }

    /// Takes in what the kernel said to a request.
    pub(super) fn done(&mut self, request: &Request, outcome: Outcome) {
        match (request, outcome) {
            // Or somebody else was faster. In any case there will be a notice.
            (_, Ok(()) | Err(Errno::ENODEV))
            | (Request::Add(..), Err(Errno::EEXIST))
            | (Request::Remove(_), Err(Errno::EADDRNOTAVAIL)) => {}
            (_, Err(errno)) => {
                self.pending.remove(&request.key());
                self.failures.insert(request.key(), errno);
            }
        }
    }

    /// Whether something waits for [`Self::retry`].
    pub(super) fn has_failed(&self) -> bool {
        !self.failures.is_empty()
    }

    /// What has failed may be tried again.
    pub(super) fn retry(&mut self) {
        self.failures.clear();
    }

    /// Whether a notice must come of something that was asked.
    pub(super) fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    /// What people and the driver are told.
    pub(super) fn assigned(&self) -> Assigned {
        let Some(desired) = self.desired.as_deref() else {
            return Assigned::default();
        };
        let target = self.target();
        let (mut usable, mut foreign) = (BTreeSet::new(), BTreeSet::new());
        for ip in desired {
            let states = || {
                target
                    .into_iter()
                    .flat_map(|(index, _)| self.at(index, *ip))
            };
            if target.is_some_and(|(_, is_up)| is_up) && states().any(|state| state.is_ready) {
                usable.insert(*ip);
            }
            if states().next().is_some() && states().all(|state| !state.is_ours) {
                foreign.insert(*ip);
            }
        }
        Assigned {
            foreign: Arc::new(foreign),
            is_down: !target.is_some_and(|(_, is_up)| is_up),
            refused: self.refused(&usable),
            problems: self.problems(target),
            usable: Arc::new(usable),
        }
    }

    /// The families of which the kernel takes no address.
    fn refused(&self, usable: &BTreeSet<IpAddr>) -> BTreeSet<Family> {
        let failed = self.failures.keys().map(|(_, ip)| Family::of(*ip));
        let works = |family| usable.iter().any(|ip| Family::of(*ip) == family);
        failed.filter(|family| !works(*family)).collect()
    }

    /// The states of an address on an interface, whatever its prefix.
    fn at(&self, index: u32, ip: IpAddr) -> impl Iterator<Item = &State> {
        let place = |prefix| Place { index, ip, prefix };
        let range = self.addresses.range(place(u8::MIN)..=place(u8::MAX));
        range.map(|(_, state)| state)
    }

    fn problems(&self, target: Option<(u32, bool)>) -> Vec<String> {
        let interface = &self.interface;
        let mut problems = Vec::new();
        match target {
            None => problems.push(format!(
                "the interface {interface} is gone: no VIP can be used until it is there again"
            )),
            Some((_, false)) => problems.push(format!(
                "the interface {interface} is down: no VIP can be used until `ip link set \
                 {interface} up`"
            )),
            Some((_, true)) => {}
        }
        // One address stands for all that fail for the same reason.
        let mut told = BTreeSet::new();
        for ((index, ip), errno) in &self.failures {
            if told.insert(reason(*errno, *ip)) {
                let name = self
                    .links
                    .get(index)
                    .map_or("an interface", |(name, _)| name);
                problems.push(refusal(*ip, name, *errno));
            }
        }
        problems
    }
}

impl Request {
    fn key(&self) -> (u32, IpAddr) {
        match self {
            Self::Add(place, _) | Self::Remove(place) => (place.index, place.ip),
        }
    }
}

fn reason(errno: Errno, ip: IpAddr) -> (i32, bool) {
    (errno as i32, ip.is_ipv6())
}

/// What to tell people of a request that failed.
fn refusal(ip: IpAddr, interface: &str, errno: Errno) -> String {
    let remedy = match errno {
        Errno::EPERM => ": give carillon the capability CAP_NET_ADMIN".to_owned(),
        Errno::EACCES if ip.is_ipv6() => {
            format!(
                ": let the interface have IPv6 with `sysctl net.ipv6.conf.{interface}.disable_ipv6=0`"
            )
        }
        _ => String::new(),
    };
    format!(
        "the VIP {ip} cannot be put on {interface} or taken off it: {}{remedy}",
        errno.desc()
    )
}
