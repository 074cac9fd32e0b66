//! The backends built into this binary: the one place that makes them all. What a pool of the ConfigMap
//! may name as `protocol` is in `core/src/config/pool.rs`; a backend that needs no settings is known
//! there by its own name.

use std::time::Duration;

use carillon_core::backend::Backend;

/// The names of all backends, as pools lead to them with `protocol`.
pub(crate) fn names() -> Vec<&'static str> {
    let all = all(Duration::ZERO);
    all.iter().map(|backend| backend.caps().name).collect()
}

/// All backends, idle until their first set, for which they need a tokio runtime. `refresh` is how
/// often hosts and switches are told again what they were told before; zero is never.
#[cfg_attr(
    not(any(feature = "arp", feature = "ndp")),
    expect(unused_variables, reason = "routers remember")
)]
pub(crate) fn all(refresh: Duration) -> Vec<Box<dyn Backend>> {
    vec![
        #[cfg(feature = "arp")]
        Box::new(carillon_backend_arp::ArpBackend::with_refresh(refresh)),
        #[cfg(feature = "ndp")]
        Box::new(carillon_backend_ndp::NdpBackend::with_refresh(refresh)),
        #[cfg(feature = "bgp")]
        Box::new(carillon_backend_bgp::BgpBackend::new()),
    ]
}
