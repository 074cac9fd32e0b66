//! A node, which outlives its daemons.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_core::interface::{Exclusion, Interface, Interfaces, MacAddress};
use carillon_core::testing::interface;
use ipnet::IpNet;

use crate::daemon::Daemon;

/// One of its interfaces.
#[derive(Debug)]
pub(crate) struct Nic {
    pub(crate) mac: MacAddress,
    pub(crate) segment: u8,
    /// The address that the node has on it.
    pub(crate) host: IpAddr,
    pub(crate) has_carrier: bool,
    /// Frames do not come in.
    pub(crate) is_deaf: bool,
    /// Frames do not go out.
    pub(crate) is_dumb: bool,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: Arc<str>,
    pub(crate) address: SocketAddr,
    /// By their index.
    pub(crate) nics: BTreeMap<u32, Nic>,
    /// Its daemon puts VIPs on an interface; each takes so long.
    pub(crate) assigns: Option<Duration>,
    pub(crate) is_draining: bool,
    /// How far its clock is from the truth, in seconds.
    pub(crate) clock: i64,
    /// All of it stands still until then.
    pub(crate) stalled_until: Option<Instant>,
    pub(crate) daemon: Option<Daemon>,
    /// When the daemon has something to do.
    pub(crate) due: Option<Instant>,
}

impl Node {
    /// One with an interface on each of these segments.
    pub(crate) fn new(number: u16, segments: &[u8], assigns: Option<Duration>) -> Self {
        let [high, low] = number.to_be_bytes();
        let nics = (2_u32..).zip(segments).map(|(index, segment)| {
            let nic = Nic {
                mac: MacAddress([2, index.to_be_bytes()[3], 0, 0, high, low]),
                segment: *segment,
                host: [10, 20 + segment, high + 200, low].into(),
                has_carrier: true,
                is_deaf: false,
                is_dumb: false,
            };
            (index, nic)
        });
        Self {
            name: format!("node-{number}").into(),
            address: ([10, 0, high, low], 7946).into(),
            nics: nics.collect(),
            assigns,
            is_draining: false,
            clock: 0,
            stalled_until: None,
            daemon: None,
            due: None,
        }
    }

    /// The place of the node with this address among all.
    pub(crate) fn index_of(address: SocketAddr) -> usize {
        match address.ip() {
            IpAddr::V4(ip) => usize::from(u16::from_be_bytes([ip.octets()[2], ip.octets()[3]])) - 1,
            IpAddr::V6(_) => unreachable!("all have addresses of IPv4"),
        }
    }

    pub(crate) fn interfaces(&self) -> Arc<Interfaces> {
        let interface = |(index, nic): (&u32, &Nic)| Interface {
            mac: Some(nic.mac),
            is_running: nic.has_carrier,
            addresses: vec![IpNet::new(nic.host, 16).expect("the prefix is short enough")],
            ..interface(*index, &format!("eth{index}"), &[])
        };
        let all: Vec<_> = self.nics.iter().map(interface).collect();
        Arc::new(Interfaces::usable(&all, &Exclusion::default()))
    }

    pub(crate) fn has_carrier(&self) -> bool {
        self.nics.values().any(|nic| nic.has_carrier)
    }

    /// Whether it says on a segment that it has a VIP.
    pub(crate) fn announces(&self, vip: IpAddr) -> bool {
        self.announcing(vip).any(|nic| nic.has_carrier)
    }

    /// Whether who asks for a VIP on a segment hears from it.
    pub(crate) fn serves(&self, vip: IpAddr, now: Instant) -> bool {
        let is_awake = self.stalled_until.is_none_or(|until| until <= now);
        let mut nics = self.announcing(vip);
        is_awake && nics.any(|nic| nic.has_carrier && !nic.is_deaf && !nic.is_dumb)
    }

    fn announcing(&self, vip: IpAddr) -> impl Iterator<Item = &Nic> {
        let daemon = self.daemon.as_ref();
        let places = daemon.and_then(|daemon| daemon.layer2.announced.get(&vip));
        let places = places.into_iter().flatten();
        places.filter_map(|index| self.nics.get(index))
    }
}
