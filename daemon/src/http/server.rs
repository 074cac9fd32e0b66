//! Connections: who is accepted, how long a client may take, and the octets of requests and answers.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tracing::{debug, error, info};

use super::{Page, Site};

/// How many are answered at a time: one more, and the oldest is dropped.
pub(super) const CLIENTS: usize = 64;
/// How long a client may take, for its request and for its answer.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest head of a request, in octets; the smallest that hyper allows.
const HEAD: usize = 8 * 1024;

/// Has the address, if it can be had; why not, it tells whoever receives.
pub(super) async fn listen(
    bind: SocketAddr,
    trouble: &watch::Sender<Option<String>>,
) -> Option<TcpListener> {
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

/// Gives clients the pages of a site. A flood of them cannot keep new ones from being answered, as it
/// would if they had to wait.
pub(super) async fn accept(listener: TcpListener, site: Arc<Site>) {
    let mut clients: VecDeque<AbortHandle> = VecDeque::with_capacity(CLIENTS);
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                if clients.len() >= CLIENTS
                    && let Some(oldest) = clients.pop_front()
                {
                    oldest.abort();
                }
                let answered = answer(client, site.clone());
                let answered = tokio::time::timeout(CLIENT_TIMEOUT, answered);
                clients.push_back(tokio::spawn(answered).abort_handle());
            }
            // Out of file descriptors, most likely: others must close some first.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn answer(client: TcpStream, site: Arc<Site>) {
    let service = service_fn(|request| respond(site.clone(), request));
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

async fn respond(
    site: Arc<Site>,
    request: Request<Incoming>,
) -> Result<Response<String>, Infallible> {
    let Page {
        status,
        media_type,
        body,
    } = site.page(request.uri().path()).await;
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static(media_type);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    Ok(response)
}
