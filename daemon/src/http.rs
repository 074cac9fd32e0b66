//! The probes of Kubernetes over HTTP: `/healthz`, whether the driver is alive, and `/readyz`,
//! whether this daemon does its work. The body says what is amiss.
//!
//! Ready means that everything has been read, that a configuration is in force, and that once since
//! the start every neighbour had been told everything. A rolling update that waits for it never
//! takes a route away on two nodes at a time. Neighbours that stay away hold it up for [`PATIENCE`]
//! only. What is lost or refused later does not matter: a rolling update replaces the pods that are
//! not ready first, and all of them at once.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::driver::Client;
use crate::status::Neighbor;

#[cfg(test)]
mod tests;

/// How many are answered at a time: one more, and the oldest is dropped.
const CLIENTS: usize = 64;
/// How long a client may take, for its request and for its answer.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the driver may take to answer.
const DRIVER_TIMEOUT: Duration = Duration::from_secs(3);
/// The largest head of a request, in octets; the smallest that hyper allows.
const HEAD: usize = 8 * 1024;
/// How long neighbours may keep this daemon from being ready, from when all else is there.
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers on this address from here on.
///
/// # Errors
/// The address cannot be had.
pub(crate) async fn serve(bind: SocketAddr, driver: Client) -> Result<()> {
    let listener = TcpListener::bind(bind).await.map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => "another program has that port; give another --http-bind",
            io::ErrorKind::AddrNotAvailable => "this host has no such address; mend --http-bind",
            io::ErrorKind::PermissionDenied => "give --http-bind a port above 1023",
            _ => "give another --http-bind",
        };
        anyhow::Error::new(error).context(format!("cannot answer HTTP on {bind}: {hint}"))
    })?;
    let address = listener.local_addr().context("cannot answer HTTP")?;
    info!(%address, "answering /healthz and /readyz");
    tokio::spawn(accept(listener, Arc::new(Probes::new(driver))));
    Ok(())
}

/// A flood of clients cannot keep new ones from being answered, as it would if they had to wait.
async fn accept(listener: TcpListener, probes: Arc<Probes>) {
    let mut clients: VecDeque<AbortHandle> = VecDeque::with_capacity(CLIENTS);
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                if clients.len() >= CLIENTS
                    && let Some(oldest) = clients.pop_front()
                {
                    oldest.abort();
                }
                let answered = answer(client, probes.clone());
                let answered = tokio::time::timeout(CLIENT_TIMEOUT, answered);
                clients.push_back(tokio::spawn(answered).abort_handle());
            }
            // Out of file descriptors, most likely: others must close some first.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn answer(client: TcpStream, probes: Arc<Probes>) {
    let service = service_fn(|request| probes.clone().respond(request));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(CLIENT_TIMEOUT)
        .max_buf_size(HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(client), service)
        .await;
    if let Err(error) = served {
        debug!(%error, "an HTTP client was not answered");
    }
}

/// Answers the probes.
struct Probes {
    driver: Client,
    /// When nothing was lacking but neighbours, for the first time.
    since: OnceLock<Instant>,
    /// All neighbours had been told everything, or time was up.
    announced: OnceLock<()>,
}

impl Probes {
    fn new(driver: Client) -> Self {
        Self {
            driver,
            since: OnceLock::new(),
            announced: OnceLock::new(),
        }
    }

    async fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<String>, Infallible> {
        let (code, mut body) = match request.uri().path() {
            "/healthz" => verdict(self.alive().await),
            "/readyz" => verdict(self.ready().await),
            _ => (
                StatusCode::NOT_FOUND,
                "there are /healthz and /readyz".to_owned(),
            ),
        };
        body.push('\n');
        let mut response = Response::new(body);
        *response.status_mut() = code;
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, text);
        Ok(response)
    }

    /// Whether the driver answers.
    async fn alive(&self) -> Result<(), String> {
        in_time(self.lacks()).await.map(drop)
    }

    /// Whether this daemon does its work.
    async fn ready(&self) -> Result<(), String> {
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
        let status = self.driver.status().await;
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

fn verdict(probe: Result<(), String>) -> (StatusCode, String) {
    match probe {
        Ok(()) => (StatusCode::OK, "ok".to_owned()),
        Err(amiss) => (StatusCode::SERVICE_UNAVAILABLE, amiss),
    }
}
