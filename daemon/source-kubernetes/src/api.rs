//! Requests to the API server, none of which takes for ever or grows without bound.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::ops::ControlFlow;
use std::time::Duration;

use carillon_core::service::ServiceKey;
use carillon_objects::report::NODE_LABEL;
use carillon_objects::{KINDS, Kind, Selection};
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
use super::report;

/// How long an answer may take to begin, and a page to end; the API server itself gives up after a
/// minute.
const PATIENCE: Duration = Duration::from_secs(70);
/// How long one line of a watch may be; what is kept of it has a limit of its own.
const LINE_BYTES: usize = 64 << 20;
/// How much is read of what is no answer.
const ERROR_BYTES: usize = 64 << 10;

/// The form of answers.
pub(super) const JSON: &str = "application/json";
/// The same of objects, with nothing but their metadata; whole ones from a server that cannot leave
/// out the rest.
const METADATA: &str =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
/// The same of a list of them.
const METADATA_LIST: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// Whose objects are of interest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    /// The ConfigMap with the configuration.
    pub(super) config: &'a ServiceKey,
    /// The node whose Node is asked for; `None` for those of all.
    pub(super) node: Option<&'a str>,
    /// The labels of the Pods of all daemons, as a selector; `None` for none.
    pub(super) pods: Option<&'a str>,
    /// What only tells where to announce is asked for, too.
    pub(super) announces: bool,
    /// What only tells who may be given which address is asked for, too.
    pub(super) allocates: bool,
}

/// Objects to ask for.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    /// Their kind.
    pub(super) kind: Kind,
    /// The namespace they are in, if one is enough.
    pub(super) namespace: Option<String>,
    /// The name of the only one, if it is only one.
    pub(super) name: Option<String>,
    /// What else is asked of them, as labels.
    labels: Option<String>,
}

impl Resource {
    /// All that is of interest, by kind.
    pub(super) fn within(scope: &Scope<'_>) -> Vec<Self> {
        let purpose = |kind: &Kind| kind.info().purpose;
        let mut kinds = KINDS.to_vec();
        kinds.retain(|kind| {
            let purpose = purpose(kind);
            let is_left_out = (purpose.is_to_announce() && !scope.announces)
                || (purpose.is_to_allocate() && !scope.allocates);
            !is_left_out
        });
        kinds.sort_by_key(purpose);
        let resources = kinds.into_iter().filter_map(|kind| Self::of(kind, scope));
        resources.collect()
    }

    fn of(kind: Kind, scope: &Scope<'_>) -> Option<Self> {
        let info = kind.info();
        let one = |name: &str| (Some(name.to_owned()), None);
        let all_with = |labels: &str| (None, Some(labels.to_owned()));
        let (name, labels) = match info.selection {
            Selection::All => (None, None),
            Selection::Labels(labels) => all_with(labels),
            Selection::Configuration => one(scope.config.name()),
            Selection::ThisNode => (scope.node.map(str::to_owned), None),
            Selection::Daemons => all_with(scope.pods?),
            Selection::OfThisNode => {
                all_with(&format!("{NODE_LABEL}={}", report::node_label(scope.node?)))
            }
            Selection::StateOfThisNode => one(&report::state_of_node(scope.node?)),
            Selection::StateOfController => one(report::STATE_OF_CONTROLLER),
        };
        let namespace = info.beside_configuration.then(|| scope.config.namespace());
        Some(Self {
            kind,
            namespace: namespace.map(str::to_owned),
            name,
            labels,
        })
    }

    /// The form in which they are asked for: that of metadata, if it is enough.
    fn accept(&self, metadata: &'static str) -> &'static str {
        if self.kind.info().purpose.is_in_metadata() {
            metadata
        } else {
            JSON
        }
    }

    fn path(&self) -> String {
        let info = self.kind.info();
        let root = match info.group {
            "" => format!("/api/{}", info.version),
            group => format!("/apis/{group}/{}", info.version),
        };
        match &self.namespace {
            Some(namespace) => format!("{root}/namespaces/{}/{}", encode(namespace), info.plural),
            None => format!("{root}/{}", info.plural),
        }
    }

    /// The part of a query that chooses among all of the kind.
    fn selector(&self) -> String {
        match (&self.name, &self.labels) {
            (Some(name), _) => {
                format!("fieldSelector={}", encode(&format!("metadata.name={name}")))
            }
            (None, Some(labels)) => format!("labelSelector={}", encode(labels)),
            (None, None) => String::new(),
        }
    }
}

/// As users know them.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.info().plural)
    }
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
    let mut uri = format!("{}?limit={limit}&{}", resource.path(), resource.selector());
    if let Some(next) = next {
        uri.push_str("&continue=");
        uri.push_str(&encode(next));
    }
    let page = async {
        let mut response = get(cluster, &uri, resource.accept(METADATA_LIST)).await?;
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
        resource.selector()
    );
    lines(cluster, &uri, resource.accept(METADATA)).await
}

/// Asks for what comes in lines, one by one.
pub(super) async fn lines(cluster: &Cluster, uri: &str, accept: &str) -> Result<Lines, Failure> {
    let response = timeout(PATIENCE, get(cluster, uri, accept)).await;
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

async fn get(cluster: &Cluster, uri: &str, accept: &str) -> Result<Response<Body>, Failure> {
    let request = Request::get(uri).header(header::ACCEPT, accept);
    send(cluster, request, Body::empty()).await
}

/// Sends a request. An answer that is none, or a refusal, is a failure.
pub(super) async fn send(
    cluster: &Cluster,
    request: Builder,
    body: Body,
) -> Result<Response<Body>, Failure> {
    let agent = concat!("carillon/", env!("CARGO_PKG_VERSION"));
    let request = request.header(header::USER_AGENT, agent).body(body);
    let request = request.map_err(|error| Failure::Garbage(error.to_string()))?;
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
