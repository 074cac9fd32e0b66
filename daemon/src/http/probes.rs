//! Whether this daemon is alive, and whether it does its work.
//!
//! Ready means that everything has been read, that a configuration is in force, and that once since
//! the start every neighbour had been told everything. A rolling update that waits for it never
//! takes a route away on two nodes at a time. Neighbours that stay away hold it up for [`PATIENCE`]
//! only. What is lost or refused later does not matter: a rolling update replaces the pods that are
//! not ready first, and all of them at once.

use std::sync::OnceLock;
use std::time::Duration;

use carillon_core::backend::Detail;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::driver::Client;
use crate::pulse::Pulse;
use crate::status::Neighbor;

/// How long the driver may take to answer.
const DRIVER_TIMEOUT: Duration = Duration::from_secs(3);
/// How long neighbours may keep this daemon from being ready, from when all else is there.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Answers the probes.
pub(super) struct Probes {
    driver: Client,
    pulse: watch::Receiver<Pulse>,
    /// When nothing was lacking but neighbours, for the first time.
    since: OnceLock<Instant>,
    /// All neighbours had been told everything, or time was up.
    announced: OnceLock<()>,
}

impl Probes {
    /// Probes that ask these.
    pub(super) fn new(driver: Client, pulse: watch::Receiver<Pulse>) -> Self {
        Self {
            driver,
            pulse,
            since: OnceLock::new(),
            announced: OnceLock::new(),
        }
    }

    /// Whether the driver, its backends and the gossip thread come round once more.
    pub(super) async fn alive(&self) -> Result<(), String> {
        let mut pulse = self.pulse.clone();
        let rounds = pulse.borrow().rounds;
        let next = pulse.wait_for(|pulse| pulse.rounds > rounds);
        match tokio::time::timeout(DRIVER_TIMEOUT, next).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err("carillon is being stopped".to_owned()),
            Err(_) => {
                let pulse = self.pulse.borrow();
                let waits_for = pulse.other.unwrap_or(pulse.waits_for);
                Err(format!("{waits_for} does not answer"))
            }
        }
    }

    /// Whether this daemon does its work.
    pub(super) async fn ready(&self) -> Result<(), String> {
        in_time(async {
            let mut lacks = self.lacks().await?;
            if lacks.is_empty() && self.announced.get().is_none() {
                lacks = self.untold().await?;
            }
            if lacks.is_empty() {
                Ok(())
            } else {
                Err(lacks.join("\n"))
            }
        })
        .await
    }

    async fn lacks(&self) -> Result<Vec<String>, String> {
        let lacks = self.driver.lacks().await;
        lacks.map_err(|stopping| stopping.to_string())
    }

    /// The neighbours that have to be waited for.
    async fn untold(&self) -> Result<Vec<String>, String> {
        let since = *self.since.get_or_init(Instant::now);
        let status = self.driver.status(Detail::Counters).await;
        let status = status.map_err(|stopping| stopping.to_string())?;
        let untold = status.neighbors.iter().filter(|one| !one.in_sync);
        let untold: Vec<_> = untold.map(describe).collect();
        if !untold.is_empty() && since.elapsed() < PATIENCE {
            return Ok(untold);
        }
        if self.announced.set(()).is_ok() {
            for neighbor in untold {
                warn!("not waited for: {neighbor}");
            }
            info!("ready: services are announced");
        }
        Ok(Vec::new())
    }
}

fn describe(neighbor: &Neighbor) -> String {
    let Neighbor {
        backend,
        name,
        state,
        last_error,
        ..
    } = neighbor;
    let because = last_error.as_deref().unwrap_or(state);
    format!("the {backend} neighbor {name} has not been told everything yet: {because}")
}

async fn in_time<T>(answer: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let answer = tokio::time::timeout(DRIVER_TIMEOUT, answer).await;
    answer.unwrap_or_else(|_| Err("the driver does not answer".to_owned()))
}
