//! A real Kubernetes, in two strengths.
//!
//! [`ApiServer`] is the API server alone, with etcd behind it: ready within seconds, and enough for
//! everything that talks to the API. [`Cluster`] is a whole cluster with nodes that run pods.

mod access;
mod api_server;
mod cluster;
mod connection;
mod etcd;
mod image;
mod node;
pub(crate) mod programs;
mod request;

pub use access::Access;
pub use api_server::ApiServer;
pub use cluster::Cluster;
pub use connection::Connection;
pub use node::Node;
pub use programs::helm;
pub use request::Request;
