//! What is wrong with a received message when the session must end for it.

use std::net::Ipv4Addr;

use super::family::FamilySet;
use super::header::VERSION;
use super::notification::{Notification, Reason};
use super::update::fault::Fault;

/// An error that ends the session: send [`MessageError::notification`], then close the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The marker is not all ones (RFC 4271 section 6.1): the peer has lost its place, or speaks
    /// another protocol.
    #[error("message marker is not all ones; is the peer a BGP speaker?")]
    Marker,
    /// The length is out of bounds (RFC 4271 section 6.1).
    #[error("message length {0} is out of bounds for its type")]
    Length(u16),
    /// There is no such message type (RFC 4271 section 6.1).
    #[error("message type {0} does not exist")]
    Type(u8),
    /// Only version 4 is spoken (RFC 4271 section 6.2).
    #[error("BGP version {0} is not supported, only version 4")]
    Version(u8),
    /// The AS number is not the peer's, or nobody's (RFC 4271 section 6.2, RFC 7607, RFC 6793).
    #[error("AS number {0} is not that of this peer")]
    PeerAs(u32),
    /// The BGP identifier is 0, or our own on an internal session (RFC 6286).
    #[error("BGP identifier {0} is not acceptable")]
    RouterId(Ipv4Addr),
    /// The hold time is 1 or 2 seconds (RFC 4271 section 6.2).
    #[error("hold time of {0} s is not acceptable: it must be 0, or at least 3 s")]
    HoldTime(u16),
    /// An optional parameter other than capabilities (RFC 4271 section 6.2).
    #[error("optional parameter {0} is not supported")]
    OptionalParameter(u8),
    /// A recognized optional parameter of an OPEN, or their list, is malformed (RFC 4271 section
    /// 6.2).
    #[error("malformed OPEN: {0}")]
    MalformedOpen(&'static str),
    /// The peer lacks families without which the session has no use (RFC 5492 section 5).
    #[error("the peer has no address family in common with us")]
    NoCommonFamily(FamilySet),
    /// The lengths of the parts of an UPDATE exceed its own (RFC 7606 section 3 b); names the part.
    #[error("malformed UPDATE: {0} exceeds the message")]
    AttributeList(&'static str),
    /// A path attribute is wrong in a way that even RFC 7606 answers with a session reset.
    #[error("{fault}")]
    Attribute {
        /// What is wrong.
        fault: Fault,
        /// The data for the NOTIFICATION: the whole attribute, or the type code of a missing one.
        data: Vec<u8>,
    },
    /// The NLRI or Withdrawn Routes field is syntactically incorrect (RFC 7606 section 5.3).
    #[error("malformed prefix in the field {0}")]
    Network(&'static str),
    /// A ROUTE-REFRESH has the wrong length; holds the whole message (RFC 7313 section 5).
    #[error("ROUTE-REFRESH of {} octets, must be 23", .0.len())]
    RouteRefreshLength(Vec<u8>),
}

impl MessageError {
    /// The NOTIFICATION that the peer must be sent.
    pub fn notification(&self) -> Notification {
        let (reason, data) = match self {
            Self::Marker => (Reason::ConnectionNotSynchronized, vec![]),
            Self::Length(length) => (Reason::BadMessageLength, length.to_be_bytes().to_vec()),
            Self::Type(code) => (Reason::BadMessageType, vec![*code]),
            Self::Version(_) => (Reason::UnsupportedVersion, vec![0, VERSION]),
            Self::PeerAs(_) => (Reason::BadPeerAs, vec![]),
            Self::RouterId(_) => (Reason::BadBgpIdentifier, vec![]),
            Self::HoldTime(_) => (Reason::UnacceptableHoldTime, vec![]),
            Self::OptionalParameter(_) => (Reason::UnsupportedOptionalParameter, vec![]),
            Self::MalformedOpen(_) => (Reason::OpenUnspecific, vec![]),
            Self::NoCommonFamily(ours) => {
                let mut data = Vec::new();
                ours.put_capabilities(&mut data);
                (Reason::UnsupportedCapability, data)
            }
            Self::AttributeList(_) => (Reason::MalformedAttributeList, vec![]),
            Self::Attribute { fault, data } => (fault.reason(), data.clone()),
            Self::Network(_) => (Reason::InvalidNetworkField, vec![]),
            Self::RouteRefreshLength(message) => {
                (Reason::InvalidRouteRefreshLength, message.clone())
            }
        };
        Notification::with_data(reason, data)
    }
}
