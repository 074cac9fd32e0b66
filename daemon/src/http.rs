//! The probes of Kubernetes over HTTP: `/healthz`, whether this daemon is alive, and `/readyz`,
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

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use crate::driver::Client;
use crate::pulse::Pulse;
use crate::status::Neighbor;
use crate::supervise::Tasks;

#[cfg(test)]
mod tests;

/// How many are answered at a time: one more, and the oldest is dropped.
const CLIENTS: usize = 64;
/// How long a client may take, for its request and for its answer.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the driver may take to answer.
const DRIVER_TIMEOUT: Duration = Duration::from_secs(3);
/// How often to try again to have the address.
const AGAIN: Duration = Duration::from_secs(5);
/// The largest head of a request, in octets; the smallest that hyper allows.
const HEAD: usize = 8 * 1024;
/// How long neighbours may keep this daemon from being ready, from when all else is there.
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers on this address from here on, or as soon as it can be had: announcing does not wait for
/// it. Why it cannot, it tells whoever receives.
pub(crate) async fn serve(
    bind: SocketAddr,
    driver: Client,
    pulse: watch::Receiver<Pulse>,
    tasks: &mut Tasks,
) -> watch::Receiver<Option<String>> {
    let (trouble, told) = watch::channel(None);
    let probes = Arc::new(Probes::new(driver, pulse));
    let first = listen(bind, &trouble).await;
    tasks.spawn("answers the probes", async move {
        let mut listener = first;
        while listener.is_none() {
            tokio::time::sleep(AGAIN).await;
            listener = listen(bind, &trouble).await;
        }
        if let Some(listener) = listener {
            accept(listener, probes).await;
        }
    });
    told
}

async fn listen(bind: SocketAddr, trouble: &watch::Sender<Option<String>>) -> Option<TcpListener> {
    let listener = TcpListener::bind(bind).await;
    let new = listener.as_ref().err().map(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => "another program has that port; give another --http-bind",
            io::ErrorKind::AddrNotAvailable => "this host has no such address; mend --http-bind",
            io::ErrorKind::PermissionDenied => "give --http-bind a port above 1023",
            _ => "give another --http-bind",
        };
        format!("probes are not answered: cannot have {bind} ({error}): {hint}")
    });
    let is_news = trouble.send_if_modified(|known| {
        let is_news = *known != new;
        known.clone_from(&new);
        is_news
    });
    if let Some(trouble) = new.filter(|_| is_news) {
        error!("{trouble}");
    }
    let listener = listener.ok()?;
    if let Ok(address) = listener.local_addr() {
        info!(%address, "answering /healthz and /readyz");
    }
    Some(listener)
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
    pulse: watch::Receiver<Pulse>,
    /// When nothing was lacking but neighbours, for the first time.
    since: OnceLock<Instant>,
    /// All neighbours had been told everything, or time was up.
    announced: OnceLock<()>,
}

impl Probes {
    fn new(driver: Client, pulse: watch::Receiver<Pulse>) -> Self {
        Self {
            driver,
            pulse,
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

    /// Whether the driver, its backends and the gossip thread come round once more.
    async fn alive(&self) -> Result<(), String> {
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
