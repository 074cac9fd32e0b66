//! Requests to the API, many of them quickly: by curl, which keeps connections and sends in
//! parallel.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::host::Host;
use crate::kubernetes::Access;
use crate::process::output;

/// How many requests are under way at a time.
const PARALLEL: usize = 32;

/// A request to the API.
#[derive(Clone, Debug)]
pub struct Request {
    method: &'static str,
    path: String,
    content: &'static str,
    body: Option<Value>,
}

impl Request {
    /// Reads what is at a path, `/api/v1/namespaces/default/services/web`.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path, "application/json", None)
    }

    /// Creates an object in a collection, `/api/v1/namespaces/default/services`.
    pub fn create(collection: impl Into<String>, object: Value) -> Self {
        Self::new("POST", collection, "application/json", Some(object))
    }

    /// Replaces the object at a path.
    pub fn replace(path: impl Into<String>, object: Value) -> Self {
        Self::new("PUT", path, "application/json", Some(object))
    }

    /// Merges a patch (RFC 7396) into the object at a path, or its `…/status`.
    pub fn patch(path: impl Into<String>, patch: Value) -> Self {
        Self::new("PATCH", path, "application/merge-patch+json", Some(patch))
    }

    /// Deletes the object at a path, or all of a collection.
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new("DELETE", path, "application/json", None)
    }

    fn new(
        method: &'static str,
        path: impl Into<String>,
        content: &'static str,
        body: Option<Value>,
    ) -> Self {
        let path = path.into();
        Self {
            method,
            path,
            content,
            body,
        }
    }

    /// The request as HTTP/1.1 has it.
    pub(crate) fn message(&self, token: &str) -> String {
        let Self {
            method,
            path,
            content,
            body,
        } = self;
        let body = body.as_ref().map_or(String::new(), Value::to_string);
        let length = body.len();
        format!(
            "{method} {path} HTTP/1.1\r\nHost: kubernetes\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: {content}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    }

    /// The request as curl's configuration file has it.
    fn config(&self, access: &Access, config: &mut String) {
        let _ = writeln!(config, "request = {}", self.method);
        let _ = writeln!(config, "url = {}{}", access.server, self.path);
        let _ = writeln!(config, "cacert = {}", access.authority.display());
        let _ = writeln!(
            config,
            "header = \"Authorization: Bearer {}\"",
            access.token
        );
        if let Some(body) = &self.body {
            let body = body.to_string().replace('\\', "\\\\").replace('"', "\\\"");
            let _ = writeln!(config, "header = \"Content-Type: {}\"", self.content);
            let _ = writeln!(config, "data = \"{body}\"");
        }
    }
}

/// Sends one request and returns the answer.
pub(crate) fn send(host: &Host, access: &Access, request: &Request) -> Result<Value> {
    let mut config = String::from("silent\nshow-error\nfail-with-body\nmax-time = 60\n");
    request.config(access, &mut config);
    let file = host.file("request.conf");
    fs::write(&file, config)?;
    let answer = output(host.command("curl").arg("--config").arg(&file))?;
    serde_json::from_str(&answer).with_context(|| format!("{}: {answer}", request.path))
}

/// Sends many requests, in no order; fails when one is refused.
pub(crate) fn send_all(host: &Host, access: &Access, requests: &[Request]) -> Result<()> {
    let mut config = format!("parallel\nparallel-max = {PARALLEL}\n");
    for (n, request) in requests.iter().enumerate() {
        config.push_str(if n == 0 { "" } else { "next\n" });
        request.config(access, &mut config);
        config.push_str("silent\nshow-error\noutput = /dev/null\n");
        let _ = writeln!(config, "write-out = \"%{{http_code}} {}\\n\"", request.path);
    }
    let file = host.file("requests.conf");
    fs::write(&file, config)?;
    let codes = output(host.command("curl").arg("--config").arg(&file))?;
    if let Some(refused) = codes.lines().find(|line| !line.starts_with('2')) {
        bail!("a request was refused: {refused}");
    }
    Ok(())
}
