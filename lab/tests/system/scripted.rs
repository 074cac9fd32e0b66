//! A BGP peer that does what the test tells it to, octet by octet.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use carillon_lab::{Host, wait};

pub(crate) const OPEN: u8 = 1;
pub(crate) const UPDATE: u8 = 2;
pub(crate) const NOTIFICATION: u8 = 3;
pub(crate) const KEEPALIVE: u8 = 4;
pub(crate) const ROUTE_REFRESH: u8 = 5;

/// Longer than any pause between attempts to connect.
const PATIENCE: Duration = Duration::from_secs(45);

/// A whole message.
pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(19 + body.len()).unwrap();
    let mut octets = vec![0xff; 16];
    octets.extend(length.to_be_bytes());
    octets.push(kind);
    octets.extend(body);
    octets
}

/// What an OPEN says.
#[derive(Clone)]
pub(crate) struct Open {
    pub(crate) version: u8,
    pub(crate) asn: u16,
    pub(crate) hold_time: u16,
    pub(crate) router_id: [u8; 4],
    pub(crate) parameters: Vec<u8>,
}

/// That of a good peer in AS 64512, with the capabilities IPv4 unicast and ROUTE-REFRESH.
impl Default for Open {
    fn default() -> Self {
        Self {
            version: 4,
            asn: 64512,
            hold_time: 90,
            router_id: [192, 0, 2, 99],
            parameters: vec![2, 8, 1, 4, 0, 1, 0, 1, 2, 0],
        }
    }
}

impl Open {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut body = vec![self.version];
        body.extend(self.asn.to_be_bytes());
        body.extend(self.hold_time.to_be_bytes());
        body.extend(self.router_id);
        body.push(u8::try_from(self.parameters.len()).unwrap());
        body.extend(&self.parameters);
        message(OPEN, &body)
    }
}

/// An UPDATE from its three fields.
pub(crate) fn update(withdrawn: &[u8], attributes: &[u8], nlri: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for field in [withdrawn, attributes] {
        body.extend(u16::try_from(field.len()).unwrap().to_be_bytes());
        body.extend(field);
    }
    body.extend(nlri);
    message(UPDATE, &body)
}

/// Where a scripted peer waits for the daemon.
pub(crate) struct Listener(TcpListener);

impl Listener {
    /// Listens on a host.
    pub(crate) fn bind(host: &Host, address: SocketAddr) -> Result<Self> {
        let listener = host.enter(|| TcpListener::bind(address))??;
        listener.set_nonblocking(true)?;
        Ok(Self(listener))
    }

    /// Waits for the daemon to connect.
    pub(crate) fn accept(&self) -> Result<Session> {
        let what = format!("a connection to {}", self.0.local_addr()?);
        let (stream, _) = wait::until(what, PATIENCE, || Ok(self.0.accept()?))?;
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Session(stream))
    }

    /// A connection, if the daemon has made one.
    pub(crate) fn try_accept(&self) -> Option<Session> {
        let (stream, _) = self.0.accept().ok()?;
        stream.set_nonblocking(false).ok()?;
        Some(Session(stream))
    }

    /// Waits for the daemon to connect and establishes a session with a good OPEN.
    pub(crate) fn establish(&self) -> Result<Session> {
        let mut session = self.accept()?;
        session.establish(&Open::default())?;
        Ok(session)
    }
}

/// A connection from the daemon.
pub(crate) struct Session(TcpStream);

impl Session {
    /// Sends whatever it is.
    pub(crate) fn send(&mut self, octets: &[u8]) -> Result<()> {
        Ok(self.0.write_all(octets)?)
    }

    /// Sending fails if the daemon takes nothing for this long.
    pub(crate) fn set_write_timeout(&self, timeout: Duration) -> Result<()> {
        Ok(self.0.set_write_timeout(Some(timeout))?)
    }

    /// Asks for all IPv4 routes over and over and reads none of them, until the daemon does not
    /// read either.
    pub(crate) fn ask_until_full(&mut self) -> Result<()> {
        self.set_write_timeout(Duration::from_secs(1))?;
        let requests = message(ROUTE_REFRESH, &[0, 1, 0, 1]).repeat(1000);
        let mut sent = 0..100;
        sent.find(|_| self.send(&requests).is_err());
        Ok(())
    }

    /// Receives the next message: type and body. An error when the daemon closed the connection.
    pub(crate) fn receive(&mut self) -> Result<(u8, Vec<u8>)> {
        let mut header = [0; 19];
        self.0.read_exact(&mut header).context("no message")?;
        ensure!(header[..16] == [0xff; 16], "a bad marker: {header:?}");
        let length = usize::from(u16::from_be_bytes([header[16], header[17]]));
        ensure!((19..=4096).contains(&length), "a length of {length}");
        let mut body = vec![0; length - 19];
        self.0.read_exact(&mut body).context("half a message")?;
        Ok((header[18], body))
    }

    /// Receives messages until one of this type comes; returns its body. A NOTIFICATION that is not
    /// expected is an error.
    pub(crate) fn await_message(&mut self, kind: u8) -> Result<Vec<u8>> {
        loop {
            match self.receive()? {
                (received, body) if received == kind => return Ok(body),
                (NOTIFICATION, body) => bail!("the notification {body:?}"),
                _ => {}
            }
        }
    }

    /// Exchanges OPENs and KEEPALIVEs.
    pub(crate) fn establish(&mut self, open: &Open) -> Result<()> {
        self.await_message(OPEN)?;
        self.send(&open.encode())?;
        self.send(&message(KEEPALIVE, &[]))?;
        self.await_message(KEEPALIVE)?;
        Ok(())
    }

    /// Receives until an UPDATE comes that announces or withdraws something.
    pub(crate) fn await_route(&mut self) -> Result<Vec<u8>> {
        loop {
            let body = self.await_message(UPDATE)?;
            if body != [0; 4] {
                return Ok(body);
            }
        }
    }

    /// Asks for all IPv4 routes again, and waits for the first of them: whatever was sent before
    /// has been read, and the session is alive.
    pub(crate) fn refresh(&mut self) -> Result<()> {
        self.send(&message(ROUTE_REFRESH, &[0, 1, 0, 1]))?;
        self.await_route()?;
        Ok(())
    }

    /// Makes sure that the daemon closes the connection and sends nothing before.
    pub(crate) fn await_close(&mut self) -> Result<()> {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(0) => Ok(()),
            Ok(_) => bail!("{rest:?} before the end"),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(()),
            Err(error) => Err(error).context("no end of the connection"),
        }
    }
}
