//! UPDATE (RFC 4271 section 4.3, RFC 4760).

use ipnet::IpNet;

/// A received UPDATE after RFC 7606: what it announces and withdraws is dropped by an announcer, what was wrong with it
/// is reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Announced prefixes, from NLRI and `MP_REACH_NLRI`.
    pub announced: Vec<IpNet>,
    /// Withdrawn prefixes, from Withdrawn Routes and `MP_UNREACH_NLRI`, and those treated as withdrawn.
    pub withdrawn: Vec<IpNet>,
}
