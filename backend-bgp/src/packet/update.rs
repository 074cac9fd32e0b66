//! UPDATE (RFC 4271 section 4.3, RFC 4760).
//!
//! ```text
//! +-----------------------------------------------------+
//! |   Withdrawn Routes Length (2 octets)                |
//! +-----------------------------------------------------+
//! |   Withdrawn Routes (variable)                       |
//! +-----------------------------------------------------+
//! |   Total Path Attribute Length (2 octets)            |
//! +-----------------------------------------------------+
//! |   Path Attributes (variable)                        |
//! +-----------------------------------------------------+
//! |   Network Layer Reachability Information (variable) |
//! +-----------------------------------------------------+
//! ```

pub mod attribute;
mod attributes;
mod encode;
pub(super) mod fault;
mod problem;
mod raw;
mod receive;
#[cfg(test)]
mod tests;

pub use attribute::next_hop::NextHop;
pub use attributes::Attributes;
pub use encode::{EncodeError, UpdateWriter, put_end_of_rib, put_withdrawal};
pub use fault::Fault;
pub use problem::{Approach, Problem};
pub use receive::Update;
