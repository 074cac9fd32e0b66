//! Netlink messages, as they matter to assigned addresses.

use std::net::IpAddr;

use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressMessage, AddressProtocol, AddressScope, CacheInfo,
};
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::reconciler::{Event, Place, State};
use crate::netlink::{flags_of, local_of};

/// The address protocol that marks addresses as ours, one of those that the kernel leaves to users.
/// Kernels before 5.18 do not keep it.
const PROTOCOL: AddressProtocol = AddressProtocol::Other(67);
/// The metric that marks them for older kernels. It has no other effect: it is that of the route
/// to the subnet, and there is none.
const METRIC: u32 = 0x4341_524c;

/// The longest label that the kernel takes, in bytes.
const LABEL_MAX: usize = 15;
/// What follows the name of the interface in a label.
const LABEL_SUFFIX: &str = ":carillon";

/// Whether this is an address that a carillon has put there.
pub(crate) fn is_marked(message: &AddressMessage) -> bool {
    message.attributes.iter().any(|attribute| match attribute {
        AddressAttribute::Protocol(protocol) => *protocol == PROTOCOL,
        AddressAttribute::RoutePriority(metric) => *metric == METRIC,
        _ => false,
    })
}

/// By which name `ip address` shows an IPv4 address on this interface: as much as fits, or none if
/// nothing does.
pub(super) fn label(interface: &str) -> Option<String> {
    let room = LABEL_MAX.checked_sub(interface.len())?;
    let suffix = LABEL_SUFFIX.get(..room.min(LABEL_SUFFIX.len()))?;
    (suffix.len() > 1).then(|| format!("{interface}{suffix}"))
}

/// What this message tells, if anything.
pub(super) fn event_of(message: &RouteNetlinkMessage) -> Option<Event> {
    match message {
        RouteNetlinkMessage::NewLink(link) => link_event(link),
        // With another family it is about a role, not the link.
        RouteNetlinkMessage::DelLink(link) => {
            let is_link = link.header.interface_family == AddressFamily::Unspec;
            is_link.then_some(Event::LinkGone(link.header.index))
        }
        RouteNetlinkMessage::NewAddress(address) => {
            let place = place_of(address)?;
            let doubtful = AddressFlags::Tentative | AddressFlags::Dadfailed;
            let state = State {
                is_ours: is_marked(address) && place.is_host(),
                is_ready: !flags_of(address).intersects(doubtful),
            };
            Some(Event::Address(place, state))
        }
        RouteNetlinkMessage::DelAddress(address) => Some(Event::AddressGone(place_of(address)?)),
        _ => None,
    }
}

fn link_event(message: &LinkMessage) -> Option<Event> {
    if message.header.interface_family != AddressFamily::Unspec {
        return None;
    }
    let name = message.attributes.iter().find_map(|one| match one {
        LinkAttribute::IfName(name) => Some(name.clone()),
        _ => None,
    });
    Some(Event::Link {
        index: message.header.index,
        name: name?,
        is_up: message.header.flags.contains(LinkFlags::Up),
    })
}

fn place_of(message: &AddressMessage) -> Option<Place> {
    Some(Place {
        index: message.header.index,
        ip: local_of(message)?,
        prefix: message.header.prefix_len,
    })
}

/// The request to put an address there. It is never the source of what this node sends of itself:
/// IPv4 looks at the scope, and IPv6 at the time for which it is preferred.
pub(super) fn add_message(place: &Place, label: Option<&str>) -> AddressMessage {
    let mut message = remove_message(place);
    let attributes = &mut message.attributes;
    attributes.push(AddressAttribute::Protocol(PROTOCOL));
    attributes.push(AddressAttribute::RoutePriority(METRIC));
    match place.ip {
        IpAddr::V4(_) => {
            message.header.scope = AddressScope::Host;
            attributes.extend(label.map(|label| AddressAttribute::Label(label.to_owned())));
        }
        IpAddr::V6(_) => {
            let flags = AddressFlags::Nodad | AddressFlags::Noprefixroute;
            attributes.push(AddressAttribute::Flags(flags));
            let mut lifetime = CacheInfo::default();
            lifetime.ifa_valid = u32::MAX;
            attributes.push(AddressAttribute::CacheInfo(lifetime));
        }
    }
    message
}

/// The request to remove the address.
pub(super) fn remove_message(place: &Place) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = match place.ip {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    message.header.index = place.index;
    message.header.prefix_len = place.prefix;
    // The kernel compares the prefix only if it is told both.
    message.attributes = vec![
        AddressAttribute::Local(place.ip),
        AddressAttribute::Address(place.ip),
    ];
    message
}
