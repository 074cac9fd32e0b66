//! A real Kubernetes in the laboratory, and what runs on it.

mod api_server;
mod cluster;
mod controller;
mod manifests;
mod site;
mod source;
mod walkthrough;
