//! A real Kubernetes.
//!
//! [`ApiServer`] is the API server alone, with etcd behind it: ready within seconds, and enough for
//! everything that talks to the API.

mod access;
mod api_server;
mod programs;
mod request;

pub use access::Access;
pub use api_server::ApiServer;
pub use request::Request;
