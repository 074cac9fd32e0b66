//! The backends built into this binary: the one place that names them all.

use carillon_core::backend::Backend;

/// The names of all backends, as pools give them with `protocol`.
pub(crate) fn names() -> Vec<&'static str> {
    all().iter().map(|backend| backend.caps().name).collect()
}

/// All backends, idle until their first set, for which they need a tokio runtime.
pub(crate) fn all() -> Vec<Box<dyn Backend>> {
    vec![
        #[cfg(feature = "bgp")]
        Box::new(carillon_backend_bgp::BgpBackend::new()),
    ]
}
