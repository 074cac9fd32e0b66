//! What can be wrong with a path attribute, and how that is handled (RFC 7606).

/// How an error is handled (RFC 7606 section 2), weakest first: with several errors "the approach
/// with the strongest action MUST be used".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Approach {
    /// Go on as if the attribute were not there.
    AttributeDiscard,
    /// Go on as if the routes of the message had been withdrawn.
    TreatAsWithdraw,
    /// End the session.
    SessionReset,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The Optional or Transitive bit contradicts the type (RFC 7606 section 3 c).
    Flags,
    /// The length is not one that the type can have.
    Length,
    /// The value means nothing.
    Value,
    /// Not the first of its type (RFC 7606 section 3 g).
    Duplicate,
    /// A mandatory attribute is not there (RFC 7606 section 3 d).
    Missing,
    /// A peer of this kind has no business to send it.
    Unexpected,
    /// Of an address family that was not negotiated.
    Family,
    /// A well-known attribute that is not known (RFC 4271 section 6.3).
    Unrecognized,
    /// The last attribute is longer than the attributes in total, or too short to be one (RFC 7606
    /// section 4).
    Truncated,
}
