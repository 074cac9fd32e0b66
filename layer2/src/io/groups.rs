//! The multicast groups of one interface.
//!
//! Joining tells the kernel to let the group's frames in, and MLD-snooping switches to forward them.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

/// How many groups one socket joins: the kernel takes them from a small budget of each socket
/// (`net.core.optmem_max`).
const PER_SOCKET: usize = 200;

/// The wait before a group that was refused is tried again; it doubles up to the second.
const RETRY: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];

/// Memberships; all end when this is dropped.
#[derive(Debug)]
pub(super) struct Groups {
    interface: u32,
    members: HashMap<Ipv6Addr, Member>,
    /// With the number of groups of each.
    sockets: Vec<(Socket, usize)>,
    /// Those that could not be joined, with the number of VIPs that need each.
    missing: BTreeMap<Ipv6Addr, usize>,
    /// Why, and when it is tried again.
    refusal: Option<(String, Instant)>,
    backoff: Duration,
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
            missing: BTreeMap::new(),
            refusal: None,
            backoff: RETRY[0],
        }
    }

    /// Joins a group, unless it is joined already, or tries to until it is; each call needs a
    /// [`Self::leave`].
    pub(super) fn join(&mut self, group: Ipv6Addr, now: Instant) {
        if let Some(member) = self.members.get_mut(&group) {
            member.users += 1;
        } else if self.refusal.is_some() {
            *self.missing.entry(group).or_default() += 1;
        } else if let Err(error) = self.become_member(group, 1) {
            *self.missing.entry(group).or_default() += 1;
            self.refuse(group, &error, now);
        }
    }

    /// Tries again, if it is time, until one is refused.
    pub(super) fn join_again(&mut self, now: Instant) {
        if self.due().is_none_or(|due| now < due) {
            return;
        }
        while let Some((group, users)) = self.missing.pop_first() {
            if let Err(error) = self.become_member(group, users) {
                self.missing.insert(group, users);
                return self.refuse(group, &error, now);
            }
        }
        self.refusal = None;
        self.backoff = RETRY[0];
    }

    /// When [`Self::join_again`] has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        self.refusal.as_ref().map(|(_, due)| *due)
    }

    /// What is missing, and why.
    pub(super) fn trouble(&self) -> Option<String> {
        let (reason, _) = self.refusal.as_ref()?;
        let count = self.missing.len();
        Some(format!(
            "{reason}; questions for the VIPs of {count} such groups may not come in"
        ))
    }

    fn refuse(&mut self, group: Ipv6Addr, error: &io::Error, now: Instant) {
        let reason = format!("cannot join the multicast group {group}: {error}");
        self.refusal = Some((reason, now + self.backoff));
        self.backoff = (self.backoff * 2).min(RETRY[1]);
    }

    fn become_member(&mut self, group: Ipv6Addr, users: usize) -> io::Result<()> {
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
            let member = Member { users, socket: at };
            self.members.insert(group, member);
        }
        Ok(())
    }

    /// Leaves a group if nobody else needs it.
    pub(super) fn leave(&mut self, group: Ipv6Addr) {
        let Some(member) = self.members.get_mut(&group) else {
            self.do_without(group);
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

    /// A group that could not be joined is needed by one VIP less.
    fn do_without(&mut self, group: Ipv6Addr) {
        if let Some(users) = self.missing.get_mut(&group) {
            *users -= 1;
            if *users == 0 {
                self.missing.remove(&group);
            }
        }
        if self.missing.is_empty() {
            self.refusal = None;
        }
    }
}
