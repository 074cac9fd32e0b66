//! Clients of some addresses, at work while the cluster is swapped.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::inventory::Inventory;
use super::services::Protocol;
use super::site::{PATIENCE, Site};
use crate::layer2::{Asker, Prober, Responder, Segment};

/// The kinds of clients. One who has talked to an address of layer 2 before goes on sending to the
/// node that it knows; a new one asks who has it.
pub(super) const KINDS: [&str; 3] = [KNOWING, NEW, ROUTED];
const KNOWING: &str = "layer2";
const NEW: &str = "layer2, new clients";
const ROUTED: &str = "bgp";
/// How many addresses of each protocol have clients.
const ADDRESSES: usize = 4;
/// Between two packets to an address.
const TICK: Duration = Duration::from_millis(10);
/// For how long a client has to be answered for all to be well.
const STEADY: Duration = Duration::from_millis(500);

/// How long clients of an address got no answer.
pub(super) struct Outage {
    /// One of [`KINDS`].
    pub(super) client: &'static str,
    /// For how many seconds.
    pub(super) seconds: f64,
}

/// Lets both nodes serve the addresses that have clients.
pub(super) fn serve(site: &Site, inventory: &Inventory) -> Result<Vec<Responder>> {
    let mut responders = Vec::new();
    for protocol in Protocol::ALL {
        for address in some(inventory, protocol) {
            for station in &site.segment().stations {
                station.accept(address)?;
                let responder = Responder::start(&station.host, address, station.number)?;
                responders.push(responder);
            }
        }
    }
    Ok(responders)
}

/// See the module's documentation.
pub(super) struct Clients {
    probers: Vec<(&'static str, IpAddr, Prober)>,
    asker: Asker,
    asked: Vec<IpAddr>,
    begun: Instant,
}

impl Clients {
    /// Begins, and waits until each is answered.
    pub(super) fn start(site: &Site, inventory: &Inventory) -> Result<Self> {
        let mut probers = Vec::new();
        for (protocol, client) in [(Protocol::Layer2, KNOWING), (Protocol::Bgp, ROUTED)] {
            for address in some(inventory, protocol) {
                let prober = site.segment().probe(address, TICK)?;
                probers.push((client, address, prober));
            }
        }
        await_answers(&probers)?;
        let mut asked = some(inventory, Protocol::Layer2);
        asked.retain(IpAddr::is_ipv4);
        let interval = TICK / u32::try_from(asked.len())?;
        Ok(Self {
            probers,
            asker: site.segment().ask(&asked, interval)?,
            asked,
            begun: Instant::now(),
        })
    }

    /// Ends when all are answered again, and tells what each has missed.
    pub(super) fn stop(self) -> Result<Vec<Outage>> {
        await_answers(&self.probers)?;
        let mut outages = Vec::new();
        for (client, _, prober) in self.probers {
            let outage = prober.stop().since(self.begun).outage();
            let seconds = outage.as_secs_f64();
            outages.push(Outage { client, seconds });
        }
        let answers = self.asker.stop();
        for address in self.asked {
            let missed = answers.about(&[address]).unanswered();
            let seconds = TICK.as_secs_f64() * missed as f64;
            let client = NEW;
            outages.push(Outage { client, seconds });
        }
        Ok(outages)
    }
}

fn await_answers(probers: &[(&str, IpAddr, Prober)]) -> Result<()> {
    for (_, address, prober) in probers {
        Segment::await_steady(prober, STEADY, PATIENCE)
            .with_context(|| format!("a client of {address}"))?;
    }
    Ok(())
}

/// Some addresses of a protocol from all over the list.
fn some(inventory: &Inventory, protocol: Protocol) -> Vec<IpAddr> {
    let addresses = inventory.addresses(protocol);
    let step = (addresses.len() / ADDRESSES).max(1);
    let some = addresses.into_iter().step_by(step).take(ADDRESSES);
    some.collect()
}
