//! Where this daemon is reached: its socket and the address that others are told.
//!
//! Both are had as soon as the network is there, and changed when the address is gone.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, bail};

use super::PORT;
use super::socket::{Socket, local_address_towards};
use crate::cli::GossipArgs;

/// What the flags say, and where the daemon is reached now.
#[derive(Debug)]
pub(super) struct Place {
    bind: Option<SocketAddr>,
    advertise: Option<SocketAddr>,
    pub(super) socket: Socket,
    /// What others are told.
    pub(super) address: SocketAddr,
    /// This host was seen to have the address of `bind`.
    was_here: bool,
}

impl Place {
    /// Finds a place, if it can be had now; `towards` are others, by way of whom the address is found
    /// that leads here.
    ///
    /// # Errors
    /// The address of the flags is not there, or nothing leads to the others yet.
    pub(super) fn find(args: &GossipArgs, towards: &[SocketAddr]) -> Result<Self> {
        let bind = args.gossip_bind;
        let socket = open(bind)?;
        let bound = socket.bound();
        let address = if let Some(address) = args.gossip_advertise {
            address
        } else if bound.ip().is_unspecified() {
            let address = local_address(&socket, towards);
            let address = address.with_context(|| nowhere(&args.join))?;
            SocketAddr::new(address, bound.port())
        } else {
            bound
        };
        Ok(Self {
            bind,
            advertise: args.gossip_advertise,
            socket,
            address,
            was_here: false,
        })
    }

    /// Looks whether others still reach this daemon, which has these addresses. Returns whether it
    /// has another address from now on.
    ///
    /// # Errors
    /// The port is not free there.
    pub(super) fn review(&mut self, here: &[IpAddr], towards: &[SocketAddr]) -> Result<bool> {
        if self.advertise.is_some() || here.is_empty() {
            return Ok(false);
        }
        let bind = self.bind.filter(|bind| !bind.ip().is_unspecified());
        if let Some(bind) = bind.filter(|bind| here.contains(&bind.ip())) {
            self.was_here = true;
            if self.address.ip() == bind.ip() {
                return Ok(false);
            }
            return self.move_to(bind.ip(), true);
        }
        let is_here = here.contains(&self.address.ip());
        // An address that was never here is one that the system lets be used all the same.
        if is_here || (bind.is_some() && !self.was_here) {
            return Ok(false);
        }
        let Some(address) = local_address(&self.socket, towards) else {
            return Ok(false);
        };
        self.move_to(address, bind.is_some())
    }

    /// `is_bound`: the socket is at this address only.
    fn move_to(&mut self, address: IpAddr, is_bound: bool) -> Result<bool> {
        let address = SocketAddr::new(address, self.address.port());
        if is_bound {
            self.socket = Socket::bind(address)?;
        }
        self.address = address;
        Ok(true)
    }
}

fn open(bind: Option<SocketAddr>) -> Result<Socket> {
    match bind {
        Some(bind) => Socket::bind(bind).with_context(|| {
            format!(
                "cannot talk to other nodes from {bind} (UDP), which is tried again; is the address \
                 on this host, and the port free? Or give another --gossip-bind"
            )
        }),
        None => Socket::bind_all(PORT).with_context(|| {
            format!(
                "cannot talk to other nodes from UDP port {PORT}, which is tried again; is it free? \
                 Or give another --gossip-bind"
            )
        }),
    }
}

/// The address of this host that leads to the first of these. A name of this node itself may lead to
/// a loopback address, which is of no use to others.
fn local_address(socket: &Socket, towards: &[SocketAddr]) -> Option<IpAddr> {
    let reached = towards.iter().filter(|peer| socket.reaches(peer.ip()));
    let mut local = reached.filter_map(|peer| local_address_towards(*peer).ok());
    local.find(|address| !address.is_loopback() && !address.is_unspecified())
}

fn nowhere(join: &[String]) -> String {
    format!(
        "others must know where this node is, and there is no way from here to {} yet, which is \
         tried again; or give --gossip-bind with an address of its own, or --gossip-advertise",
        join.join(", ")
    )
}

/// Refuses flags that tell no address.
///
/// # Errors
/// There is none, and nobody to find one by.
pub(crate) fn check(args: &GossipArgs) -> Result<()> {
    let is_told = |bind: SocketAddr| !bind.ip().is_unspecified();
    if args.gossip_advertise.is_none()
        && args.join.is_empty()
        && !args.gossip_bind.is_some_and(is_told)
    {
        bail!(
            "others must know where this node is: give --gossip-bind with an address of its own, or \
             --gossip-advertise, or --join HOST:PORT of another node"
        );
    }
    Ok(())
}
