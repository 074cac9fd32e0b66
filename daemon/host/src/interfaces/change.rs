//! What a netlink message means for the interfaces.

use std::sync::Arc;

use carillon_core::interface::MacAddress;
use ipnet::IpNet;
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use rtnetlink::packet_route::link::{
    InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::assignment::is_marked;
use crate::netlink::{flags_of, local_of};

/// A change of the interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The link of this index is like this now.
    Link(u32, Link),
    /// It is gone, and all its addresses.
    LinkGone(u32),
    /// The link of this index can use this address.
    Address(u32, IpNet),
    /// It cannot: the address is gone, or is not certain to be unique.
    AddressGone(u32, IpNet),
}

/// An interface without its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// See the fields of [`carillon_core::interface::Interface`].
    pub(super) name: Arc<str>,
    pub(super) mac: Option<MacAddress>,
    pub(super) is_running: bool,
    pub(super) is_loopback: bool,
    pub(super) has_arp: bool,
    pub(super) has_master: bool,
    /// The index of the link through which it speaks with an Ethernet address of its own.
    pub(super) lower: Option<u32>,
}

impl Change {
    /// What this message changes, if anything.
    pub(super) fn of(message: &RouteNetlinkMessage) -> Option<Self> {
        match message {
            RouteNetlinkMessage::NewLink(link) => link_of(link),
            // With another family it is about a role: a bridge tells so that a port has left it.
            RouteNetlinkMessage::DelLink(link) => {
                let is_link = link.header.interface_family == AddressFamily::Unspec;
                is_link.then_some(Self::LinkGone(link.header.index))
            }
            RouteNetlinkMessage::NewAddress(address) => {
                let net = subnet_of(address)?;
                let index = address.header.index;
                Some(if counts(address) {
                    Self::Address(index, net)
                } else {
                    Self::AddressGone(index, net)
                })
            }
            RouteNetlinkMessage::DelAddress(address) => {
                let net = subnet_of(address)?;
                Some(Self::AddressGone(address.header.index, net))
            }
            _ => None,
        }
    }
}

fn link_of(message: &LinkMessage) -> Option<Change> {
    let header = &message.header;
    let (mut name, mut mac, mut has_master, mut has_state) = (None, None, false, false);
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(text) => name = Some(Arc::from(text.as_str())),
            LinkAttribute::Address(octets) => mac = <[u8; 6]>::try_from(octets.as_slice()).ok(),
            LinkAttribute::Controller(index) => has_master = *index != 0,
            LinkAttribute::OperState(_) => has_state = true,
            _ => {}
        }
    }
    // The events of wireless drivers come as messages about the link that lack nearly everything.
    if header.interface_family != AddressFamily::Unspec || !has_state {
        return None;
    }
    let is_ether = header.link_layer_type == LinkLayerType::Ether;
    let mac = mac.filter(|octets| is_ether && *octets != [0; 6]);
    let running = LinkFlags::Up | LinkFlags::Running | LinkFlags::LowerUp;
    let link = Link {
        name: name?,
        mac: mac.map(MacAddress),
        is_running: header.flags.contains(running),
        is_loopback: header.flags.contains(LinkFlags::Loopback),
        has_arp: !header.flags.contains(LinkFlags::Noarp),
        has_master,
        lower: lower_of(message),
    };
    Some(Change::Link(header.index, link))
}

/// The link below, if both are on one segment. One in another namespace is none of this node's.
fn lower_of(message: &LinkMessage) -> Option<u32> {
    let (mut lower, mut shares_segment) = (None, false);
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::Link(index) => lower = Some(*index),
            LinkAttribute::LinkNetNsId(_) => return None,
            LinkAttribute::LinkInfo(infos) => shares_segment = infos.iter().any(is_upper),
            _ => {}
        }
    }
    lower.filter(|_| shares_segment)
}

fn is_upper(info: &LinkInfo) -> bool {
    use InfoKind::{IpVlan, IpVtap, MacVlan, MacVtap};
    matches!(info, LinkInfo::Kind(MacVlan | MacVtap | IpVlan | IpVtap))
}

/// The address with its subnet. Where it has a peer, the prefix is that of the peer.
fn subnet_of(message: &AddressMessage) -> Option<IpNet> {
    let own = local_of(message)?;
    let subnet = IpNet::new(own, message.header.prefix_len).ok()?;
    let is_outside = |attribute: &AddressAttribute| match attribute {
        AddressAttribute::Address(peer) => !subnet.contains(peer),
        _ => false,
    };
    let has_far_peer = message.attributes.iter().any(is_outside);
    Some(if has_far_peer { own.into() } else { subnet })
}

/// Whether the address is usable, and of the node: a VIP that this daemon has put there must not
/// decide on which interface the VIP is announced.
fn counts(message: &AddressMessage) -> bool {
    let doubtful = AddressFlags::Tentative | AddressFlags::Dadfailed;
    !is_marked(message) && !flags_of(message).intersects(doubtful)
}
