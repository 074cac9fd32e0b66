//! The guard: what MetalLB does is left to it as long as it runs, since two that announce an address
//! break a network, and two that give addresses give them twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use carillon_core::{ownership, policy, speaker};
use carillon_gossip::record::Impediment;
use carillon_objects::source::LeftToMetallb;
use carillon_objects::{MetallbPart, MetallbPod, ObjectKey};
use tracing::{info, warn};

use super::Driver;

#[cfg(test)]
mod tests;

/// See the module's documentation.
pub(super) struct Guard {
    node: Arc<str>,
    class: Option<Arc<str>>,
    /// Those that run.
    pods: BTreeMap<ObjectKey, MetallbPod>,
    /// What followed from them last.
    left: Left,
}

/// What is left to MetalLB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Left {
    /// Its controller runs.
    addresses: bool,
    /// A speaker runs, on whichever node.
    exclusive: bool,
    /// A speaker runs on this node.
    shared: bool,
}

impl Guard {
    /// The guard of a daemon on this node that serves this class, when no Pod is known.
    pub(super) fn new(node: &str, class: Option<String>) -> Self {
        Self {
            node: node.into(),
            class: class.map(Arc::from),
            pods: BTreeMap::new(),
            left: Left::default(),
        }
    }

    /// Takes in what part of MetalLB runs in a Pod now.
    pub(super) fn set(&mut self, key: &ObjectKey, pod: Option<MetallbPod>) {
        match pod {
            Some(pod) => self.pods.insert(key.clone(), pod),
            None => self.pods.remove(key),
        };
    }

    /// The Pods whose Services are those of this daemon, in order.
    fn rivals(&self, part: MetallbPart) -> impl Iterator<Item = (&ObjectKey, &MetallbPod)> {
        let pods = self.pods.iter();
        pods.filter(move |(_, pod)| pod.part == part && pod.class == self.class)
    }

    fn left(&self) -> Left {
        let mut speakers = self.rivals(MetallbPart::Speaker);
        Left {
            addresses: self.rivals(MetallbPart::Controller).next().is_some(),
            exclusive: self.rivals(MetallbPart::Speaker).next().is_some(),
            shared: speakers.any(|(_, pod)| pod.node == self.node),
        }
    }

    /// What people are to know of it; `announces` is whether this daemon does.
    pub(super) fn problems(&self, announces: bool) -> impl Iterator<Item = String> {
        let speaker = self.rivals(MetallbPart::Speaker);
        let here = speaker.max_by_key(|(_, pod)| pod.node == self.node);
        let speaker = here.filter(|_| announces).map(|(key, pod)| {
            let also = if self.left.shared {
                ", and its BGP sessions"
            } else {
                ""
            };
            format!(
                "MetalLB's speaker runs ({key} on node {}): layer 2 is left to it{also}, until it is \
                 gone",
                pod.node
            )
        });
        let controller = self.rivals(MetallbPart::Controller).next().map(|(key, _)| {
            format!(
                "MetalLB's controller runs ({key}): addresses and the status of services are left to \
                 it, until it is gone"
            )
        });
        speaker.into_iter().chain(controller)
    }
}

impl Driver {
    /// Leaves to MetalLB what it does, and takes up what it does no more.
    pub(super) fn review_guard(&mut self, now: Instant) {
        let left = self.network.guard.left();
        let before = std::mem::replace(&mut self.network.guard.left, left);
        if left == before {
            return;
        }
        let announces = !self.backends.is_empty();
        for problem in self.network.guard.problems(announces) {
            warn!("{problem}");
        }
        if announces && before.exclusive && !left.exclusive {
            info!("MetalLB's speakers are gone: this node announces");
        }
        if before.addresses && !left.addresses {
            info!("MetalLB's controller is gone: addresses are given without it");
        }
        let announced = policy::LeftToMetallb {
            exclusive: left.exclusive,
            shared: left.shared,
        };
        self.speaker
            .handle(speaker::Input::LeftToMetallb(announced));
        // Who does not see MetalLB go leaves its VIPs to those who do.
        let impeded = ownership::Input::Impediment(Impediment::LeftToMetallb, left.exclusive);
        self.election.handle(impeded, now);
        if let Some(reports) = self.source.allocation_mut().reports() {
            reports.leave(LeftToMetallb {
                addresses: left.addresses,
                node: left.shared,
            });
        }
    }

    /// What MetalLB keeps this daemon from.
    pub(super) fn rivalry(&self) -> impl Iterator<Item = String> {
        self.network.guard.problems(!self.backends.is_empty())
    }
}
