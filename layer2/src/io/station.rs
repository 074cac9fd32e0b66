//! The other end of a wire, for the contract test of a protocol: a station that remembers what was
//! announced to it, and asks who has what.
#![expect(clippy::expect_used, reason = "a test fails by it")]

use std::collections::BTreeSet;
use std::fs::read_to_string;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use carillon_core::address::Family;
use carillon_core::announcement::AnnouncementSet;
use carillon_core::backend::contract::{Wire, set_of};
use carillon_core::interface::{Exclusion, Interface, Interfaces};
use carillon_core::mark::Mark;
use carillon_core::testing::announcement;

use super::port::LONGEST_FRAME;
use super::socket::PacketSocket;
use crate::coverage::Coverage;
use crate::message::Saying;
use crate::protocol::{Link, Protocol};

/// How often it is looked whether there still is somebody who could answer.
const LOOK: Duration = Duration::from_millis(50);

/// A station with a neighbour cache: it has the VIPs that were announced to it and are answered.
///
/// One more VIP is in every set that it describes. It is asked for last, so whoever has answered for it
/// has answered all questions before.
pub struct Station<P> {
    node: Interface,
    link: Link,
    socket: PacketSocket,
    announced: BTreeSet<IpAddr>,
    protocol: PhantomData<P>,
}

impl<P: Protocol> Station<P> {
    /// A station on the interface `own`, at the other end of which is `node`, that of the backend.
    ///
    /// # Panics
    /// If it cannot speak there.
    pub fn new(node: Interface, own: &Interface) -> Self {
        let link = P::link(own).expect("it has what is needed to ask");
        let all = match P::FAMILY {
            Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED)..=IpAddr::V4(Ipv4Addr::BROADCAST),
            Family::V6 => {
                IpAddr::V6(Ipv6Addr::UNSPECIFIED)..=IpAddr::V6(Ipv6Addr::from([0xff; 16]))
            }
        };
        let filter = P::filter(link.mac, &Coverage::Spans(vec![all]));
        let socket = PacketSocket::open(own.index, P::ETHERTYPE, &filter);
        Self {
            node,
            link,
            socket: socket.expect("the interface is up"),
            announced: BTreeSet::new(),
            protocol: PhantomData,
        }
    }

    fn last() -> IpAddr {
        match P::FAMILY {
            Family::V4 => IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)),
            Family::V6 => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1)),
        }
    }

    /// Asks for every VIP that a set may have.
    fn ask(&mut self) {
        let most = set_of(0, u8::MAX);
        let vips = most.by_vip.keys().copied();
        let vips = vips.filter(|vip| Family::of(*vip) == P::FAMILY);
        for vip in vips.chain([Self::last()]) {
            let mark = Mark::of("station", 0);
            P::encode(Saying::Probe(vip), self.link, mark, &mut |frame| {
                self.socket.send(frame).expect("the interface is up");
            });
        }
    }

    /// Reads what has come in, and adds what is an answer.
    fn read(&mut self, answered: &mut BTreeSet<IpAddr>) {
        let mut buffer = [0; LONGEST_FRAME];
        while let Some(length) = self.socket.receive(&mut buffer).expect("the link is up") {
            let message = buffer.get(..length).and_then(P::decode);
            let message = message.filter(|message| Some(message.station) == self.node.mac);
            let Some((message, vip)) = message.and_then(|message| Some((message, message.claim?)))
            else {
                continue;
            };
            if message.is_direct {
                answered.insert(vip);
            } else {
                self.announced.insert(vip);
            }
        }
    }

    /// Whether any packet socket is open on the node's interface.
    fn is_somebody_there(&self) -> bool {
        let sockets = read_to_string("/proc/thread-self/net/packet").expect("it is Linux");
        let index = self.node.index.to_string();
        let mut sockets = sockets.lines();
        sockets.any(|socket| socket.split_whitespace().nth(4) == Some(&index))
    }
}

impl<P: Protocol> Wire for Station<P> {
    fn describe(&self, set: &mut AnnouncementSet) {
        let interfaces = [self.node.clone()];
        set.interfaces = Arc::new(Interfaces::usable(&interfaces, &Exclusion::default()));
        let announcement = Arc::new(announcement("contract"));
        set.by_vip.insert(Self::last(), announcement);
    }

    async fn connect(&mut self) {}

    fn neighbor(&self) -> String {
        self.node.name.to_string()
    }

    fn takes(&self, vip: IpAddr) -> bool {
        Family::of(vip) == P::FAMILY
    }

    async fn heard(&mut self) -> BTreeSet<IpAddr> {
        let mut answered = BTreeSet::new();
        self.ask();
        loop {
            let is_over = !self.is_somebody_there();
            self.read(&mut answered);
            if is_over || answered.contains(&Self::last()) {
                break;
            }
            let ready = poll_fn(|cx| self.socket.poll_ready(cx));
            let ready = tokio::time::timeout(LOOK, ready).await;
            ready.unwrap_or(Ok(())).expect("the link is up");
        }
        self.announced.retain(|vip| answered.contains(vip));
        self.announced.clone()
    }
}
