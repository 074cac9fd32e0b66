//! A connection to the API that stays open, for where the time that a request takes is measured.

use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use crate::host::Host;
use crate::kubernetes::{Access, Request};

const TIMEOUT: Duration = Duration::from_secs(60);

/// A connection to the API server, HTTP/1.1 over TLS, with one request at a time.
pub struct Connection {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    token: String,
}

/// What comes before the body of an answer.
#[derive(Default)]
struct Head {
    status: u16,
    length: usize,
    chunked: bool,
}

impl Connection {
    /// Connects from `host`.
    pub(crate) fn open(host: &Host, access: &Access) -> Result<Self> {
        let server = access.server.trim_start_matches("https://");
        let server: SocketAddr = server.parse().with_context(|| format!("no {server}"))?;
        let stream = host.enter(|| TcpStream::connect(server))??;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(&access.authority)? {
            roots.add(certificate?)?;
        }
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tls = ClientConnection::new(Arc::new(config), server.ip().into())?;
        let stream = BufReader::new(StreamOwned::new(tls, stream));
        let token = access.token.clone();
        Ok(Self { stream, token })
    }

    /// Watches what a path selects, `/api/v1/services?watch=true`, and tells when each event was
    /// read.
    pub fn watch(mut self, path: &str) -> Result<Receiver<Instant>> {
        self.stream.get_ref().sock.set_read_timeout(None)?;
        self.write(&Request::get(path))?;
        let head = self.read_head()?;
        ensure!(head.status == 200 && head.chunked, "{path} is no watch");
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            // Ends with the API server, or when nobody listens.
            while self.read_chunk().is_ok_and(|chunk| !chunk.is_empty())
                && sender.send(Instant::now()).is_ok()
            {}
        });
        Ok(receiver)
    }

    /// Sends a request and returns the answer; a status other than 2xx is an error.
    pub fn send(&mut self, request: &Request) -> Result<Value> {
        self.write(request)?;
        let head = self.read_head()?;
        let body = self.read_body(&head)?;
        let text = String::from_utf8_lossy(&body);
        ensure!(
            (200..300).contains(&head.status),
            "the API server answers {}: {text}",
            head.status
        );
        serde_json::from_slice(&body).with_context(|| format!("no JSON: {text}"))
    }

    fn write(&mut self, request: &Request) -> Result<()> {
        let message = request.message(&self.token);
        let stream = self.stream.get_mut();
        stream.write_all(message.as_bytes())?;
        Ok(stream.flush()?)
    }

    fn read_line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        match line.strip_suffix("\r\n") {
            Some(line) => Ok(line.to_owned()),
            None => bail!("the API server ended an answer in the middle: {line:?}"),
        }
    }

    fn read_head(&mut self) -> Result<Head> {
        let status = self.read_line()?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut head = Head {
            status: status.context("not an answer of HTTP")?,
            ..Head::default()
        };
        loop {
            let line = self.read_line()?.to_ascii_lowercase();
            match line.split_once(": ") {
                Some(("content-length", length)) => head.length = length.parse()?,
                Some(("transfer-encoding", coding)) => head.chunked = coding == "chunked",
                Some(_) => (),
                None => return Ok(head),
            }
        }
    }

    fn read_body(&mut self, head: &Head) -> Result<Vec<u8>> {
        if !head.chunked {
            return self.read_bytes(head.length);
        }
        let mut body = Vec::new();
        loop {
            let chunk = self.read_chunk()?;
            if chunk.is_empty() {
                return Ok(body);
            }
            body.extend(chunk);
        }
    }

    /// The next part of a body; the last is empty.
    fn read_chunk(&mut self) -> Result<Vec<u8>> {
        let length = usize::from_str_radix(&self.read_line()?, 16)?;
        let chunk = self.read_bytes(length)?;
        self.read_line()?;
        Ok(chunk)
    }

    fn read_bytes(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}
