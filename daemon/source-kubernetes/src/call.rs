//! Requests that read one object or write.

use std::time::Duration;

use hyper::{Method, Request, header};
use kube::client::Body;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::api;
use super::client::Cluster;
use super::failure::Failure;

/// How long an answer may be.
const ANSWER_BYTES: usize = 8 << 20;
/// Who is named in `metadata.managedFields`.
const MANAGER: &str = "carillon";

/// How a body is to be understood.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content {
    /// As the whole object.
    Object,
    /// As what changes in it (RFC 7396).
    MergePatch,
}

/// Reads the object at a path.
pub(super) async fn get<T: DeserializeOwned>(
    cluster: &Cluster,
    path: &str,
    patience: Duration,
) -> Result<T, Failure> {
    let request = Request::get(format!("{path}?{}", limit(patience)));
    answer(cluster, request, Vec::new(), patience).await
}

/// Writes to a path. Neither we nor the API server take longer for it than `patience`.
///
/// # Errors
/// Unless the API server refuses, nobody knows whether it has been written or will be.
pub(super) async fn write<T: DeserializeOwned>(
    cluster: &Cluster,
    (method, path, content): (Method, &str, Content),
    body: &(impl Serialize + Sync),
    patience: Duration,
) -> Result<T, Failure> {
    let content = match content {
        Content::Object => "application/json",
        Content::MergePatch => "application/merge-patch+json",
    };
    let uri = format!("{path}?fieldManager={MANAGER}&{}", limit(patience));
    let request = Request::builder().method(method).uri(uri);
    let request = request.header(header::CONTENT_TYPE, content);
    let body = serde_json::to_vec(body).map_err(|error| Failure::Garbage(error.to_string()))?;
    answer(cluster, request, body, patience).await
}

fn limit(patience: Duration) -> String {
    format!("timeout={}ms", patience.as_millis())
}

async fn answer<T: DeserializeOwned>(
    cluster: &Cluster,
    request: hyper::http::request::Builder,
    body: Vec<u8>,
    patience: Duration,
) -> Result<T, Failure> {
    let answer = async {
        let request = request.header(header::ACCEPT, api::JSON);
        let mut response = api::send(cluster, request, Body::from(body)).await?;
        let answer = api::read(response.body_mut(), ANSWER_BYTES).await?;
        let answer = answer.ok_or_else(|| api::too_long("answer"))?;
        serde_json::from_slice(&answer).map_err(|error| Failure::Garbage(error.to_string()))
    };
    let answer = timeout(patience, answer).await;
    answer.unwrap_or_else(|_| Err(api::silent()))
}
