//! What a session has agreed on.

use super::family::FamilySet;

/// Whether a session is within one AS (RFC 4271 section 1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PeerType {
    /// Both ends are in one AS (iBGP).
    Internal,
    /// The ends are in different ASes (eBGP).
    #[default]
    External,
}

/// What a session has agreed on, as far as the meaning of received messages depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeContext {
    /// Internal or external.
    pub peer_type: PeerType,
    /// AS numbers have four octets in AS_PATH and AGGREGATOR (RFC 6793).
    pub four_octet_as: bool,
    /// The families that both ends have announced (RFC 4760 section 8).
    pub families: FamilySet,
}
