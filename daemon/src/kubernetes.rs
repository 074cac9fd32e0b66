//! The API server of a cluster as source and record.

use std::net::IpAddr;

use carillon_core::service::ServiceKey;

/// What an API server has to say beside its objects.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(dead_code, reason = "the watches that tell it follow")]
pub(crate) enum ApiChange {
    /// How a Service is stored now; comes before the Service itself.
    Stored(ServiceKey, Stored),
    /// It is for this daemon to allocate from here on, or no longer. Before it may, all Services as
    /// they are since it holds the Lease have been told.
    Lead(bool),
}

/// How a Service is stored: what the writers of its status need to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// `metadata.uid`.
    pub(crate) uid: Box<str>,
    /// `metadata.resourceVersion`.
    pub(crate) resource_version: Box<str>,
    /// The annotation `metallb.io/ip-allocated-from-pool`.
    pub(crate) pool: Option<Box<str>>,
    /// `status.loadBalancer.ingress[].ipMode` of each address that has one.
    pub(crate) ip_modes: Vec<(IpAddr, Box<str>)>,
}
