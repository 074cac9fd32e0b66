//! A connection to the API that stays open, for where the time that a request takes is measured.

use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

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

    /// Sends a request and returns the answer; a status other than 2xx is an error.
    pub fn send(&mut self, request: &Request) -> Result<Value> {
        let message = request.message(&self.token);
        let stream = self.stream.get_mut();
        stream.write_all(message.as_bytes())?;
        stream.flush()?;
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
            let length = usize::from_str_radix(&self.read_line()?, 16)?;
            body.extend(self.read_bytes(length)?);
            self.read_line()?;
            if length == 0 {
                return Ok(body);
            }
        }
    }

    fn read_bytes(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}
