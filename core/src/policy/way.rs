//! What may be announced for a Service, and in which ways.

use std::net::IpAddr;
use std::sync::Arc;

use super::WithdrawReason;
use crate::config::{AdvertisementNames, PoolName};
use crate::few::Few;
use crate::ownership::Scope;

/// What to announce for a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The name of the pool that has all of its addresses.
    pub pool: PoolName,
    /// Those of its addresses for which there is a way; never empty.
    pub vips: Few<GrantedVip>,
}

impl Grant {
    /// The addresses.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.vips.iter().map(|granted| granted.vip)
    }

    /// The ways of an address; none if it is not one of them.
    pub fn ways(&self, vip: IpAddr) -> &[Way] {
        let granted = self.vips.iter().find(|granted| granted.vip == vip);
        granted.map_or(&[], |granted| &granted.ways)
    }
}

/// One address of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedVip {
    /// The address.
    pub vip: IpAddr,
    /// Its ways, of which at least one is open. Those of most addresses of a pool are the same, and
    /// shared.
    pub ways: Arc<[Way]>,
}

/// One backend by which a VIP may be announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// [`crate::backend::Caps::name`].
    pub backend: &'static str,
    /// The advertisements that lead to it.
    pub advertisements: AdvertisementNames,
    /// Who may announce it by this backend, or why this node may not.
    pub announcers: Result<Announcers, WithdrawReason>,
}

/// Who may announce a VIP by one backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announcers {
    /// This node, whatever others do.
    Shared,
    /// One at a time of these nodes.
    OneOf(Scope),
}
