//! The backends built into this binary: the one place that names them all.

use carillon_core::backend::Backend;

/// The names of all backends, as pools give them with `protocol`.
const NAMES: &[&str] = &[
    #[cfg(feature = "bgp")]
    "bgp",
];

/// The names of all backends.
pub(crate) fn names() -> Vec<&'static str> {
    NAMES.to_vec()
}

/// All backends, idle until their first set. They must live in a tokio runtime.
pub(crate) fn all() -> Vec<Box<dyn Backend>> {
    vec![
        #[cfg(feature = "bgp")]
        Box::new(carillon_backend_bgp::BgpBackend::new()),
    ]
}
