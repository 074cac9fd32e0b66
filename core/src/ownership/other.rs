//! Daemons of other nodes that say on the segment to have a VIP, and whether they do when they are
//! asked.
//!
//! ```text
//!              it matters, and claims do not decide
//!  heard ──▶ unasked ─────────────────────────▶ awaited ──answer──▶ given
//!                                                  └────silence───▶ missing ◀──silence── given
//! ```
//!
//! What is merely heard may be forged, or come from a daemon that does not hear us.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_gossip::MemberId;

use crate::interface::MacAddress;

use super::members::Members;

/// How many stations are remembered of one VIP.
const MOST: usize = 4;
/// How long a member is remembered that was heard and not asked.
pub(super) const WATCH: Duration = Duration::from_millis(3500);
/// After how long a question counts as unanswered if no backend says so before, for none is there that
/// could: one with thousands of questions comes to each in much less.
const UNASKABLE: Duration = Duration::from_secs(10);

/// Who is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// A member, be it one that we can talk to or not.
    Member(MemberId),
    /// A daemon that never was a member.
    Stranger {
        /// It may keep a VIP that both have: [`crate::mark::Mark::precedes`].
        precedes: bool,
    },
}

/// What has come of asking it for the VIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// It was not asked.
    Unasked,
    /// It is being asked since then.
    Awaited(Instant),
    /// It answers.
    Given,
    /// It does not answer.
    Missing,
}

/// A daemon at one station.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Other {
    pub(super) who: Who,
    pub(super) reply: Reply,
    /// When it was heard last.
    pub(super) heard: Instant,
    /// From when on it does not count any more, since claims decide.
    pub(super) until: Option<Instant>,
}

impl Other {
    /// Whether it has the VIP, or that is being found out.
    pub(super) fn may_have_it(&self) -> bool {
        match self.reply {
            Reply::Awaited(_) | Reply::Given => true,
            Reply::Unasked | Reply::Missing => false,
        }
    }

    /// What a member or stranger is called in a sentence.
    pub(super) fn name(&self, station: MacAddress, members: &Members) -> Arc<str> {
        match self.who {
            Who::Member(member) => members.name(member),
            Who::Stranger { .. } => format!("the daemon at {station}").into(),
        }
    }
}

/// Those of one VIP, by their stations.
#[derive(Debug, Default)]
pub(super) struct Others(BTreeMap<MacAddress, Other>);

impl Others {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (MacAddress, &Other)> {
        self.0.iter().map(|(station, other)| (*station, other))
    }

    pub(super) fn get(&self, station: MacAddress) -> Option<Other> {
        self.0.get(&station).copied()
    }

    pub(super) fn get_mut(&mut self, station: MacAddress) -> Option<&mut Other> {
        self.0.get_mut(&station)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Other> {
        self.0.values_mut()
    }

    pub(super) fn remove(&mut self, station: MacAddress) -> Option<Other> {
        self.0.remove(&station)
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&Other) -> bool) {
        self.0.retain(|_, other| keep(other));
    }

    /// One is heard. Returns whether it was not before.
    pub(super) fn hear(&mut self, station: MacAddress, who: Who, now: Instant) -> bool {
        let is_full = self.0.len() >= MOST;
        match self.0.get_mut(&station) {
            Some(other) if other.who == who => {
                other.heard = now;
                false
            }
            None if is_full => false,
            Some(_) | None => {
                let other = Other {
                    who,
                    reply: Reply::Unasked,
                    heard: now,
                    until: None,
                };
                self.0.insert(station, other);
                true
            }
        }
    }

    /// The stations that are to be asked.
    pub(super) fn asked(&self) -> BTreeSet<MacAddress> {
        let asked = self.iter().filter(|(_, other)| other.may_have_it());
        asked.map(|(station, _)| station).collect()
    }

    /// Those of them that are members.
    pub(super) fn members(&self) -> BTreeSet<MemberId> {
        let member = |other: &Other| match other.who {
            Who::Member(member) => Some(member),
            Who::Stranger { .. } => None,
        };
        self.0.values().filter_map(member).collect()
    }

    /// Whether one has the VIP, or that is being found out.
    pub(super) fn may_have_it(&self) -> bool {
        self.0.values().any(Other::may_have_it)
    }

    /// One that has the VIP.
    pub(super) fn holder(&self) -> Option<(MacAddress, Other)> {
        let mut others = self.iter();
        let holder = others.find(|(_, other)| other.reply == Reply::Given);
        holder.map(|(station, other)| (station, *other))
    }

    /// Lets what is over be over. Where the VIP `is_held` here, it matters who does not answer.
    pub(super) fn expire(&mut self, is_held: bool, now: Instant) {
        for other in self.0.values_mut() {
            if let Reply::Awaited(since) = other.reply
                && now >= since + UNASKABLE
            {
                other.reply = Reply::Missing;
            }
        }
        self.0.retain(|_, other| {
            let is_over = other.until.is_some_and(|until| now >= until);
            let counts = match other.reply {
                Reply::Unasked => is_held && now < other.heard + WATCH,
                Reply::Awaited(_) | Reply::Given => true,
                Reply::Missing => is_held,
            };
            counts && !is_over
        });
    }

    /// When [`Self::expire`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let deadline = |other: &Other| {
            let at = match other.reply {
                Reply::Unasked => Some(other.heard + WATCH),
                Reply::Awaited(since) => Some(since + UNASKABLE),
                Reply::Given | Reply::Missing => None,
            };
            [at, other.until].into_iter().flatten().min()
        };
        self.0.values().filter_map(deadline).min()
    }
}

/// That one which had a VIP does not answer any more.
#[derive(Clone, Debug)]
pub(super) struct Silenced {
    pub(super) name: Arc<str>,
    pub(super) member: Option<MemberId>,
}

/// A host that has a VIP of ours, or says so, and is not yielded to.
#[derive(Clone, Debug)]
pub(super) struct Intruder {
    pub(super) station: MacAddress,
    /// Its node, if it is one of a member.
    pub(super) node: Option<Arc<str>>,
    pub(super) first: Instant,
    pub(super) last: Instant,
    /// When the VIP was last announced against it, or another one of its sort before.
    pub(super) defended: Option<Instant>,
}

/// What sort of host that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Intrusion {
    /// One without a daemon.
    Host,
    /// One whose daemon is to yield as soon as it hears us: we cannot talk to it.
    Yielding,
    /// Somebody says so in the name of a daemon that does not answer when it is asked.
    Unanswering,
    /// A member that we can talk to, and that should have stopped.
    Overlapping,
}

impl Intrusion {
    /// How often the VIP is announced against it: as RFC 5227 section 2.4 (c) says where the other
    /// side may do the same, and more often where it does not.
    pub(super) fn interval(self) -> Duration {
        match self {
            Self::Host | Self::Overlapping => Duration::from_secs(10),
            Self::Yielding | Self::Unanswering => Duration::from_secs(1),
        }
    }

    /// How long it may go on before.
    pub(super) fn patience(self) -> Duration {
        match self {
            Self::Host | Self::Yielding | Self::Unanswering => Duration::ZERO,
            Self::Overlapping => Duration::from_secs(2),
        }
    }

    /// Whether people should be told.
    pub(super) fn is_noteworthy(self) -> bool {
        match self {
            Self::Host | Self::Unanswering | Self::Overlapping => true,
            Self::Yielding => false,
        }
    }
}

/// A member that may be lost, and is asked on the segment for some of its VIPs.
#[derive(Debug)]
pub(super) struct Inquiry {
    /// When it was asked, or asked anew.
    pub(super) since: Instant,
    /// From when on it counts that it has not answered.
    pub(super) due: Instant,
    /// When nobody needs to know any more.
    pub(super) until: Instant,
    pub(super) vips: BTreeSet<IpAddr>,
    pub(super) stations: BTreeSet<MacAddress>,
    /// For which it answers, and where.
    pub(super) answers: BTreeSet<(IpAddr, MacAddress)>,
    /// For which it does not answer, although it does for others.
    pub(super) denied: BTreeSet<IpAddr>,
}

impl Inquiry {
    /// Whether its daemon is on the segment.
    pub(super) fn lives(&self) -> bool {
        !self.answers.is_empty()
    }
}
