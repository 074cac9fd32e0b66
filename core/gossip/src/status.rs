//! What people are told of the membership.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::record::Key;
use super::{MemberId, Membership};

/// Why a datagram was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dropped {
    /// It is shorter than any datagram of ours.
    TooShort,
    /// It is of another version of the protocol, or not of ours at all.
    Version,
    /// It is sealed with a key that is not known here.
    Key,
    /// The key is known, but it does not open: it is forged or damaged, or of another cluster.
    Forged,
    /// It opens, but what is in it is not understood.
    Malformed,
    /// It is meant for another run of this member. The sender was asked to introduce itself.
    Stranger,
    /// It was received before.
    Replayed,
    /// The sender has the address of this member, or is this member.
    Own,
    /// The sender is no member, and has sent so much of the above that it is not looked at.
    Flood,
}

impl Dropped {
    /// Whether people should know of a single one: of the others there are some in every restart.
    pub fn is_noteworthy(self) -> bool {
        match self {
            Self::Version
            | Self::Key
            | Self::Forged
            | Self::Malformed
            | Self::Replayed
            | Self::Flood => true,
            Self::TooShort | Self::Stranger | Self::Own => false,
        }
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooShort => "too short",
            Self::Version => "of another version of the protocol",
            Self::Key => "sealed with an unknown key",
            Self::Forged => "forged, damaged, or of another cluster with the same key",
            Self::Malformed => "not understood",
            Self::Stranger => "meant for an earlier run of this member",
            Self::Replayed => "received before",
            Self::Own => "from this member itself, or from another one with the same address",
            Self::Flood => "more of them than are looked at",
        })
    }
}

/// What people should be told once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// Somebody sends datagrams that are not accepted.
    Dropped {
        /// From here.
        from: SocketAddr,
        /// For this reason.
        why: Dropped,
    },
    /// The clock is behind what others know of this address; a higher generation was chosen.
    GenerationRaised {
        /// What the clock said.
        from: u64,
        /// The generation now.
        to: u64,
    },
    /// The generation had to be raised again and again: another daemon has the same address.
    AddressShared(SocketAddr),
    /// Nobody answers there.
    SeedSilent(SocketAddr),
    /// A silent seed answers again.
    SeedAnswers(SocketAddr),
    /// There are more members than are remembered.
    TooManyMembers,
    /// This member says more than is remembered.
    TooManyRecords(MemberId),
    /// A record of this member does not fit into a datagram, and is not told to others.
    RecordTooLarge(Key),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dropped { from, why } => {
                write!(f, "datagrams from {} are dropped: {why}", from.ip())?;
                match why {
                    Dropped::Key | Dropped::Forged => {
                        f.write_str("; all members need the same key and the same cluster name")
                    }
                    Dropped::TooShort
                    | Dropped::Version
                    | Dropped::Malformed
                    | Dropped::Stranger
                    | Dropped::Replayed
                    | Dropped::Own
                    | Dropped::Flood => Ok(()),
                }
            }
            Self::GenerationRaised { from, to } => write!(
                f,
                "an earlier run of this member had a higher generation than {from}, now {to} is \
                 used; was the clock set back?"
            ),
            Self::AddressShared(address) => write!(
                f,
                "another daemon seems to have the address {address} too; each needs its own"
            ),
            Self::SeedSilent(address) => write!(
                f,
                "no answer from {address}: is the daemon there running, and UDP port {} open?",
                address.port()
            ),
            Self::SeedAnswers(address) => write!(f, "{address} answers now"),
            Self::TooManyMembers => f.write_str("there are more members than can be handled"),
            Self::TooManyRecords(member) => {
                write!(f, "{member} has more records than can be handled")
            }
            Self::RecordTooLarge(key) => {
                write!(f, "the record {key:?} is too large to be told to others")
            }
        }
    }
}

/// Whether a member takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It does.
    Alive,
    /// It did not answer a probe of foca.
    Suspect,
    /// It does not.
    Down,
}

/// Another member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberStatus {
    /// Which.
    pub id: MemberId,
    /// Whether it takes part.
    pub state: State,
    /// How long ago it was heard, if ever.
    pub heard: Option<Duration>,
    /// This member watches it: it has VIPs.
    pub watched: bool,
    /// How many records of it are known.
    pub records: usize,
    /// The version of the protocol that is spoken with it, if anything is.
    pub version: Option<u8>,
}

/// A host that sends datagrams that are not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DroppedStatus {
    /// It, and the port that it used last.
    pub from: SocketAddr,
    /// Why they are not accepted.
    pub why: Dropped,
    /// How many there were.
    pub count: u64,
    /// How long ago the last one came.
    pub ago: Duration,
}

/// How often what was to be sent has not left this host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stuck {
    pub(super) count: u64,
    /// The last time.
    pub(super) last: Instant,
}

/// How often what was to be sent has not left this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StuckStatus {
    /// How often.
    pub count: u64,
    /// How long ago the last time was.
    pub ago: Duration,
}

/// What a member knows of the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// This member.
    pub me: MemberId,
    /// All others, ascending.
    pub members: Vec<MemberStatus>,
    /// The seeds from which nothing is heard.
    pub silent_seeds: Vec<SocketAddr>,
    /// How many datagrams were dropped, for each reason.
    pub dropped: BTreeMap<Dropped, u64>,
    /// Whose, the last one first; of very many hosts, some.
    pub dropped_of: Vec<DroppedStatus>,
    /// What did not leave this host, if there was such.
    pub stuck: Option<StuckStatus>,
    /// See [`super::Event::Settled`].
    pub settled: bool,
}

impl Membership {
    /// What there is to see.
    pub fn status(&self, now: Instant) -> Status {
        let mut members: Vec<_> = self
            .swim
            .states()
            .map(|(id, state)| MemberStatus {
                id,
                state,
                heard: self
                    .sessions
                    .heard(id)
                    .map(|heard| now.saturating_duration_since(heard)),
                watched: self.detector.is_watched(id),
                records: self.replica.len(id),
                version: self.sessions.version(id),
            })
            .collect();
        members.sort_unstable_by_key(|member| member.id);
        Status {
            me: self.me,
            members,
            silent_seeds: self.seeds.silent().collect(),
            dropped: self.drops.totals().clone(),
            dropped_of: self.drops.by_source(now),
            stuck: self.stuck.map(|stuck| StuckStatus {
                count: stuck.count,
                ago: now.saturating_duration_since(stuck.last),
            }),
            settled: self.sync.is_done(),
        }
    }
}
