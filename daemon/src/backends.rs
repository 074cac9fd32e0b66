//! The backends built into this binary: the one place that names them all.

/// The names of all backends, as pools give them with `protocol`.
const NAMES: &[&str] = &[
    #[cfg(feature = "bgp")]
    "bgp",
];

/// The names of all backends.
pub(crate) fn names() -> Vec<&'static str> {
    NAMES.to_vec()
}
