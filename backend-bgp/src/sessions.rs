//! Which sessions a node has, and which it has not.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use carillon_core::announcement::AnnouncementSet;
use carillon_core::backend::{Fact, NeighborStatus};
use carillon_core::config::peer::Difference;
use carillon_core::config::{Peer, PeerName};
use carillon_core::node::Node;

use crate::packet::{Notification, Reason};
use crate::session::name_of;

/// The names of the peers that ask for one session: what is for any of them is for it.
pub(crate) type PeerNames = BTreeSet<PeerName>;

/// A session that a node is to have.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Its settings: those of the first peer that asks for it.
    pub(crate) peer: Arc<Peer>,
    /// See there.
    pub(crate) names: PeerNames,
}

impl Wanted {
    fn is_of(&self, peer: &Peer) -> bool {
        self.peer.difference(peer) == Difference::None
    }
}

/// The sessions that the set's node has, in the order of the configuration; a session that several
/// peers ask for, once.
pub(crate) fn wanted(set: &AnnouncementSet) -> Vec<Wanted> {
    let peers = set.config.bgp.peers.iter();
    let mut sessions: Vec<Wanted> = Vec::new();
    for peer in peers.filter(|peer| is_selected(peer, &set.node)) {
        let name = peer.name.clone();
        match sessions.iter_mut().find(|session| session.is_of(peer)) {
            Some(session) => {
                session.names.insert(name);
            }
            None => sessions.push(Wanted {
                peer: peer.clone(),
                names: PeerNames::from([name]),
            }),
        }
    }
    sessions
}

fn is_selected(peer: &Peer, node: &Node) -> bool {
    let selectors = &peer.node_selectors;
    selectors.is_empty() || selectors.iter().any(|s| s.matches(&node.labels))
}

/// The peers that the set's node has no session with, for their selectors are for other nodes: there
/// is nothing to tell them. A node that has some of the sessions, and labels by which it was
/// selected, has no need to know of those of all other nodes.
pub(crate) fn passed_over(set: &AnnouncementSet, sessions: &[Wanted]) -> Vec<NeighborStatus> {
    if !sessions.is_empty() && !set.node.labels.is_empty() {
        return Vec::new();
    }
    let name = &set.node.name;
    let why = if set.node.labels.is_empty() {
        format!("no Node {name} is known, or it has no labels")
    } else {
        format!("the labels of Node {name} are not those")
    };
    let peers = set.config.bgp.peers.iter();
    let others = peers.filter(|peer| sessions.iter().all(|session| !session.is_of(peer)));
    let status = |peer: &Arc<Peer>| NeighborStatus {
        name: name_of(peer),
        state: "none".to_owned(),
        since: Duration::ZERO,
        facts: vec![Fact::text("remote AS", peer.peer_asn.to_string())],
        last_error: Some(format!("its node selectors do not match this node: {why}")),
        in_sync: true,
        prefixes: 0,
        announced: Vec::new(),
    };
    others.map(status).collect()
}

/// What a peer whose session ends is told.
pub(crate) fn reason_to_stop(peer: &Peer, replaced: bool, set: &AnnouncementSet) -> Notification {
    let is_same = |other: &Arc<Peer>| other.difference(peer) == Difference::None;
    if replaced {
        Notification::new(Reason::OtherConfigurationChange)
    } else if set.config.bgp.peers.iter().any(is_same) {
        let text = format!(
            "node {} is no longer selected for this session",
            set.node.name
        );
        Notification::with_communication(Reason::AdministrativeShutdown, &text)
    } else {
        Notification::new(Reason::PeerDeconfigured)
    }
}
