//! Path attributes: which there are.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |O|T|P|E|   0   |   Type Code   | Length (2 octets if E is set) |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                       Value (variable)                        |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! O optional, T transitive, P partial, E extended length
//! ```
//!
//! All there is to know of one is in its file: code, flags, what RFC 7606 demands if a received one
//! is malformed; and for those that are sent, how. A new one is such a file and its line in one of
//! the two tables below; which routes are given it, `export` says.

use std::fmt;

use crate::packet::context::PeerType;

mod aggregator;
pub(crate) mod as_path;
mod atomic_aggregate;
mod attribute_type;
mod cluster_list;
mod communities;
mod extended_communities;
mod large_communities;
mod local_pref;
mod multi_exit_disc;
pub(crate) mod multiprotocol;
pub(crate) mod next_hop;
pub(crate) mod origin;
mod originator_id;
#[cfg(test)]
mod tests;

use attribute_type::Value;
pub(crate) use attribute_type::{AttributeType, FLAG_EXTENDED_LENGTH, FLAG_OPTIONAL, TYPE_FLAGS};

/// Those that no route is given: they are never sent, or made of what the session knows.
const OTHERS: &[AttributeType] = &[
    origin::ORIGIN,
    as_path::AS_PATH,
    next_hop::NEXT_HOP,
    multi_exit_disc::MULTI_EXIT_DISC,
    atomic_aggregate::ATOMIC_AGGREGATE,
    aggregator::AGGREGATOR,
    originator_id::ORIGINATOR_ID,
    cluster_list::CLUSTER_LIST,
    multiprotocol::MP_REACH_NLRI,
    multiprotocol::MP_UNREACH_NLRI,
    extended_communities::EXTENDED_COMMUNITIES,
    as_path::AS4_PATH,
    aggregator::AS4_AGGREGATOR,
    extended_communities::IPV6_EXTENDED_COMMUNITIES,
    large_communities::LARGE_COMMUNITY,
];

/// Makes the type of an attribute that is given to routes, by rows of the type of its value and
/// that type's file.
macro_rules! given {
    ($($value:ident in $file:ident,)+) => {
        $(pub use $file::$value;)+

        /// An attribute that a route is given.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Attribute {
            $(#[doc = concat!("See [`", stringify!($value), "`].")] $value($value),)+
        }

        $(impl From<$value> for Attribute {
            fn from(value: $value) -> Self {
                Self::$value(value)
            }
        })+

        impl Attribute {
            /// The types of all of them.
            const TYPES: &[AttributeType] = &[$($value::TYPE),+];

            fn attribute_type(&self) -> AttributeType {
                match self {
                    $(Self::$value(_) => $value::TYPE,)+
                }
            }

            /// Whether peers of this kind are told.
            pub(crate) fn is_for(&self, peer_type: PeerType) -> bool {
                match self {
                    $(Self::$value(_) => $value::is_for(peer_type),)+
                }
            }

            /// Makes it that of a route which both are meant for. Both are of one type.
            pub(crate) fn merge(&mut self, other: &Self) {
                $(if let (Self::$value(one), Self::$value(other)) = (&mut *self, other) {
                    one.merge(other);
                })+
            }

            /// Appends it.
            pub(crate) fn put(&self, out: &mut Vec<u8>) {
                self.attribute_type().put(out, |out| match self {
                    $(Self::$value(value) => value.put(out),)+
                });
            }
        }

        impl fmt::Display for Attribute {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$value(value) => value.fmt(f),)+
                }
            }
        }
    };
}

given! {
    LocalPref in local_pref,
    Communities in communities,
}

impl Attribute {
    /// The code of its type.
    pub(crate) fn code(&self) -> u8 {
        self.attribute_type().code
    }
}

/// The type with this code, if we recognize it.
pub(crate) fn type_of(code: u8) -> Option<&'static AttributeType> {
    let mut all = OTHERS.iter().chain(Attribute::TYPES);
    all.find(|one| one.code == code)
}
