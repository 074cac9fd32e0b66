//! What a Service is to publish.

use std::net::IpAddr;

use carillon_core::config::PoolName;
use carillon_core::controller::Controller;
use carillon_core::service::{Ingress, Service};
use carillon_core::text::bounded;
use carillon_objects::Stored;

use crate::publisher;

/// What a Service is to publish.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) pool: Option<PoolName>,
}

/// What a Service is to publish although it does not, and its version.
pub(super) type Difference = publisher::Difference<Wish>;

/// What a Service is to publish, if it does not, and the version in which it does not.
pub(super) fn difference(
    controller: &Controller,
    service: &Service,
    stored: &Stored,
    class: Option<&str>,
) -> Option<Difference> {
    if !service.is_of_class(class) {
        return None;
    }
    let assigned = controller.assigned(&service.key);
    let wish = assigned.map_or_else(Wish::default, |assigned| Wish {
        addresses: assigned.addresses.to_vec(),
        pool: Some(assigned.pool.clone()),
    });
    let entries = wish.addresses.iter().copied().map(Ingress::Address);
    let is_stored = entries.eq(service.published().iter().cloned())
        && stored.pool.as_deref() == wish.pool.as_deref().map(bounded).as_deref();
    (!is_stored).then(|| (stored.resource_version.clone(), wish))
}
