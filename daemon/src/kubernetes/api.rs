//! Requests to the API server, none of which takes for ever or grows without bound.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::ops::ControlFlow;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Bytes;
use hyper::http::request::Builder;
use hyper::{Request, Response, header};
use kube::client::Body;
use kube::core::Status;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::timeout;

use super::client::Cluster;
use super::clip::Clip;
use super::failure::{Failure, excerpt};
use crate::objects::Kind;

/// How long an answer may take to begin, and a page to end; the API server itself gives up after a
/// minute.
const PATIENCE: Duration = Duration::from_secs(70);
/// How long one line of a watch may be; what is kept of it has a limit of its own.
const LINE_BYTES: usize = 64 << 20;
/// How much is read of what is no answer.
const ERROR_BYTES: usize = 64 << 10;

/// Objects to ask for.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    /// Their kind.
    pub(super) kind: Kind,
    /// Their API group; empty for the oldest.
    pub(super) group: &'static str,
    /// Their name in paths and rules.
    pub(super) name: &'static str,
    /// The namespace they are in, if one is enough.
    pub(super) namespace: Option<String>,
    /// What else is asked of them, as a part of a query.
    pub(super) selector: String,
}

impl Resource {
    /// The Services of all namespaces.
    pub(super) fn services() -> Self {
        Self::of(Kind::Service, "", "services", String::new())
    }

    /// The EndpointSlices of all Services but headless ones, which cannot be load balancers. That
    /// is what kube-proxy follows, too.
    pub(super) fn endpoint_slices() -> Self {
        let labels = encode("kubernetes.io/service-name,!service.kubernetes.io/headless");
        let selector = format!("labelSelector={labels}");
        let group = "discovery.k8s.io";
        Self::of(Kind::EndpointSlice, group, "endpointslices", selector)
    }

    /// All Nodes.
    pub(super) fn nodes() -> Self {
        Self::of(Kind::Node, "", "nodes", String::new())
    }

    /// One Node.
    pub(super) fn node(name: &str) -> Self {
        Self::of(Kind::Node, "", "nodes", by_name(name))
    }

    /// The Pods of a namespace with these labels, as a selector: those of the daemons.
    pub(super) fn pods(namespace: &str, labels: &str) -> Self {
        let selector = format!("labelSelector={}", encode(labels));
        let mut resource = Self::of(Kind::Pod, "", "pods", selector);
        resource.namespace = Some(namespace.to_owned());
        resource
    }

    /// One ConfigMap.
    pub(super) fn config_map(namespace: &str, name: &str) -> Self {
        let mut resource = Self::of(Kind::ConfigMap, "", "configmaps", by_name(name));
        resource.namespace = Some(namespace.to_owned());
        resource
    }

    fn of(kind: Kind, group: &'static str, name: &'static str, selector: String) -> Self {
        let namespace = None;
        Self {
            kind,
            group,
            name,
            namespace,
            selector,
        }
    }

    fn path(&self) -> String {
        let root = match self.group {
            "" => "/api/v1".to_owned(),
            group => format!("/apis/{group}/v1"),
        };
        match &self.namespace {
            Some(namespace) => format!("{root}/namespaces/{}/{}", encode(namespace), self.name),
            None => format!("{root}/{}", self.name),
        }
    }
}

/// As users know them.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

fn by_name(name: &str) -> String {
    format!("fieldSelector={}", encode(&format!("metadata.name={name}")))
}

/// Percent-encodes (RFC 3986, 2.1) all that could mean something in a path or query.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(byte.into());
            }
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// One line of a watch.
#[derive(Deserialize)]
pub(super) struct WatchEvent<'a> {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    #[serde(borrow)]
    pub(super) r#type: Cow<'a, str>,
    /// The object, or what is said instead.
    #[serde(borrow)]
    pub(super) object: &'a RawValue,
}

/// Asks for a page of this many objects as they are now, and hands out what is sent until `take` has
/// enough. Returns whether it came to its end. Without a resource version that is what a quorum of
/// etcd agrees on, and never older than what anybody has been told before.
pub(super) async fn list(
    cluster: &Cluster,
    resource: &Resource,
    (limit, next): (usize, Option<&str>),
    take: &mut (impl FnMut(&[u8]) -> Result<ControlFlow<()>, Failure> + Send),
) -> Result<bool, Failure> {
    let mut uri = format!("{}?limit={limit}&{}", resource.path(), resource.selector);
    if let Some(next) = next {
        uri.push_str("&continue=");
        uri.push_str(&encode(next));
    }
    let page = async {
        let mut response = get(cluster, &uri).await?;
        while let Some(frame) = response.body_mut().frame().await {
            let frame = frame.map_err(|error| Failure::of(&error))?;
            let data = frame.data_ref().map(AsRef::as_ref).unwrap_or_default();
            if take(data)?.is_break() {
                return Ok(false);
            }
        }
        Ok(true)
    };
    timeout(PATIENCE, page)
        .await
        .unwrap_or_else(|_| Err(silent()))
}

/// Asks to be told all that changes after a version, for about `seconds`.
pub(super) async fn watch(
    cluster: &Cluster,
    resource: &Resource,
    version: &str,
    seconds: u64,
) -> Result<Lines, Failure> {
    let uri = format!(
        "{}?watch=true&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={}&{}",
        resource.path(),
        encode(version),
        resource.selector
    );
    lines(cluster, &uri).await
}

/// Asks for what comes in lines, one by one.
pub(super) async fn lines(cluster: &Cluster, uri: &str) -> Result<Lines, Failure> {
    let response = timeout(PATIENCE, get(cluster, uri)).await;
    let response = response.unwrap_or_else(|_| Err(silent()))?;
    Ok(Lines {
        body: response.into_body(),
        line: Clip::default(),
        length: 0,
        rest: Bytes::new(),
    })
}

pub(super) fn silent() -> Failure {
    Failure::Connection("no answer in time".to_owned())
}

pub(super) fn too_long(what: &str) -> Failure {
    Failure::Garbage(format!("the {what} does not end"))
}

async fn get(cluster: &Cluster, uri: &str) -> Result<Response<Body>, Failure> {
    send(cluster, Request::get(uri), Body::empty()).await
}

/// Sends a request. An answer that is none, or a refusal, is a failure.
pub(super) async fn send(
    cluster: &Cluster,
    request: Builder,
    body: Body,
) -> Result<Response<Body>, Failure> {
    let agent = concat!("carillon/", env!("CARGO_PKG_VERSION"));
    let request = request
        .header(header::ACCEPT, "application/json")
        .header(header::USER_AGENT, agent)
        .body(body)
        .map_err(|error| Failure::Garbage(error.to_string()))?;
    let response = cluster.client.send(request).await;
    let mut response = response.map_err(|error| Failure::of(&error))?;
    if response.status().is_success() {
        return Ok(response);
    }
    let code = response.status().as_u16();
    let text = read(response.body_mut(), ERROR_BYTES)
        .await?
        .unwrap_or_default();
    let mut status = serde_json::from_slice(&text).unwrap_or_else(|_| {
        let text = String::from_utf8_lossy(&text);
        Status::failure(&excerpt(&text), "")
    });
    // A status that says nothing, or another thing, is none of an API server.
    status.code = code;
    Err(Failure::Refused(status.boxed()))
}

/// The whole body; `None` if it is longer than that.
pub(super) async fn read(body: &mut Body, limit: usize) -> Result<Option<Vec<u8>>, Failure> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::of(&error))?;
        let data = frame.data_ref().map(AsRef::as_ref).unwrap_or_default();
        if bytes.len() + data.len() > limit {
            return Ok(None);
        }
        bytes.extend_from_slice(data);
    }
    Ok(Some(bytes))
}

/// The lines of a watch.
pub(super) struct Lines {
    body: Body,
    /// What has come of the next line.
    line: Clip,
    /// How long it is already.
    length: usize,
    /// What has come and was not looked at.
    rest: Bytes,
}

impl Lines {
    /// The next line; `None` at the end. To drop the future loses nothing.
    ///
    /// # Errors
    /// The connection has failed, or a line does not end.
    pub(super) async fn next(&mut self) -> Result<Option<Clip>, Failure> {
        loop {
            let end = self.rest.iter().position(|byte| *byte == b'\n');
            let more = self.rest.split_to(end.map_or(self.rest.len(), |at| at + 1));
            self.line.push(&more);
            self.length += more.len();
            if end.is_some() {
                self.length = 0;
                return Ok(Some(std::mem::take(&mut self.line)));
            }
            if self.length > LINE_BYTES {
                return Err(too_long("event"));
            }
            let Some(frame) = self.body.frame().await else {
                return Ok(None);
            };
            let frame = frame.map_err(|error| Failure::of(&error))?;
            self.rest = frame.into_data().unwrap_or_default();
        }
    }
}
