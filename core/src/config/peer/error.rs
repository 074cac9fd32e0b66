//! Why a setting of a peer is refused.

use std::net::IpAddr;
use std::time::Duration;

use super::super::duration::DurationError;
use super::super::error::quote;
use super::{AS_TRANS, MAX_PASSWORD};
use crate::address::Family;

/// Why a setting of a peer is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// AS 0, RFC 7607.
    #[error("0 is not an AS number: write one from 1 to 4294967295, for example 64512")]
    ZeroAsn,
    /// Our own AS is AS_TRANS.
    #[error("{AS_TRANS} is reserved (AS_TRANS, RFC 6793): write the AS number of your network")]
    AsTrans,
    /// Not an address.
    #[error("{} is not an IP address: write for example 192.168.7.10 or 2001:db8::1", quote(.0))]
    Address(String),
    /// An address that no connection can be made to or from.
    #[error("{0} is {1}: write the address of one host, for example 192.168.7.10 or 2001:db8::1")]
    NoHost(IpAddr, &'static str),
    /// Such a session could never be opened.
    #[error(
        "{} is {}, but the peer's address {} is {}: both must be of one family",
        .0, Family::of(*.0), .1, Family::of(*.1)
    )]
    SourceFamily(IpAddr, IpAddr),
    /// A BGP identifier has four octets and is not 0, RFC 6286.
    #[error(
        "{} is not a router id: write it as an IPv4 address, for example 192.168.7.13",
        quote(.0)
    )]
    RouterId(String),
    /// Not a duration.
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// RFC 4271 section 4.2.
    #[error("a hold time of {} is too short: write 0s (never expires) or at least 3s", quote(.0))]
    HoldTooShort(String),
    /// The field of the OPEN message has 16 bits.
    #[error("a hold time of {} is too long: write at most 65535s", quote(.0))]
    HoldTooLong(String),
    /// The peer would drop the session between two keepalives.
    #[error(
        "{} is longer than the hold time of {}s: write at most that, a third is usual",
        quote(.0), .1.as_secs()
    )]
    KeepaliveTooLong(String, Duration),
    /// Without keepalives the peer's hold timer expires.
    #[error(
        "{} sends no keepalives, so that the hold time of {}s expires: write at least 1s, or set \
         the hold time to 0s, too",
        quote(.0), .1.as_secs()
    )]
    KeepaliveZero(String, Duration),
    /// What the API server takes.
    #[error("a connect time of {} is no whole number of seconds from 1s to 65535s", quote(.0))]
    ConnectTime(String),
    /// iBGP sessions are never limited to one hop.
    #[error("true makes no sense with equal AS numbers (iBGP): remove this key")]
    MultihopIbgp,
    /// Does not say which, because it is a secret.
    #[error("this password is longer than {MAX_PASSWORD} bytes, the most that TCP MD5 takes")]
    Password,
}
