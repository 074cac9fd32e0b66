//! Scripted routers on the loopback interface, for tests.
#![expect(clippy::disallowed_types, reason = "a scripted router has a socket")]

use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use carillon_core::address::Family;
use carillon_core::config::Peer;
use carillon_core::testing::peer;
use ipnet::IpNet;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::packet::message::put_keepalive;
use crate::packet::{
    Capabilities, DecodeContext, FamilySet, Frame, Message, Notification, Open, PeerType, Update,
};

const LIMIT: Duration = Duration::from_secs(60);

/// Waits for something, but not for ever.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("in time")
}

/// An external router of AS 64512.
pub(crate) fn peer_at(address: SocketAddr) -> Peer {
    Peer {
        port: address.port(),
        ..peer(&address.ip().to_string(), 64512)
    }
}

/// A router's end of a connection.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    octets: Vec<u8>,
    /// The routes received and not withdrawn.
    pub(crate) table: BTreeSet<IpNet>,
}

impl Connection {
    pub(crate) async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = soon(listener.accept()).await.unwrap();
        Self {
            stream,
            octets: Vec::new(),
            table: BTreeSet::new(),
        }
    }

    /// A connection whose handshake is done.
    pub(crate) async fn establish(listener: &TcpListener) -> Self {
        let mut connection = Self::accept(listener).await;
        assert!(matches!(connection.message().await, Some(Message::Open(_))));
        let open = Open {
            asn: 64512,
            hold_time: 90,
            router_id: Ipv4Addr::new(1, 1, 1, 1),
            capabilities: Capabilities {
                multiprotocol: Some(FamilySet::from_iter([Family::V4, Family::V6])),
                four_octet_as: true,
                route_refresh: true,
            },
        };
        connection.say(|out| open.encode(out)).await;
        assert_eq!(connection.message().await, Some(Message::Keepalive));
        connection.say(put_keepalive).await;
        connection
    }

    pub(crate) async fn say(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        let mut octets = Vec::new();
        put(&mut octets);
        self.stream.write_all(&octets).await.unwrap();
    }

    /// The next message; `None` at the end of the connection.
    pub(crate) async fn message(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.next_message() {
                return Some(message);
            }
            let mut buffer = [0; 4096];
            let count = soon(self.stream.read(&mut buffer)).await.unwrap();
            if count == 0 {
                return None;
            }
            self.octets.extend(&buffer[..count]);
        }
    }

    /// The next message of what has been read.
    fn next_message(&mut self) -> Option<Message> {
        let context = DecodeContext {
            peer_type: PeerType::External,
            four_octet_as: true,
            families: FamilySet::from_iter([Family::V4, Family::V6]),
        };
        let frame = Frame::parse(&self.octets).unwrap()?;
        let message = Message::decode(frame, context).unwrap();
        let size = frame.size();
        self.octets.drain(..size);
        Some(message)
    }

    /// Reads what is there, and waits for nothing: what our TCP has acknowledged is.
    pub(crate) fn catch_up(&mut self) {
        let socket = SockRef::from(&self.stream);
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = (&*socket).read(&mut buffer) {
            self.octets.extend(&buffer[..count]);
        }
        while let Some(message) = self.next_message() {
            match message {
                Message::Update(update) => self.apply(update),
                Message::Open(_)
                | Message::Keepalive
                | Message::Notification(_)
                | Message::RouteRefresh(_) => {}
            }
        }
    }

    /// Reads until the table has `count` routes.
    pub(crate) async fn table_of(&mut self, count: usize) {
        while self.table.len() != count {
            self.update().await;
        }
    }

    /// Reads to the next UPDATE with prefixes, and returns those, announced or withdrawn.
    pub(crate) async fn next_change(&mut self) -> Vec<IpNet> {
        loop {
            match self.message().await.expect("the connection stays") {
                Message::Update(update) => {
                    let prefixes = [update.announced, update.withdrawn].concat();
                    if !prefixes.is_empty() {
                        return prefixes;
                    }
                }
                Message::Keepalive => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Reads an UPDATE into the table.
    pub(crate) async fn update(&mut self) {
        match self.message().await.expect("the connection stays") {
            Message::Update(update) => self.apply(update),
            Message::Keepalive => {}
            other => panic!("{other:?}"),
        }
    }

    fn apply(&mut self, update: Update) {
        if !update.faults.is_empty() {
            // The next hop is on the loopback interface, and therefore wrong: that is how
            // announcements are told from withdrawals.
            self.table.extend(update.withdrawn);
            return;
        }
        self.table.extend(update.announced);
        for prefix in update.withdrawn {
            assert!(self.table.remove(&prefix), "{prefix} was never announced");
        }
    }

    /// Reads to the end of the connection, and returns the NOTIFICATION before it.
    pub(crate) async fn last_words(&mut self) -> Option<Notification> {
        let mut last = None;
        while let Some(message) = self.message().await {
            last = match message {
                Message::Notification(notification) => Some(notification),
                _ => None,
            };
        }
        last
    }
}
