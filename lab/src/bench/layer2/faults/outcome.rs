//! What clients noticed of a fault.

use std::net::IpAddr;
use std::time::Duration;

use crate::layer2::{Answers, Probes};

/// What clients noticed of a fault.
pub(super) struct Outcome {
    /// How long the address of a well node that fared worst was not answered for.
    pub(super) unanswered: Duration,
    /// The same of the addresses of the node that has the fault, if there is such a node.
    pub(super) its_own: Option<Duration>,
    /// How often an address of a well node changed hands.
    pub(super) moves: usize,
    /// How many nodes answered for an address at most.
    pub(super) owners: usize,
}

/// What was seen of an address.
pub(super) struct Seen {
    pub(super) address: IpAddr,
    /// Whether it is one of the node that has the fault.
    pub(super) is_its_own: bool,
    pub(super) probes: Probes,
}

impl Outcome {
    /// Sums up; probes and questions were sent for each address once in an interval.
    pub(super) fn of(seen: &[Seen], answers: &Answers, interval: Duration) -> Self {
        let worst = |is_its_own| {
            let these = seen.iter().filter(|one| one.is_its_own == is_its_own);
            let times = these.map(|one| {
                let unasked = answers.about(&[one.address]).unanswered();
                let count = one.probes.lost().max(unasked);
                interval * u32::try_from(count).unwrap_or(u32::MAX)
            });
            times.max()
        };
        let well = seen.iter().filter(|one| !one.is_its_own);
        let well: Vec<_> = well.map(|one| one.address).collect();
        Self {
            unanswered: worst(false).unwrap_or_default(),
            its_own: worst(true),
            moves: answers.about(&well).moves(),
            owners: answers.most_owners(),
        }
    }
}
