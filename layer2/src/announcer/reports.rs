//! What is told of other stations, so seldom that no segment can flood this node with it.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How often a conflict about one VIP is told: once with a daemon, once with another host.
const CONFLICT_INTERVAL: Duration = Duration::from_secs(1);
/// How many conflicts are told in this time, whatever the VIPs: those who are told have other work.
const SHARE: (usize, Duration) = (100, Duration::from_millis(50));
/// How often it is told that other stations are heard.
const HEARD_INTERVAL: Duration = Duration::from_millis(50);

/// When what was told last.
#[derive(Debug, Default)]
pub(super) struct Reports {
    conflicts: HashMap<IpAddr, Told>,
    /// Until when how many more may be told.
    share: Option<(Instant, usize)>,
    /// Of each interface.
    heard: BTreeMap<u32, Instant>,
}

/// When a conflict about a VIP was told last, with a daemon and with another host.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    daemon: Option<Instant>,
    host: Option<Instant>,
}

impl Reports {
    /// Whether a conflict is to be told now.
    pub(super) fn conflict(&mut self, vip: IpAddr, is_daemon: bool, now: Instant) -> bool {
        let told = self.conflicts.entry(vip).or_default();
        let last = if is_daemon {
            &mut told.daemon
        } else {
            &mut told.host
        };
        let share = self.share.filter(|(until, _)| now < *until);
        let (until, left) = share.unwrap_or((now + SHARE.1, SHARE.0));
        let is_told = left > 0 && is_due(last, CONFLICT_INTERVAL, now);
        self.share = Some((until, left - usize::from(is_told)));
        is_told
    }

    /// Whether it is to be told now that another station is heard on an interface.
    pub(super) fn heard(&mut self, interface: u32, now: Instant) -> bool {
        let mut last = self.heard.get(&interface).copied();
        let is_due = is_due(&mut last, HEARD_INTERVAL, now);
        self.heard.extend(last.map(|last| (interface, last)));
        is_due
    }

    /// Forgets the VIPs that are of no concern any more.
    pub(super) fn retain(&mut self, concerns: impl Fn(&IpAddr) -> bool) {
        self.conflicts.retain(|vip, _| concerns(vip));
    }
}

fn is_due(last: &mut Option<Instant>, interval: Duration, now: Instant) -> bool {
    let is_recent = |last: Instant| now.saturating_duration_since(last) < interval;
    if last.is_some_and(is_recent) {
        return false;
    }
    *last = Some(now);
    true
}
