//! What this daemon answers over HTTP: `/healthz`, whether it is alive, and `/readyz`, whether it does
//! its work, for the probes of Kubernetes. The body says what is amiss.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use tokio::sync::watch;

use crate::driver::Client;
use crate::pulse::Pulse;
use crate::supervise::Tasks;

use probes::Probes;

mod probes;
mod server;
#[cfg(test)]
mod tests;

/// How often to try again to have the address.
const AGAIN: Duration = Duration::from_secs(5);

/// Answers on this address from here on, or as soon as it can be had: announcing does not wait for
/// it. Why it cannot, it tells whoever receives.
pub(crate) async fn serve(
    bind: SocketAddr,
    driver: Client,
    pulse: watch::Receiver<Pulse>,
    tasks: &mut Tasks,
) -> watch::Receiver<Option<String>> {
    let (trouble, told) = watch::channel(None);
    let site = Arc::new(Site::new(driver, pulse));
    let first = server::listen(bind, &trouble).await;
    tasks.spawn("answers the probes", async move {
        let mut listener = first;
        while listener.is_none() {
            tokio::time::sleep(AGAIN).await;
            listener = server::listen(bind, &trouble).await;
        }
        if let Some(listener) = listener {
            server::accept(listener, site).await;
        }
    });
    told
}

/// An answer.
struct Page {
    status: StatusCode,
    media_type: &'static str,
    body: String,
}

impl Page {
    fn text(status: StatusCode, line: &str) -> Self {
        Self {
            status,
            media_type: "text/plain; charset=utf-8",
            body: format!("{line}\n"),
        }
    }

    fn verdict(probe: Result<(), String>) -> Self {
        match probe {
            Ok(()) => Self::text(StatusCode::OK, "ok"),
            Err(amiss) => Self::text(StatusCode::SERVICE_UNAVAILABLE, &amiss),
        }
    }
}

/// All pages.
struct Site {
    probes: Probes,
}

impl Site {
    fn new(driver: Client, pulse: watch::Receiver<Pulse>) -> Self {
        Self {
            probes: Probes::new(driver, pulse),
        }
    }

    /// The page at a path.
    async fn page(&self, path: &str) -> Page {
        match path {
            "/healthz" => Page::verdict(self.probes.alive().await),
            "/readyz" => Page::verdict(self.probes.ready().await),
            _ => Page::text(StatusCode::NOT_FOUND, "there are /healthz and /readyz"),
        }
    }
}
