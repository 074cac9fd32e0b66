//! The multicast groups of one interface.
//!
//! Joining tells the kernel to let the group's frames in, and MLD-snooping switches to forward them.

use std::collections::HashMap;
use std::io;
use std::net::Ipv6Addr;

use socket2::{Domain, Socket, Type};

/// How many groups one socket joins: the kernel takes them from a small budget of each socket
/// (`net.core.optmem_max`).
const PER_SOCKET: usize = 200;

/// Memberships; all end when this is dropped.
#[derive(Debug)]
pub(super) struct Groups {
    interface: u32,
    members: HashMap<Ipv6Addr, Member>,
    /// With the number of groups of each.
    sockets: Vec<(Socket, usize)>,
}

#[derive(Debug)]
struct Member {
    /// How many VIPs need the group.
    users: usize,
    /// Which socket has joined it.
    socket: usize,
}

impl Groups {
    /// None yet, on this interface.
    pub(super) fn new(interface: u32) -> Self {
        Self {
            interface,
            members: HashMap::new(),
            sockets: Vec::new(),
        }
    }

    /// Joins a group, unless it is joined already; each call needs a [`Self::leave`].
    pub(super) fn join(&mut self, group: Ipv6Addr) -> io::Result<()> {
        if let Some(member) = self.members.get_mut(&group) {
            member.users += 1;
            return Ok(());
        }
        let room = self.sockets.iter().position(|(_, used)| *used < PER_SOCKET);
        let at = if let Some(at) = room {
            at
        } else {
            let socket = Socket::new(Domain::IPV6, Type::DGRAM.cloexec(), None)?;
            self.sockets.push((socket, 0));
            self.sockets.len() - 1
        };
        if let Some((socket, used)) = self.sockets.get_mut(at) {
            socket.join_multicast_v6(&group, self.interface)?;
            *used += 1;
            let member = Member {
                users: 1,
                socket: at,
            };
            self.members.insert(group, member);
        }
        Ok(())
    }

    /// Leaves a group if nobody else needs it.
    pub(super) fn leave(&mut self, group: Ipv6Addr) {
        let Some(member) = self.members.get_mut(&group) else {
            return;
        };
        member.users -= 1;
        if member.users > 0 {
            return;
        }
        if let Some((socket, used)) = self.sockets.get_mut(member.socket) {
            // If the interface is gone, so is the membership.
            let _ = socket.leave_multicast_v6(&group, self.interface);
            *used -= 1;
        }
        self.members.remove(&group);
    }
}
