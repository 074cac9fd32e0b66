//! Why a session is not there, in sentences for the person who has to mend it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use carillon_core::config::{Peer, peer};

use super::{Session, State};
use crate::packet::{MessageError, MessageType, Notification, Reason};

/// A peer's address, with the port where it is not BGP's own.
pub(crate) fn name_of(peer: &Peer) -> String {
    peer::name(peer.address, peer.port).to_string()
}

impl Session {
    /// Why the connection ended without a word.
    pub(super) fn closed(&self, error: Option<&io::Error>, now: Instant) -> String {
        let is_silent = error.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut);
        if is_silent && self.state == State::Established {
            unacknowledged(self.patience()) + self.ttl_hint(now)
        } else {
            let local = self.agreement().map(|agreement| agreement.local);
            closed(self.state, local, error)
        }
    }

    /// What may be behind the silence of a router in a session that has just been opened. With
    /// RFC 5082, it drops what comes with a smaller TTL than 255 once it has accepted the connection.
    pub(super) fn ttl_hint(&self, now: Instant) -> &'static str {
        let age = now.saturating_duration_since(self.since);
        let is_young = match self.state {
            State::OpenConfirm => true,
            State::Established => age < 2 * self.hold_time(),
            State::Idle | State::Connect | State::Active | State::OpenSent => false,
        };
        match (is_young, self.peer.is_internal(), self.peer.ebgp_multihop) {
            (false, _, _) | (true, false, Some(true)) => "",
            (true, false, Some(false) | None) => {
                "; does it drop packets for their TTL (ttl-security, RFC 5082)? With ebgpMultiHop: \
                 true (ebgp-multihop in a ConfigMap) they have the TTL of 255 that it asks for"
            }
            (true, true, _) => {
                "; does it drop packets for their TTL (ttl-security, RFC 5082)? Those of iBGP do not \
                 have the TTL of 255 that it asks for: turn that off there"
            }
        }
    }
}

/// TCP could not connect.
pub(super) fn connect_failed(peer: &Peer, error: &io::Error) -> String {
    let to = SocketAddr::new(peer.address, peer.port);
    match (error.kind(), peer.source_address) {
        (io::ErrorKind::ConnectionRefused, _) => {
            format!("connection refused: nothing listens on {to}; is BGP running there?")
        }
        (io::ErrorKind::HostUnreachable, _) if is_limited_to_one_hop(peer) => format!(
            "{to} cannot be reached in one hop; if the router is farther away, set ebgp-multihop"
        ),
        (io::ErrorKind::HostUnreachable, _) => {
            format!("no route to {to}: the host does not answer, or a router on the way says so")
        }
        (io::ErrorKind::NetworkUnreachable, _) => {
            format!("no route to {to}: this node's routing table has none")
        }
        (io::ErrorKind::AddrNotAvailable, Some(source)) => {
            format!("the source address {source} is not an address of this node")
        }
        (io::ErrorKind::TimedOut, _) => no_answer(peer, "in the kernel's time"),
        _ => format!("cannot connect to {to}: {error}"),
    }
}

/// TCP did not connect in time.
pub(super) fn connect_timeout(peer: &Peer, after: Duration) -> String {
    no_answer(peer, &format!("within {} s", after.as_secs()))
}

fn no_answer(peer: &Peer, within: &str) -> String {
    let name = name_of(peer);
    let hint = if peer.password.is_some() {
        "; with a password set, check that both sides have the same"
    } else if is_limited_to_one_hop(peer) {
        "; if the router is more than one hop away, set ebgp-multihop"
    } else {
        "; is the address right, does the router require a password, does a firewall drop it?"
    };
    format!("no answer from {name} {within}{hint}")
}

/// Connected from an address that routes cannot have as their next hop.
pub(super) fn no_next_hop(local: IpAddr) -> String {
    format!(
        "the connection is from {local}, a link-local address that cannot be a next hop: give this \
         node a global or unique local IPv6 address, or the session a source address"
    )
}

fn is_limited_to_one_hop(peer: &Peer) -> bool {
    peer.ebgp_multihop == Some(false) && !peer.is_internal()
}

/// The connection ended without a word.
pub(super) fn closed(state: State, local: Option<IpAddr>, error: Option<&io::Error>) -> String {
    use io::ErrorKind::{BrokenPipe, ConnectionReset};
    let how = match error {
        // A router that closes before it has read everything resets the connection: whether it does
        // is chance, and no reason to tell the same thing in two ways.
        Some(error) if !matches!(error.kind(), BrokenPipe | ConnectionReset) => {
            format!("connection lost ({error})")
        }
        Some(_) | None => "the router closed the connection".to_owned(),
    };
    match (state, local) {
        (State::OpenSent, Some(local)) => {
            format!("{how} before its OPEN: is {local} configured as a neighbour there?")
        }
        (State::OpenSent, None) => format!("{how} before its OPEN"),
        (State::OpenConfirm, _) => format!("{how} after OPEN, without saying why"),
        (State::Idle | State::Connect | State::Active | State::Established, _) => {
            format!("{how} without a NOTIFICATION")
        }
    }
}

/// The peer was silent.
pub(super) fn hold_expired(state: State, after: Duration) -> String {
    let seconds = after.as_secs();
    match state {
        State::OpenSent => "the router accepted the connection but sent no OPEN".to_owned(),
        State::OpenConfirm => format!("the router sent no KEEPALIVE for {seconds} s after OPEN"),
        State::Idle | State::Connect | State::Active | State::Established => {
            format!("hold timer expired: nothing from the router for {seconds} s")
        }
    }
}

/// The peer's TCP does not answer, or has no room for more.
fn unacknowledged(after: Duration) -> String {
    let seconds = after.as_secs();
    format!("connection lost: the router has taken nothing of what was sent to it for {seconds} s")
}

/// The peer does not read.
pub(super) fn send_hold_expired(after: Duration) -> String {
    let seconds = after.as_secs();
    format!("send hold timer expired: the router has read nothing for {seconds} s")
}

/// A message came that has no place in this state.
pub(super) fn unexpected(kind: MessageType, state: State) -> String {
    format!("the router sent {kind} in state {state}, where it has no place")
}

/// The NOTIFICATION for [`unexpected`]: "The Data field is a 1-octet, unsigned integer that
/// indicates the type of the unexpected message" (RFC 6608 section 4).
pub(super) fn unexpected_in(state: State, kind: Option<MessageType>) -> Notification {
    let reason = match state {
        State::OpenSent => Reason::UnexpectedInOpenSent,
        State::OpenConfirm => Reason::UnexpectedInOpenConfirm,
        State::Established => Reason::UnexpectedInEstablished,
        State::Idle | State::Connect | State::Active => Reason::FsmUnspecified,
    };
    Notification::with_data(reason, kind.map(|kind| kind as u8).into_iter().collect())
}

/// The peer sent something that cannot be accepted.
pub(super) fn malformed(peer: &Peer, error: &MessageError) -> String {
    match error {
        MessageError::PeerAs(asn) => format!(
            "the router says it is AS {asn}, the configuration says AS {}",
            peer.peer_asn
        ),
        MessageError::RouterId(id) => {
            format!("the router's BGP identifier is {id}, which is 0 or this node's own")
        }
        MessageError::NoCommonFamily(ours) => {
            let families: Vec<_> = ours.iter().map(|family| family.to_string()).collect();
            format!(
                "the router does not offer {} unicast in this session; activate it there",
                families.join(" or ")
            )
        }
        MessageError::Marker => {
            format!("{} does not speak BGP: {error}", name_of(peer))
        }
        _ => format!("the router sent a bad message: {error}"),
    }
}

/// The peer ended the session and says why.
pub(super) fn notification(peer: &Peer, notification: &Notification) -> String {
    let said = format!("the router said: {notification}");
    let hint = match notification.reason() {
        Some(Reason::BadPeerAs) => {
            format!(
                "; it expects another AS number of this node than {}",
                peer.my_asn
            )
        }
        Some(Reason::BadBgpIdentifier) => "; is this router id in use elsewhere?".to_owned(),
        Some(Reason::UnacceptableHoldTime) => {
            format!("; the hold time is {} s", peer.hold_time.as_secs())
        }
        Some(Reason::UnsupportedCapability) => {
            "; is the address family of this session activated there?".to_owned()
        }
        Some(Reason::MaximumPrefixes) => {
            "; raise its limit, or announce fewer prefixes with a shorter aggregation length"
                .to_owned()
        }
        Some(Reason::AdministrativeShutdown) => "; the session is shut down there".to_owned(),
        Some(Reason::PeerDeconfigured) => "; this node was removed there".to_owned(),
        Some(Reason::ConnectionRejected) => {
            "; is this node configured as a neighbour there?".to_owned()
        }
        Some(Reason::ConnectionCollision) => {
            "; it has another connection with this node: an old one that it will give up in time, \
             or is this peer configured twice?"
                .to_owned()
        }
        Some(Reason::HoldTimerExpired) => "; it heard nothing from this node".to_owned(),
        _ => String::new(),
    };
    format!("{said}{hint}")
}
