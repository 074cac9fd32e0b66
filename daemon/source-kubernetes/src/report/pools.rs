//! How full the pools are, as it is told.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use carillon_core::allocator::{PoolUsage, Usage};
use carillon_core::config::PoolName;
use carillon_objects::metallb::ip_address_pool::IpAddressPoolStatus;

/// For how long a change waits for others: every daemon of the cluster reads what is written.
const CALM: Duration = Duration::from_millis(500);

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Pools {
    told: HashMap<PoolName, IpAddressPoolStatus>,
    /// What is to be told, and when; nothing of pools that are gone.
    waiting: BTreeMap<PoolName, (Instant, Option<IpAddressPoolStatus>)>,
}

impl Pools {
    /// Takes in how full a pool is now; `None` if it is gone.
    pub(super) fn changed(&mut self, pool: PoolName, usage: Option<&PoolUsage>, now: Instant) {
        let status = usage.map(status);
        let waiting = self.waiting.entry(pool);
        waiting.or_insert((now + CALM, None)).1 = status;
    }

    /// How full a pool is.
    pub(super) fn get(&self, pool: &PoolName) -> Option<&IpAddressPoolStatus> {
        self.told.get(pool)
    }

    /// All of which something is told.
    pub(super) fn names(&self) -> impl Iterator<Item = &PoolName> {
        self.told.keys()
    }

    /// Does what time has brought. Returns the pools of which something else is told since then.
    pub(super) fn grow(&mut self, now: Instant) -> Vec<PoolName> {
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let (calm, waiting): (BTreeMap<_, _>, _) =
            waiting.partition(|(_, (until, _))| *until <= now);
        self.waiting = waiting;
        let tell = |(pool, (_, status)): (PoolName, _)| {
            match status {
                Some(status) => self.told.insert(pool.clone(), status),
                None => self.told.remove(&pool),
            };
            pool
        };
        calm.into_iter().map(tell).collect()
    }

    /// When [`Self::grow`] has something to do even if nothing comes in.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.values().map(|(until, _)| *until).min()
    }
}

fn status(usage: &PoolUsage) -> IpAddressPoolStatus {
    let number = |count: u128| i64::try_from(count).unwrap_or(i64::MAX);
    let free = |usage: Usage| number(usage.total.saturating_sub(usage.assigned));
    IpAddressPoolStatus {
        assigned_ipv4: number(usage.ipv4.assigned),
        assigned_ipv6: number(usage.ipv6.assigned),
        available_ipv4: free(usage.ipv4),
        available_ipv6: free(usage.ipv6),
    }
}
