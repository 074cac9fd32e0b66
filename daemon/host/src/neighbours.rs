//! Other hosts of this node's subnets, as the kernel knows them.
//!
//! The table may be long: it is read only while somebody wants it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use carillon_core::interface::MacAddress;
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::debug;

use crate::netlink::{Netlink, NetlinkError};

#[cfg(test)]
mod tests;

/// How long after the table was read it is read again, as long as it is wanted.
const AGAIN: Duration = Duration::from_secs(1);
/// Of more than these nobody is told.
const MOST: usize = 64;

/// Addresses, each with its station; those first of which the kernel has heard last.
pub type Neighbours = Arc<[(IpAddr, MacAddress)]>;

/// The indices of the interfaces on which they are wanted; without any they are not.
pub type Wanted = BTreeSet<u32>;

/// Starts to tell them as long as they are wanted; needs a tokio runtime. Ends with either side.
pub fn spawn(wanted: watch::Receiver<Wanted>) -> watch::Receiver<Neighbours> {
    let (sender, receiver) = watch::channel(Neighbours::default());
    tokio::spawn(async move {
        tokio::select! {
            () = sender.closed() => {}
            () = follow(wanted, &sender) => {}
        }
    });
    receiver
}

/// Ends when nobody can want them any more.
async fn follow(mut wanted: watch::Receiver<Wanted>, sender: &watch::Sender<Neighbours>) {
    loop {
        let interfaces = wanted.wait_for(|interfaces| !interfaces.is_empty()).await;
        let Ok(interfaces) = interfaces.map(|interfaces| interfaces.clone()) else {
            return;
        };
        match read(&interfaces).await {
            Ok(neighbours) => drop(sender.send_replace(neighbours)),
            Err(problem) => debug!(%problem, "the neighbour table cannot be read"),
        }
        if let Ok(Err(_)) = timeout(AGAIN, wanted.wait_for(Wanted::is_empty)).await {
            return;
        }
    }
}

async fn read(interfaces: &Wanted) -> Result<Neighbours, NetlinkError> {
    let netlink = Netlink::open()?;
    let mut all: Vec<_> = netlink
        .neighbours()
        .await?
        .iter()
        .filter(|entry| interfaces.contains(&entry.header.ifindex))
        .filter_map(neighbour)
        .collect();
    all.sort();
    let all = all.into_iter().take(MOST);
    Ok(all
        .map(|(_, address, station)| (address, station))
        .collect())
}

/// What an entry says, after the time since that was confirmed; `None` if it is unknown which
/// station has the address, or that is of the link alone.
fn neighbour(entry: &NeighbourMessage) -> Option<(u32, IpAddr, MacAddress)> {
    match entry.header.state {
        NeighbourState::Reachable
        | NeighbourState::Stale
        | NeighbourState::Delay
        | NeighbourState::Probe
        | NeighbourState::Permanent => {}
        _ => return None,
    }
    let (mut address, mut station, mut age) = (None, None, u32::MAX);
    for attribute in &entry.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(one)) => {
                address = Some(IpAddr::from(*one));
            }
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(one))
                if !one.is_unicast_link_local() =>
            {
                address = Some(IpAddr::from(*one));
            }
            NeighbourAttribute::LinkLayerAddress(octets) => {
                station = octets.as_slice().try_into().ok().map(MacAddress);
            }
            NeighbourAttribute::CacheInfo(info) => age = info.confirmed,
            _ => {}
        }
    }
    let is_host = |station: &MacAddress| station.0.iter().any(|octet| *octet != 0);
    Some((age, address?, station.filter(is_host)?))
}
