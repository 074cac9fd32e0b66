//! What `carillon status` shows of a protocol: one entry for each interface.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use carillon_core::address::Family;
use carillon_core::backend::{Detail, Fact, NeighborStatus, Route};
use carillon_core::interface::Interface;
use ipnet::IpNet;

use super::Driver;
use super::port::Port;
use crate::protocol::Protocol;

impl<P: Protocol> Driver<P> {
    pub(super) fn status(&self, detail: Detail, now: Instant) -> Vec<NeighborStatus> {
        if self.ports.is_empty() && self.announcer.wished() > 0 {
            return vec![self.without_interfaces(now)];
        }
        let ports = self.ports.iter();
        ports
            .map(|(index, port)| self.status_of(index, port, detail, now))
            .collect()
    }

    fn status_of(
        &self,
        index: u32,
        port: &Port<P>,
        detail: Detail,
        now: Instant,
    ) -> NeighborStatus {
        let link = port.link();
        let instead = self.in_place_of(port);
        let state = match (link, &instead) {
            (None, _) => "Waiting",
            (Some(_), Some(_)) => "Standby",
            (Some(_), None) => "Up",
        };
        let mut facts = facts_of(port);
        if let Some(other) = instead {
            let fact = format!("{other}, which announces in its place");
            facts.push(Fact::text("on one segment with", fact));
        }
        let vips = match link {
            Some(_) => self.announcer.announced(index),
            None => Vec::new(),
        };
        let is_told = self.announcer.applied() == self.wished && port.is_flushed();
        NeighborStatus {
            name: port.interface.name.to_string(),
            state: state.to_owned(),
            since: now.saturating_duration_since(port.since),
            facts,
            last_error: port.trouble(),
            in_sync: link.is_some() && is_told && port.hears_all(),
            prefixes: vips.len(),
            announced: match detail {
                Detail::Counters => Vec::new(),
                Detail::Routes => routes(vips, port),
            },
        }
    }

    /// The interface of the same segment that is preferred to this one.
    fn in_place_of(&self, port: &Port<P>) -> Option<Arc<str>> {
        let is_open = |one: &Interface| {
            let port = self.ports.get(one.index);
            port.is_some_and(|port| port.link().is_some())
        };
        let other = self.interfaces.in_place_of(&port.interface, is_open)?;
        Some(other.name.clone())
    }

    fn without_interfaces(&self, now: Instant) -> NeighborStatus {
        let error = format!(
            "{} VIPs cannot be announced: this node has no interface that is up, has a carrier and \
             an Ethernet address, and is not excluded",
            self.announcer.wished()
        );
        NeighborStatus {
            name: "no interface".to_owned(),
            state: "Waiting".to_owned(),
            since: now.saturating_duration_since(self.started),
            facts: Vec::new(),
            last_error: Some(error),
            in_sync: false,
            prefixes: 0,
            announced: Vec::new(),
        }
    }
}

fn routes<P: Protocol>(vips: Vec<IpAddr>, port: &Port<P>) -> Vec<Route> {
    let Some(link) = port.link() else {
        return Vec::new();
    };
    let inside: Arc<str> = format!("at {}", link.mac).into();
    let outside: Arc<str> = format!("at {}, outside every local subnet", link.mac).into();
    let route = |vip| Route {
        prefix: IpNet::from(vip),
        attributes: if port.interface.has_subnet_of(vip) {
            inside.clone()
        } else {
            outside.clone()
        },
    };
    vips.into_iter().map(route).collect()
}

fn facts_of<P: Protocol>(port: &Port<P>) -> Vec<Fact> {
    let subnets = port.interface.addresses.iter();
    let subnets: Vec<String> = subnets
        .filter(|subnet| Family::of(subnet.addr()) == P::FAMILY)
        .map(ToString::to_string)
        .collect();
    let mac = port.interface.mac;
    let mut facts: Vec<_> = mac
        .map(|mac| Fact::text("MAC", mac.to_string()))
        .into_iter()
        .collect();
    facts.push(Fact::text("addresses", subnets.join(", ")));
    facts.extend(port.counters.facts());
    facts
}
