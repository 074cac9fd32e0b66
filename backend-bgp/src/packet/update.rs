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

mod attribute;
mod encode;
mod fault;
mod receive;
#[cfg(test)]
mod tests;

pub use encode::{EncodeError, PathAttributes, UpdateWriter, put_end_of_rib, put_withdrawal};
pub use fault::{Approach, Fault, Problem};
pub use receive::Update;
