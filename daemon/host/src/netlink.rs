//! The kernel's word about links and addresses: dumps, notices and requests over route netlink.
//!
//! Two sockets: notices have one of their own, so that a storm of them cannot push out the answer
//! to a request, which would then never come.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use ipnet::IpNet;
use nix::sys::socket::{setsockopt, sockopt};
use rtnetlink::packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::packet_route::neighbour::NeighbourMessage;
use rtnetlink::packet_route::route::{RouteAttribute, RouteMessage, RouteType};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::sys::{AsyncSocket, SocketAddr, TokioSocket};
use rtnetlink::{Handle, MulticastGroup, new_connection, new_multicast_connection};
use tokio::task::JoinSet;

/// How much may wait in the kernel to be read, in bytes. The default holds the notices of some
/// hundred addresses that change at once.
const RECEIVE_BUFFER: usize = 4 << 20;

/// How long to wait before a dump is tried again that changes have interrupted.
const INTERRUPTED: Duration = Duration::from_millis(20);

/// Why the kernel cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// There is no socket to be had.
    #[error("the netlink socket to the kernel cannot be opened: {0}")]
    Open(#[source] io::Error),
    /// The kernel does not want to.
    #[error("the kernel refuses to list links and addresses: {0}")]
    Refused(#[source] io::Error),
    /// It could be read before.
    #[error("the netlink socket to the kernel has failed")]
    Closed,
    /// More has changed at once than could be read. What is told from here on may be about what was
    /// before, with its end among what is lost: only a new connection tells the truth.
    #[error("changes of links and addresses have been lost")]
    Lost,
}

/// A way to the kernel of the network namespace in which it was opened.
#[derive(Debug)]
pub(crate) struct Netlink {
    handle: Handle,
    notices: UnboundedReceiver<(NetlinkMessage<RouteNetlinkMessage>, SocketAddr)>,
    /// They move the sockets, and end with this.
    _sockets: JoinSet<()>,
}

impl Netlink {
    /// Opens it, subscribed to all that happens to links and addresses.
    ///
    /// # Errors
    /// No socket can be had.
    pub(crate) fn open() -> Result<Self, NetlinkError> {
        let groups = [
            MulticastGroup::Link,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv6Ifaddr,
        ];
        let (mut follower, _, notices) =
            new_multicast_connection(&groups).map_err(NetlinkError::Open)?;
        enlarge(follower.socket_mut());
        let (mut asker, handle, _) = new_connection().map_err(NetlinkError::Open)?;
        enlarge(asker.socket_mut());
        asker.set_forward_done(true);
        let mut sockets = JoinSet::new();
        sockets.spawn(follower);
        sockets.spawn(asker);
        Ok(Self {
            handle,
            notices,
            _sockets: sockets,
        })
    }

    /// For requests.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// All links, and then all addresses, as the notices of their creation. Changes meanwhile are
    /// told by [`Self::next`], and may repeat what is known from here: after the last of them all
    /// is as it is.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub(crate) async fn dump(&self) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        loop {
            let mut all = Vec::new();
            let links = RouteNetlinkMessage::GetLink(LinkMessage::default());
            let addresses = RouteNetlinkMessage::GetAddress(AddressMessage::default());
            if self.list(links, &mut all).await? && self.list(addresses, &mut all).await? {
                return Ok(all);
            }
            tokio::time::sleep(INTERRUPTED).await;
        }
    }

    /// Lists one kind; whether it is complete: changes in the midst of it make the kernel skip
    /// what has not changed.
    async fn list(
        &self,
        request: RouteNetlinkMessage,
        all: &mut Vec<RouteNetlinkMessage>,
    ) -> Result<bool, NetlinkError> {
        let mut request = NetlinkMessage::from(request);
        request.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let mut handle = self.handle.clone();
        let mut answers = handle.request(request).map_err(|_| NetlinkError::Closed)?;
        let mut complete = true;
        while let Some(answer) = answers.next().await {
            complete &= answer.header.flags & NLM_F_DUMP_INTR == 0;
            match answer.payload {
                NetlinkPayload::InnerMessage(message) => all.push(message),
                NetlinkPayload::Done(done) if done.code == 0 => return Ok(complete),
                NetlinkPayload::Done(done) => {
                    let error = io::Error::from_raw_os_error(done.code.saturating_abs());
                    return Err(NetlinkError::Refused(error));
                }
                NetlinkPayload::Error(error) => return Err(NetlinkError::Refused(error.to_io())),
                _ => {}
            }
        }
        Err(NetlinkError::Closed)
    }

    /// All stations that the kernel knows, or wants to know.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub(crate) async fn neighbours(&self) -> Result<Vec<NeighbourMessage>, NetlinkError> {
        let wanted = RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default());
        let mut all = Vec::new();
        // It changes all the time: what is skipped is there the next time.
        let _is_complete = self.list(wanted, &mut all).await?;
        let neighbours = all.into_iter().filter_map(|message| match message {
            RouteNetlinkMessage::NewNeighbour(neighbour) => Some(neighbour),
            _ => None,
        });
        Ok(neighbours.collect())
    }

    /// The index of the interface by which the kernel sends to other hosts of a subnet; `None` if it
    /// has no route there.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub(crate) async fn route_to(&self, subnet: IpNet) -> Result<Option<u32>, NetlinkError> {
        for host in some_hosts(subnet) {
            let route = self.route_of(host).await?;
            match route.as_ref().map(|route| route.header.kind) {
                None => return Ok(None),
                Some(RouteType::Unicast) => return Ok(route.as_ref().and_then(outgoing)),
                // An address of this node, or for many: it tells nothing of the others.
                Some(_) => {}
            }
        }
        Ok(None)
    }

    async fn route_of(&self, host: IpAddr) -> Result<Option<RouteMessage>, NetlinkError> {
        let mut wanted = RouteMessage::default();
        (
            wanted.header.address_family,
            wanted.header.destination_prefix_length,
        ) = match host {
            IpAddr::V4(_) => (AddressFamily::Inet, 32),
            IpAddr::V6(_) => (AddressFamily::Inet6, 128),
        };
        wanted.attributes = vec![RouteAttribute::Destination(host.into())];
        let mut request = NetlinkMessage::from(RouteNetlinkMessage::GetRoute(wanted));
        request.header.flags = NLM_F_REQUEST;
        let mut handle = self.handle.clone();
        let mut answers = handle.request(request).map_err(|_| NetlinkError::Closed)?;
        match answers.next().await.map(|answer| answer.payload) {
            Some(NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(route))) => {
                Ok(Some(route))
            }
            Some(_) => Ok(None),
            None => Err(NetlinkError::Closed),
        }
    }

    /// The next change.
    ///
    /// # Errors
    /// There will be none, or some have been lost.
    pub(crate) async fn next(&mut self) -> Result<RouteNetlinkMessage, NetlinkError> {
        while let Some((message, _)) = self.notices.next().await {
            if let Some(change) = change(message)? {
                return Ok(change);
            }
        }
        Err(NetlinkError::Closed)
    }

    /// A change that waits to be read, if there is any.
    ///
    /// # Errors
    /// Some have been lost.
    pub(crate) fn try_next(&mut self) -> Result<Option<RouteNetlinkMessage>, NetlinkError> {
        while let Ok((message, _)) = self.notices.try_recv() {
            if let Some(change) = change(message)? {
                return Ok(Some(change));
            }
        }
        Ok(None)
    }
}

/// A few addresses out of the middle of a subnet: at its ends are routers.
fn some_hosts(subnet: IpNet) -> impl Iterator<Item = IpAddr> {
    (0..8).map(move |number| match subnet {
        IpNet::V4(subnet) => {
            let half = (!subnet.netmask().to_bits()).div_ceil(2);
            let host = half.wrapping_add(number) & !subnet.netmask().to_bits();
            Ipv4Addr::from_bits(subnet.network().to_bits() | host).into()
        }
        IpNet::V6(subnet) => {
            let half = (!subnet.netmask().to_bits()).div_ceil(2);
            let host = half.wrapping_add(number.into()) & !subnet.netmask().to_bits();
            Ipv6Addr::from_bits(subnet.network().to_bits() | host).into()
        }
    })
}

fn outgoing(route: &RouteMessage) -> Option<u32> {
    route
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Oif(index) => Some(*index),
            _ => None,
        })
}

fn change(
    message: NetlinkMessage<RouteNetlinkMessage>,
) -> Result<Option<RouteNetlinkMessage>, NetlinkError> {
    match message.payload {
        NetlinkPayload::InnerMessage(message) => Ok(Some(message)),
        NetlinkPayload::Overrun(_) => Err(NetlinkError::Lost),
        _ => Ok(None),
    }
}

/// A small buffer only loses notices, of which the kernel tells.
fn enlarge(socket: &mut TokioSocket) {
    let socket = socket.socket_mut();
    // Beyond the limit of the system only with CAP_NET_ADMIN.
    if setsockopt(socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
        let _ = setsockopt(socket, sockopt::RcvBuf, &RECEIVE_BUFFER);
    }
}

/// The address that this message is about: the own one, where there is a peer too.
pub(crate) fn local_of(message: &AddressMessage) -> Option<IpAddr> {
    let mut address = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => return Some(*ip),
            AddressAttribute::Address(ip) => address = Some(*ip),
            _ => {}
        }
    }
    address
}

/// All flags of the address that this message is about. Kernels of old tell them only in the
/// header.
pub(crate) fn flags_of(message: &AddressMessage) -> AddressFlags {
    let all = message.attributes.iter().find_map(|one| match one {
        AddressAttribute::Flags(flags) => Some(*flags),
        _ => None,
    });
    all.unwrap_or_else(|| AddressFlags::from_bits_retain(message.header.flags.bits().into()))
}
