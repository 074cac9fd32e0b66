//! BGP peers: their settings, the rules on each, and what a change of it does to a session.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use arcstr::ArcStr;

use super::address::parse_ip;
use super::duration::{self, DurationError};
use crate::address::Family;
use crate::selector::Selector;

mod error;
#[cfg(test)]
mod tests;

pub use error::PeerError;

/// The TCP port of BGP.
pub const DEFAULT_PORT: u16 = 179;
/// The hold time to propose unless the user chose one.
pub const DEFAULT_HOLD_TIME: Duration = Duration::from_secs(90);
/// The AS number that stands in for others in two-octet fields, RFC 6793 section 9.
const AS_TRANS: u32 = 23456;
/// What Linux takes as a TCP MD5 key (`TCP_MD5SIG_MAXKEYLEN`), in bytes.
const MAX_PASSWORD: usize = 80;

/// The name of a BGP peer.
pub type PeerName = ArcStr;

/// A BGP peer, as the user describes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The name; where a format has none, what [`NeighborStatus::name`] is.
    ///
    /// [`NeighborStatus::name`]: crate::backend::NeighborStatus::name
    pub name: PeerName,
    /// Our AS number; not 0.
    pub my_asn: u32,
    /// The peer's AS number; not 0. Equal to ours for iBGP.
    pub peer_asn: u32,
    /// The peer's address.
    pub address: IpAddr,
    /// The peer's TCP port.
    pub port: u16,
    /// The local address to connect from; it also becomes the next hop of its family.
    pub source_address: Option<IpAddr>,
    /// The hold time to propose: 0, or at least 3 s; whole seconds.
    pub hold_time: Duration,
    /// The keepalive interval; a third of the negotiated hold time if not given.
    pub keepalive_time: Option<Duration>,
    /// The longest time between two attempts to connect, once one has failed: from 1 s to 65535 s, whole
    /// seconds. Attempts become rarer with time if not given.
    pub connect_time: Option<Duration>,
    /// The BGP identifier; taken from the session's local address if not given.
    pub router_id: Option<Ipv4Addr>,
    /// The nodes that have this session: those that any of these match; all nodes when there are
    /// none.
    pub node_selectors: Vec<Selector>,
    /// The TCP MD5 password (RFC 2385).
    pub password: Option<Password>,
    /// eBGP over more than one hop: `Some(true)` and `None` leave the TTL to the kernel as
    /// MetalLB's native mode does, `Some(false)` limits the session to directly connected routers
    /// (TTL 1).
    pub ebgp_multihop: Option<bool>,
}

/// A secret that does not show in logs or debug output.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Peer {
    /// A peer of which nothing else is said: its name is its address.
    pub fn new(my_asn: u32, peer_asn: u32, address: IpAddr) -> Self {
        Self {
            name: name(address, DEFAULT_PORT),
            my_asn,
            peer_asn,
            address,
            port: DEFAULT_PORT,
            source_address: None,
            hold_time: DEFAULT_HOLD_TIME,
            keepalive_time: None,
            connect_time: None,
            router_id: None,
            node_selectors: Vec::new(),
            password: None,
            ebgp_multihop: None,
        }
    }

    /// Whether the session is one of iBGP, within one AS.
    pub fn is_internal(&self) -> bool {
        is_internal(self.my_asn, self.peer_asn)
    }

    /// What a session with this peer takes so that the settings of `other` are in force: that of the
    /// setting which takes most.
    pub fn difference(&self, other: &Self) -> Difference {
        let Self {
            name,
            my_asn,
            peer_asn,
            address,
            port,
            source_address,
            hold_time,
            keepalive_time,
            connect_time,
            router_id,
            node_selectors,
            password,
            ebgp_multihop,
        } = other;
        let settings = [
            // It tells peers apart, of which several may ask for one session.
            (self.name == *name, Difference::None),
            (self.my_asn == *my_asn, Difference::Reset),
            (self.peer_asn == *peer_asn, Difference::Reset),
            (self.address == *address, Difference::Reset),
            (self.port == *port, Difference::Reset),
            (self.source_address == *source_address, Difference::Reset),
            // It is told in the OPEN, as is the BGP identifier.
            (self.hold_time == *hold_time, Difference::Reset),
            // It is nobody's business but ours, as long as the hold time is kept.
            (self.keepalive_time == *keepalive_time, Difference::Live),
            (self.connect_time == *connect_time, Difference::Live),
            (self.router_id == *router_id, Difference::Reset),
            (self.node_selectors == *node_selectors, Difference::None),
            (self.password == *password, Difference::Reset),
            (self.ebgp_multihop == *ebgp_multihop, Difference::Reset),
        ];
        let differing = settings.into_iter().filter(|(is_equal, _)| !is_equal);
        differing.map(|(_, takes)| takes).max().unwrap_or_default()
    }
}

/// What it takes for changed settings of a peer to be in force in its session, the least first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// Nothing: it is the same session, whatever else differs.
    #[default]
    None,
    /// The session takes them over, and stays up.
    Live,
    /// Another session: the settings are agreed on with the peer, or are those of the connection.
    Reset,
}

/// The name of a peer that has none: its address, with the port where that is not BGP's own.
pub fn name(address: IpAddr, port: u16) -> PeerName {
    match port {
        DEFAULT_PORT => arcstr::format!("{address}"),
        port => arcstr::format!("{}", SocketAddr::new(address, port)),
    }
}

/// The peer's AS number.
///
/// # Errors
/// It is 0.
pub fn peer_asn(number: u32) -> Result<u32, PeerError> {
    match number {
        0 => Err(PeerError::ZeroAsn),
        number => Ok(number),
    }
}

/// Our AS number. Other reserved numbers than AS_TRANS work, and are in use.
///
/// # Errors
/// It is 0 or AS_TRANS.
pub fn my_asn(number: u32) -> Result<u32, PeerError> {
    match peer_asn(number)? {
        AS_TRANS => Err(PeerError::AsTrans),
        number => Ok(number),
    }
}

/// The address of a peer.
///
/// # Errors
/// It is none, or not that of one host.
pub fn address(text: &str) -> Result<IpAddr, PeerError> {
    match source(text)? {
        address if address.is_unspecified() => Err(PeerError::NoHost(address, "nobody's address")),
        address => Ok(address),
    }
}

/// An address to connect from; 0.0.0.0 or `::` leaves the choice to the kernel. (MetalLB lets
/// link-local addresses pass, and then fails to connect for ever.)
///
/// # Errors
/// It is none, or not that of one host.
pub fn source(text: &str) -> Result<IpAddr, PeerError> {
    let address = parse_ip(text).ok_or_else(|| PeerError::Address(text.to_owned()))?;
    let wrong = match address {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => {
            "link-local, and nothing says on which interface"
        }
        IpAddr::V4(v4) if v4.is_broadcast() => "the broadcast address",
        _ if address.is_multicast() => "a multicast address",
        IpAddr::V4(_) | IpAddr::V6(_) => return Ok(address),
    };
    Err(PeerError::NoHost(address, wrong))
}

/// Checks the address to connect from. (MetalLB lets one of the wrong family pass, and then fails
/// to connect for ever.)
///
/// # Errors
/// It is of another family than the peer's.
pub fn check_source(source: IpAddr, peer: IpAddr) -> Result<(), PeerError> {
    if Family::of(source) == Family::of(peer) {
        Ok(())
    } else {
        Err(PeerError::SourceFamily(source, peer))
    }
}

/// A BGP identifier. (MetalLB lets an IPv6 address and 0.0.0.0 pass, and no peer accepts the
/// result.)
///
/// # Errors
/// It is not an IPv4 address, or 0.0.0.0.
pub fn router_id(text: &str) -> Result<Ipv4Addr, PeerError> {
    match parse_ip(text) {
        Some(IpAddr::V4(id)) if !id.is_unspecified() => Ok(id),
        Some(IpAddr::V4(_) | IpAddr::V6(_)) | None => Err(PeerError::RouterId(text.to_owned())),
    }
}

/// A hold time in whole seconds; parts of a second are dropped.
///
/// # Errors
/// It is no duration, or neither 0 nor from 3 to 65535 seconds.
pub fn hold_time(text: &str) -> Result<Duration, PeerError> {
    whole_hold_time(duration::parse(text)?, text)
}

/// The hold time without parts of a second; `text` is what it was made of.
fn whole_hold_time(exact: Duration, text: &str) -> Result<Duration, PeerError> {
    let time = Duration::from_secs(exact.as_secs());
    match time.as_secs() {
        // A part of a second becomes none at all, which would mean for ever.
        0 if !exact.is_zero() => Err(PeerError::HoldTooShort(text.to_owned())),
        1 | 2 => Err(PeerError::HoldTooShort(text.to_owned())),
        seconds if seconds > u64::from(u16::MAX) => Err(PeerError::HoldTooLong(text.to_owned())),
        _ => Ok(time),
    }
}

/// A keepalive interval in whole seconds; parts of a second are dropped.
///
/// # Errors
/// It is no duration, or does not keep a session with this hold time alive.
pub fn keepalive_time(text: &str, hold_time: Duration) -> Result<Duration, PeerError> {
    let time = whole_seconds(text)?;
    if time > hold_time {
        return Err(PeerError::KeepaliveTooLong(text.to_owned(), hold_time));
    }
    if time.is_zero() && !hold_time.is_zero() {
        return Err(PeerError::KeepaliveZero(text.to_owned(), hold_time));
    }
    Ok(time)
}

/// The same, but an interval of less than a second is as if none were given. MetalLB's resources have
/// `0s` where their older version had nothing.
///
/// # Errors
/// It is no duration, or longer than the hold time.
pub fn keepalive_time_or_default(
    text: &str,
    hold_time: Duration,
) -> Result<Option<Duration>, PeerError> {
    if whole_seconds(text)?.is_zero() && !hold_time.is_zero() {
        return Ok(None);
    }
    keepalive_time(text, hold_time).map(Some)
}

/// The hold time that goes with a keepalive interval, where only this is given: three times as long. And
/// the interval.
///
/// # Errors
/// It is no duration, or there is no such hold time.
pub fn timers_of_keepalive(text: &str) -> Result<(Duration, Duration), PeerError> {
    let exact = duration::parse(text)?.saturating_mul(3);
    let hold_time = whole_hold_time(exact, &format!("3 × {text}"))?;
    Ok((hold_time, keepalive_time(text, hold_time)?))
}

/// The time between attempts to connect.
///
/// # Errors
/// It is no duration, or no whole number of seconds from 1 to 65535.
pub fn connect_time(text: &str) -> Result<Duration, PeerError> {
    let time = duration::parse(text)?;
    let is_whole = time.subsec_nanos() == 0;
    match time.as_secs() {
        1..=65535 if is_whole => Ok(time),
        _ => Err(PeerError::ConnectTime(text.to_owned())),
    }
}

fn whole_seconds(text: &str) -> Result<Duration, DurationError> {
    Ok(Duration::from_secs(duration::parse(text)?.as_secs()))
}

/// Checks whether a session may be over several hops explicitly.
///
/// # Errors
/// It is one of iBGP.
pub fn check_multihop(multihop: bool, my_asn: u32, peer_asn: u32) -> Result<(), PeerError> {
    if multihop && is_internal(my_asn, peer_asn) {
        Err(PeerError::MultihopIbgp)
    } else {
        Ok(())
    }
}

fn is_internal(my_asn: u32, peer_asn: u32) -> bool {
    my_asn == peer_asn
}

/// Checks the length of a TCP MD5 password.
///
/// # Errors
/// Linux would not take it.
pub fn check_password(password: &str) -> Result<(), PeerError> {
    if password.len() <= MAX_PASSWORD {
        Ok(())
    } else {
        Err(PeerError::Password)
    }
}
