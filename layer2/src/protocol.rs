//! The seam between what is common and the protocol of one address family.

use std::fmt::Debug;
use std::net::{IpAddr, Ipv6Addr};

use carillon_core::address::Family;
use carillon_core::interface::{Interface, MacAddress};
use carillon_core::mark::Mark;

use crate::coverage::Coverage;
use crate::filter::Filter;
use crate::message::{Message, Saying};

/// The sending end on one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The Ethernet address of the interface.
    pub mac: MacAddress,
    /// An address of the interface, from which questions come; unspecified if they need none.
    pub source: IpAddr,
}

/// ARP or NDP, as data and functions without state.
pub trait Protocol: Debug + Send + Sync + 'static {
    /// As in configuration and logs.
    const NAME: &'static str;
    /// Of the addresses that it resolves.
    const FAMILY: Family;
    /// Of its frames.
    const ETHERTYPE: u16;

    /// What is needed to speak on a usable interface.
    ///
    /// # Errors
    /// The interface lacks something; the text says what, and what would help.
    fn link(interface: &Interface) -> Result<Link, String>;

    /// What the kernel lets through on an interface with this Ethernet address: at most the frames
    /// that [`Self::decode`] understands, without those that we sent. Frames that concern none of
    /// the addresses may be kept out.
    fn filter(mac: MacAddress, addresses: &Coverage) -> Filter;

    /// What a received Ethernet frame says; `None` if that is nothing, or not well said.
    fn decode(frame: &[u8]) -> Option<Message>;

    /// Hands the Ethernet frames that say this to `send`, in order, each with the mark.
    fn encode(saying: Saying, link: Link, mark: Mark, send: &mut dyn FnMut(&[u8]));

    /// The multicast group to which questions for a VIP are sent, if it must be joined.
    fn group(vip: IpAddr) -> Option<Ipv6Addr>;
}
