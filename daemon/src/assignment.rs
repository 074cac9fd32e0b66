//! VIPs on an interface of this node.

/// The address protocol that marks addresses as ours (see `ip address`), from those that the kernel
/// leaves to users.
pub(crate) const PROTOCOL: u8 = 67;
