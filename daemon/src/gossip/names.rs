//! The addresses of other daemons that are given by name.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::mpsc;
use tracing::warn;

/// How often names are looked up again.
const AGAIN: Duration = Duration::from_secs(30);
/// How soon, while one is not found.
const SOON: Duration = Duration::from_secs(2);

/// Looks up these names, `HOST:PORT`, again and again, and tells all addresses that a socket of this
/// family reaches, after the first time and whenever they change.
pub(super) async fn follow(
    names: Vec<String>,
    is_ipv4: bool,
    told: mpsc::UnboundedSender<Vec<SocketAddr>>,
) {
    let mut before = None;
    let mut failed = Vec::new();
    loop {
        let mut addresses = Vec::new();
        let mut failing = Vec::new();
        for name in &names {
            match lookup_host(name).await {
                Ok(found) => addresses.extend(found.filter(|one| one.is_ipv4() == is_ipv4)),
                Err(error) => {
                    if !failed.contains(name) {
                        warn!(name, %error, "no such node to --join; it is looked up again");
                    }
                    failing.push(name.clone());
                }
            }
        }
        failed = failing;
        addresses.sort();
        addresses.dedup();
        if before.as_ref() != Some(&addresses) {
            before = Some(addresses.clone());
            if told.send(addresses).is_err() {
                return;
            }
        }
        let pause = if failed.is_empty() { AGAIN } else { SOON };
        tokio::time::sleep(pause).await;
    }
}
