//! Ethernet segments, and the frames on them that no daemon has sent.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use carillon_backend_arp::Arp;
use carillon_core::interface::MacAddress;
use carillon_core::mark::Mark;
use carillon_layer2::{Link, Message, Protocol, Question, Saying};

use crate::node::Node;

/// Where a frame of ARP ends; a mark stands behind it.
const ARP_END: usize = 42;

/// The segment whose subnet a VIP belongs to.
pub(crate) fn of_vip(vip: IpAddr) -> u8 {
    match vip {
        IpAddr::V4(vip) => vip.octets()[1] - 20,
        IpAddr::V6(_) => unreachable!("all VIPs are of IPv4"),
    }
}

/// A frame and what it says.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    destination: MacAddress,
    pub(crate) message: Arc<Message>,
}

impl Frame {
    /// The frame with these octets, if it says anything.
    pub(crate) fn new(octets: &[u8]) -> Option<Self> {
        Some(Self {
            destination: MacAddress(*octets.first_chunk()?),
            message: Arc::new(Arp::decode(octets)?),
        })
    }

    fn is_for_all(&self) -> bool {
        self.destination == MacAddress([0xff; 6])
    }
}

/// Which interfaces are on which segment.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    members: BTreeMap<u8, Vec<(usize, u32)>>,
    stations: BTreeMap<(u8, MacAddress), (usize, u32)>,
}

impl Segments {
    pub(crate) fn new(nodes: &[Node]) -> Self {
        let mut segments = Self::default();
        for (node, one) in nodes.iter().enumerate() {
            for (index, nic) in &one.nics {
                let place = (node, *index);
                segments.members.entry(nic.segment).or_default().push(place);
                segments.stations.insert((nic.segment, nic.mac), place);
            }
        }
        segments
    }

    /// The interfaces, each with its node, to which a switch passes a frame.
    pub(crate) fn receivers(&self, segment: u8, frame: &Frame) -> Vec<(usize, u32)> {
        if frame.is_for_all() {
            return self.members.get(&segment).cloned().unwrap_or_default();
        }
        let station = self.stations.get(&(segment, frame.destination));
        station.copied().into_iter().collect()
    }
}

/// The frames that say something, from a station, perhaps with a mark.
fn frames(saying: Saying, mac: MacAddress, mark: Option<Mark>) -> Vec<Frame> {
    let source = IpAddr::from([0, 0, 0, 0]);
    let mut frames = Vec::new();
    let some = mark.unwrap_or_else(|| Mark::of("", 0));
    Arp::encode(saying, Link { mac, source }, some, &mut |octets| {
        let mut octets = octets.to_vec();
        if mark.is_none() {
            octets[ARP_END..].fill(0);
        }
        frames.extend(Frame::new(&octets));
    });
    frames
}

/// What the kernel of a node answers to a question for its own address.
pub(crate) fn answer_of_kernel(mac: MacAddress, question: Question) -> Frame {
    let mut frames = frames(Saying::Answer(question), mac, None);
    frames.pop().expect("the question is one of ARP")
}

/// What somebody makes up: that this station has a VIP.
pub(crate) fn forged(vip: IpAddr, mac: MacAddress, mark: Option<Mark>) -> Vec<Frame> {
    frames(Saying::Announcement(vip), mac, mark)
}
