//! An API server that does what a test says, right or wrong.
#![expect(clippy::disallowed_types, reason = "a scripted API server has sockets")]

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::super::client::{Access, Cluster, connect};

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// `services`, `endpointslices` and so on, or the name of the one object that it is about.
    pub(super) resource: String,
    /// `GET`, `POST` or `PATCH`.
    pub(super) method: String,
    /// The form in which it wants the answer.
    pub(super) accept: String,
    /// What comes with it.
    pub(super) body: String,
    /// Everything behind the question mark.
    pub(super) query: String,
    /// How many requests for this resource came before.
    pub(super) number: usize,
}

impl Request {
    /// Whether it asks for Services.
    pub(super) fn is_services(&self) -> bool {
        self.resource == "services"
    }

    /// From which version on it asks for changes, if it does.
    pub(super) fn watches(&self) -> Option<&str> {
        let mut parameters = self.query.split('&');
        let version = parameters.find_map(|parameter| parameter.strip_prefix("resourceVersion="));
        version.filter(|_| self.query.contains("watch=true"))
    }
}

/// What the server answers.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// A status and a body.
    Body(u16, String),
    /// The lines of a watch; then it stays open, or ends.
    Watch(Vec<String>, End),
    /// These bytes over and over again, with a head that promises text without end.
    Endless(&'static str),
    /// These bytes, and then the connection is cut.
    Bytes(String),
    /// Nothing.
    Silence,
}

/// How a watch goes on.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// Not at all: it stays open.
    Open,
    /// It ends as it should.
    Whole,
    /// It is cut within a chunk.
    Cut,
}

/// A list of these objects.
pub(super) fn list(version: u32, items: &[Value]) -> Reply {
    let metadata = json!({"resourceVersion": version.to_string()});
    let list = json!({"kind": "List", "metadata": metadata, "items": items});
    Reply::Body(200, list.to_string())
}

/// What the API server says when it refuses.
pub(super) fn refusal(code: u16, message: &str) -> Reply {
    Reply::Body(code, status(code, message).to_string())
}

/// A `Status`.
pub(super) fn status(code: u16, message: &str) -> Value {
    json!({"kind": "Status", "status": "Failure", "code": code, "message": message})
}

/// A line of a watch.
pub(super) fn event(kind: &str, object: &Value) -> String {
    json!({"type": kind, "object": object}).to_string()
}

/// A Service.
pub(super) fn service(name: &str, version: u32) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "default", "resourceVersion": version.to_string()},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
    })
}

/// A Service that no API server would have accepted.
pub(super) fn wrong_service(name: &str, version: u32) -> Value {
    let mut wrong = service(name, version);
    wrong["spec"]["type"] = json!("Balanced");
    wrong
}

/// What a script says about a request; `None` is for an empty cluster's answer.
pub(super) type Script = dyn FnMut(&Request) -> Option<Reply> + Send;

/// See the module's documentation.
pub(super) struct Server {
    /// The way to it.
    pub(super) cluster: Cluster,
    /// All requests that came.
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Starts it on a port of its own.
    pub(super) async fn start(
        script: impl FnMut(&Request) -> Option<Reply> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let cluster = cluster(&server).await;
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(script));
        let log = requests.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(answer(client, script.clone(), log.clone()));
            }
        });
        Self { cluster, requests }
    }

    /// The requests for Services that have come.
    pub(super) fn services(&self) -> Vec<Request> {
        self.of("services")
    }

    /// The requests for a resource that have come.
    pub(super) fn of(&self, resource: &str) -> Vec<Request> {
        let requests = self.requests.lock().unwrap();
        let those = requests
            .iter()
            .filter(|request| request.resource == resource);
        those.cloned().collect()
    }

    /// Waits until such a request has come.
    pub(super) async fn until(&self, what: impl Fn(&Request) -> bool) {
        while !self.requests.lock().unwrap().iter().any(&what) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The way to a server that asks for no secrets.
async fn cluster(server: &str) -> Cluster {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": server}}],
        "contexts": [{"name": "test", "context": {"cluster": "test"}}],
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, config.to_string()).unwrap();
    let access = Access {
        kubeconfig: Some(file.path().to_owned()),
        context: None,
    };
    connect(&access).await.unwrap()
}

/// Answers the requests of one connection.
async fn answer(
    mut client: TcpStream,
    script: Arc<Mutex<Script>>,
    log: Arc<Mutex<Vec<Request>>>,
) -> Option<()> {
    loop {
        let request = read(&mut client, &log).await?;
        let scripted = (script.lock().unwrap())(&request);
        let empty = || match request.watches() {
            _ if request.resource == "selfsubjectaccessreviews" => {
                Reply::Body(201, json!({"status": {"allowed": true}}).to_string())
            }
            Some(_) => Reply::Watch(Vec::new(), End::Open),
            None => list(1, &[]),
        };
        write(&mut client, scripted.unwrap_or_else(empty)).await?;
    }
}

/// The next request.
async fn read(client: &mut TcpStream, log: &Mutex<Vec<Request>>) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut words = head.split_whitespace();
    let (method, target) = (words.next().unwrap().to_owned(), words.next().unwrap());
    let header = |wanted: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value)
    };
    let length = header("content-length");
    let accept = header("accept").unwrap_or_default().to_owned();
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    client.read_exact(&mut body).await.ok()?;
    let body = String::from_utf8(body).unwrap();
    let (path, query) = target.split_once('?').unwrap();
    let resource = path.rsplit('/').next().unwrap().to_owned();
    let mut log = log.lock().unwrap();
    let number = log
        .iter()
        .filter(|request| request.resource == resource)
        .count();
    let query = query.to_owned();
    let request = Request {
        resource,
        method,
        accept,
        body,
        query,
        number,
    };
    log.push(request.clone());
    Some(request)
}

/// Writes a reply; `None` if that is the end of the connection.
async fn write(client: &mut TcpStream, reply: Reply) -> Option<()> {
    match reply {
        Reply::Body(code, body) => {
            let head = format!(
                "HTTP/1.1 {code} X\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            client.write_all((head + &body).as_bytes()).await.ok()
        }
        Reply::Watch(lines, end) => {
            let mut text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
            for line in lines {
                let _ = write!(text, "{:x}\r\n{line}\n\r\n", line.len() + 1);
            }
            text += match end {
                End::Open => "",
                End::Whole => "0\r\n\r\n",
                End::Cut => "ff\r\n{\"type\": \"ADD",
            };
            client.write_all(text.as_bytes()).await.ok()?;
            match end {
                End::Open => std::future::pending().await,
                End::Whole => Some(()),
                End::Cut => None,
            }
        }
        Reply::Endless(text) => {
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
            client.write_all(head.as_bytes()).await.ok()?;
            let text = text.repeat(1 << 16);
            while client.write_all(text.as_bytes()).await.is_ok() {}
            None
        }
        Reply::Bytes(bytes) => {
            client.write_all(bytes.as_bytes()).await.ok()?;
            None
        }
        Reply::Silence => std::future::pending().await,
    }
}
