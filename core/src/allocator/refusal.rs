//! Why a service cannot have an address, in words for the one who can change it.

use std::fmt;
use std::net::IpAddr;

use arcstr::ArcStr;

use super::space::{PoolUsage, Usage};
use crate::address::Family;
use crate::config::PoolName;
use crate::service::{Families, Port, ServiceKey};

/// Why a service cannot have what it asks for. It stays without until the service, another service
/// or the configuration changes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An address that no pool contains.
    #[error("{0} is not allowed in config: it belongs to no pool")]
    NoPool(IpAddr),
    /// An address that its pool does not hand out.
    #[error(
        "{address} is not allowed in config: pool {pool:?} avoids addresses that end in .0 or .255 \
         (avoidBuggyIPs; avoid-buggy-ips in a ConfigMap)"
    )]
    Avoided {
        /// The address.
        address: IpAddr,
        /// Its pool.
        pool: PoolName,
    },
    /// Two addresses that do not come from one pool.
    #[error(
        "{} belongs to pool {:?} and {} to pool {:?}, but both addresses of a service must come \
         from one pool",
        .addresses[0], .pools[0], .addresses[1], .pools[1]
    )]
    TwoPools {
        /// The addresses.
        addresses: [IpAddr; 2],
        /// Their pools.
        pools: [PoolName; 2],
    },
    /// The addresses asked for are not those of the families that the service has.
    #[error(
        "requested loadBalancer IP(s) {} does not match the ipFamily of the service, which is {}",
        quoted(.requested), wanted(*.families)
    )]
    WrongFamilies {
        /// The addresses.
        requested: Vec<IpAddr>,
        /// What the service wants.
        families: Families,
    },
    /// The addresses asked for are not in the pool asked for.
    #[error(
        "requested loadBalancer IP(s) {} is not compatible with requested address pool {pool:?}: \
         it belongs to pool {owner:?}",
        quoted(.requested)
    )]
    OtherPool {
        /// The addresses.
        requested: Vec<IpAddr>,
        /// The pool asked for.
        pool: PoolName,
        /// The pool that contains them.
        owner: PoolName,
    },
    /// The pool asked for does not exist.
    #[error("unknown pool {name:?}; {}", known_pools(.known))]
    UnknownPool {
        /// Its name.
        name: PoolName,
        /// The names that would be right.
        known: Shown<PoolName>,
    },
    /// The pool is for other services.
    #[error("pool {pool:?} not compatible for ip assignment: {mismatch}")]
    NotFor {
        /// Its name.
        pool: PoolName,
        /// What it says of the services that it is for.
        mismatch: Mismatch,
    },
    /// All pools that give addresses by themselves are for other services.
    #[error("no available addresses: no pool is for this service: {first}{}", and_others(*.others))]
    NoneFor {
        /// Why the first is not.
        first: Box<Refusal>,
        /// How many others are not.
        others: usize,
    },
    /// No address is left that the service may have.
    #[error("{}", exhausted(*.families, .pools))]
    Exhausted {
        /// What it wants.
        families: Families,
        /// The pools that were looked at, in order.
        pools: Shown<PoolUsage>,
    },
    /// Another service has the address with the same port.
    #[error("port {port} is already in use on {address} by {holder}")]
    PortInUse {
        /// The address.
        address: IpAddr,
        /// The port.
        port: Port,
        /// The other service.
        holder: ServiceKey,
    },
    /// Another service has the address, and the two may not share.
    #[error("{address} is already in use by {holder}; {obstacle}")]
    NotShared {
        /// The address.
        address: IpAddr,
        /// The other service, the first by name.
        holder: ServiceKey,
        /// What keeps the two from sharing.
        obstacle: Obstacle,
    },
    /// An empty list of addresses.
    #[error("no address was asked for")]
    NothingAsked,
}

/// What a pool says of the services that it is for, and a service is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Its namespace.
    #[error("its serviceAllocation is for {}, not {namespace:?}", of_namespaces(.named, *.selects))]
    Namespace {
        /// That of the service.
        namespace: Box<str>,
        /// Those that the pool names.
        named: Shown<ArcStr>,
        /// The pool also selects namespaces by their labels.
        selects: bool,
    },
    /// Its labels.
    #[error("the serviceSelectors of its serviceAllocation do not match the labels of the service")]
    Labels,
}

/// What keeps two services from sharing an address although their ports may be disjoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// At least one of them does not share.
    #[error("to share it, both services need the same annotation metallb.io/allow-shared-ip")]
    NoSharingKey,
    /// They share, but not with each other.
    #[error(
        "to share it, both services need the same value in the annotation \
         metallb.io/allow-shared-ip"
    )]
    SharingKeysDiffer,
    /// One address cannot lead to different sets of nodes.
    #[error(
        "to share it, both services need externalTrafficPolicy Cluster, or Local with the same \
         selector"
    )]
    BackendsDiffer,
}

/// Addresses as MetalLB's messages show them: `["192.0.2.1" "2001:db8::1"]`.
pub(crate) fn quoted(addresses: &[IpAddr]) -> String {
    let items: Vec<_> = addresses.iter().map(|ip| format!("\"{ip}\"")).collect();
    format!("[{}]", items.join(" "))
}

fn wanted(families: Families) -> String {
    match families {
        Families::One(family) => family.to_string(),
        Families::Both | Families::PreferBoth { .. } => "IPv4 and IPv6".to_owned(),
    }
}

fn of_namespaces(named: &Shown<ArcStr>, selects: bool) -> String {
    let names = named.map(|name| format!("{name:?}"));
    match (named.items.len(), selects) {
        (0, _) => "the namespaces that its namespaceSelectors match by their labels".to_owned(),
        (1, false) => format!("the namespace {names}"),
        (_, false) => format!("the namespaces {names}"),
        (_, true) => format!("the namespaces {names} and those that its namespaceSelectors match"),
    }
}

fn and_others(others: usize) -> String {
    match others {
        0 => String::new(),
        1 => ", nor is the other one".to_owned(),
        n => format!(", nor are {n} others"),
    }
}

fn known_pools(known: &Shown<PoolName>) -> String {
    if known.items.is_empty() {
        "no pool is configured".to_owned()
    } else {
        let names = known.map(|name| format!("{name:?}"));
        format!("the configuration has {names}")
    }
}

fn exhausted(families: Families, pools: &Shown<PoolUsage>) -> String {
    match (families, &*pools.items) {
        (_, []) => "no available addresses: no pool hands out addresses by itself (autoAssign; \
                    auto-assign in a ConfigMap); ask for a pool with the annotation \
                    metallb.io/address-pool"
            .to_owned(),
        (Families::One(family), [pool]) if pool.of(family).total == 0 => {
            format!(
                "pool {:?} has {}",
                pool.name,
                nothing(pool.of(family), family)
            )
        }
        (Families::One(family), [pool]) => {
            let other = pool.of(family.other());
            let family_name = if other.total == 0 {
                String::new()
            } else {
                format!("{family} ")
            };
            let usage = InPool(pool, families);
            format!("no available {family_name}addresses in pool {usage}")
        }
        (Families::One(_), _) => in_pools("addresses", families, pools),
        (Families::Both | Families::PreferBoth { .. }, _) => {
            in_pools("addresses in one pool", families, pools)
        }
    }
}

/// What a pool has that hands out nothing.
fn nothing(usage: Usage, family: Family) -> String {
    match usage.avoided {
        0 => format!("no {family} addresses"),
        _ => format!(
            "only {family} addresses that end in .0 or .255, which it avoids (avoidBuggyIPs; \
             avoid-buggy-ips in a ConfigMap): add others to it, or remove that key"
        ),
    }
}

fn in_pools(what: &str, families: Families, pools: &Shown<PoolUsage>) -> String {
    let shown = pools.map(|pool| format!("pool {}", InPool(pool, families)));
    format!("no available {} {what}: {shown}", wanted(families))
}

/// Shows a pool with the counters that matter to the wish.
struct InPool<'a>(&'a PoolUsage, Families);

impl fmt::Display for InPool<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(pool, families) = self;
        let count = |family, label: &str| match pool.of(family) {
            usage @ Usage { total: 0, .. } => nothing(usage, family),
            Usage {
                assigned, total, ..
            } => format!("{label}{assigned} of {total} assigned"),
        };
        match families {
            Families::One(family) => write!(f, "{:?} ({})", pool.name, count(*family, "")),
            Families::Both | Families::PreferBoth { .. } => {
                let (ipv4, ipv6) = (count(Family::V4, "IPv4: "), count(Family::V6, "IPv6: "));
                write!(f, "{:?} ({ipv4}; {ipv6})", pool.name)
            }
        }
    }
}

/// How much a message lists.
const SHOWN: usize = 8;

/// The first few of a list, so that a message stays readable, and short, with a hundred pools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown<T> {
    items: Box<[T]>,
    more: usize,
}

impl<T> Shown<T> {
    /// The first few of these.
    pub(super) fn of(mut all: impl Iterator<Item = T>) -> Self {
        Self {
            items: all.by_ref().take(SHOWN).collect(),
            more: all.count(),
        }
    }

    /// The same as text.
    fn map(&self, show: impl Fn(&T) -> String) -> String {
        let shown = self.items.iter().map(show).collect::<Vec<_>>().join(", ");
        match self.more {
            0 => shown,
            more => format!("{shown} and {more} more"),
        }
    }
}

/// The first few, as text.
pub(crate) fn listed(items: impl Iterator<Item = String>) -> String {
    Shown::of(items).map(String::clone)
}
