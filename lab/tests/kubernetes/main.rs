//! A real Kubernetes in the laboratory, and what runs on it.

mod api_server;
mod chaos;
#[cfg(feature = "cluster")]
mod chart;
#[cfg(feature = "cluster")]
mod cluster;
mod controller;
mod fat;
#[cfg(feature = "cluster")]
mod layer2;
mod manifests;
mod metallb;
#[cfg(feature = "cluster")]
mod pods;
mod reports;
mod site;
mod slow;
mod source;
mod swap;
