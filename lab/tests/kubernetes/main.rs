//! A real Kubernetes in the laboratory, and what runs on it.

mod api_server;
#[cfg(feature = "cluster")]
mod cluster;
mod controller;
mod manifests;
mod site;
mod slow;
mod source;
#[cfg(feature = "cluster")]
mod walkthrough;
