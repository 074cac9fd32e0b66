//! A witness: what the stations of a segment say of addresses, seen from the switch.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::Result;
use carillon_core::interface::MacAddress;
use nix::net::if_::if_indextoname;

use super::frame::Frame;
use super::packet::PacketSocket;
use crate::switch::{Cable, Switch};

/// A frame, and where it entered the switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// When it was read.
    pub at: Instant,
    /// The port of the switch, see [`Cable::port`].
    pub port: String,
    /// What was sent.
    pub frame: Frame,
}

impl Sighting {
    /// Whether it came through this cable.
    pub fn came_through(&self, cable: &Cable) -> bool {
        self.port == cable.port()
    }
}

/// Writes down every frame of ARP and Neighbour Discovery that enters a switch.
pub struct Witness {
    sightings: Arc<Mutex<Vec<Sighting>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Witness {
    /// Begins.
    pub fn start(switch: &Switch) -> Result<Self> {
        let socket = PacketSocket::open(switch.host())?;
        let sightings: Arc<Mutex<Vec<Sighting>>> = Arc::default();
        let ended: Arc<AtomicBool> = Arc::default();
        let (list, end) = (Arc::clone(&sightings), Arc::clone(&ended));
        // A thread is in the namespace of the one that started it.
        let thread = switch.host().enter(|| {
            std::thread::spawn(move || {
                let mut buffer = [0; 2048];
                while !end.load(Ordering::Relaxed) {
                    let Ok(Some((length, index))) = socket.receive(&mut buffer) else {
                        continue;
                    };
                    list.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .extend(sighting(buffer.get(..length), index));
                }
            })
        })?;
        Ok(Self {
            sightings,
            ended,
            thread: Some(thread),
        })
    }

    /// All so far.
    pub fn sightings(&self) -> Vec<Sighting> {
        let sightings = self.sightings.lock();
        sightings.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The stations that said since then that they have the address.
    pub fn claimants(&self, address: IpAddr, since: Instant) -> BTreeSet<MacAddress> {
        let sightings = self.sightings.lock();
        let sightings = sightings.unwrap_or_else(PoisonError::into_inner);
        let recent = sightings.iter().filter(|sighting| sighting.at >= since);
        let claims = recent.filter_map(|sighting| sighting.frame.claim());
        let claims = claims.filter(|(claimed, _)| *claimed == address);
        claims.map(|(_, station)| station).collect()
    }
}

fn sighting(frame: Option<&[u8]>, index: usize) -> Option<Sighting> {
    let at = Instant::now();
    let frame = Frame::parse(frame?)?;
    let name = if_indextoname(u32::try_from(index).ok()?).ok()?;
    let port = name.to_str().ok()?.to_owned();
    // What the bridge hands to its own host came through a port before.
    port.starts_with("port")
        .then_some(Sighting { at, port, frame })
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
