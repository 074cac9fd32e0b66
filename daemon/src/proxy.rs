//! Asks this node's service proxy (kube-proxy, or what stands in its place) whether it passes the traffic
//! of a Service on: by HTTP, at the Service's `healthCheckNodePort`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use carillon_core::node::local_traffic::Answer;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

#[cfg(test)]
mod tests;

/// How long one address may take to answer: it is one of this host.
const TIMEOUT: Duration = Duration::from_millis(500);

/// Asks at each of these addresses of this node, and at 127.0.0.1, until one passes the traffic on: where
/// the proxy listens is a setting of it.
pub(crate) async fn ask(addresses: Vec<IpAddr>, port: NonZeroU16) -> Answer {
    let mut answer = Answer::Nothing;
    let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
    for address in addresses.into_iter().chain([loopback]) {
        let address = SocketAddr::new(address, port.get());
        match timeout(TIMEOUT, status(address)).await {
            Ok(Some(StatusCode::OK)) => return Answer::Passes,
            Ok(Some(_)) => answer = Answer::Refuses,
            Ok(None) | Err(_) => {}
        }
    }
    answer
}

/// The status of the answer; `None` if there is none.
async fn status(address: SocketAddr) -> Option<StatusCode> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let request = Request::get("/healthz").header(HOST, address.to_string());
    let response = sender.send_request(request.body(String::new()).ok()?);
    tokio::pin!(response);
    let response = tokio::select! {
        biased;
        response = &mut response => response,
        // With what it has brought, or without.
        _ = connection => response.await,
    };
    response.ok().map(|response| response.status())
}
