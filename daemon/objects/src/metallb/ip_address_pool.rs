//! IPAddressPool: addresses that services get.

use std::sync::Arc;

use carillon_core::config::draft::{AddressEntry, Draft, PoolDraft};
use carillon_core::config::place::Located;
use carillon_core::config::pool::{self, MAX_BLOCKS};
use carillon_core::config::{Pool, PoolName, Priority, ServiceAllocation, address};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Setting;
use super::super::kind::{Kind, KindInfo};
use super::super::schema::Table;
use super::super::tree::Path;
use super::selector::{self, EXPRESSION, LabelSelector, SELECTOR};
use super::{ObjectAt, Problems, Resource, Spec, row, spec};

/// The row of this kind.
pub(in super::super) static KIND: KindInfo =
    row::<IpAddressPoolSpec>("IPAddressPool", "ipaddresspools", "v1beta1", &[]);

/// LOCAL_PREF of the routes of a pool that names its protocol: that of a BGPAdvertisement which says
/// nothing.
const LOCAL_PREF: u32 = 100;

/// Addresses that services get, and which services these are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["addresses"]))]
pub struct IpAddressPoolSpec {
    /// The addresses: CIDRs (`198.51.100.0/24`), or ranges with both ends (`198.51.100.10-198.51.100.20`).
    /// None may be in another pool.
    addresses: Vec<String>,
    /// Whether services get addresses of this pool without asking for it by name or address.
    #[schemars(extend("x-default" = true))]
    auto_assign: Option<bool>,
    /// Whether IPv4 addresses that end in .0 or .255 are left out.
    #[serde(rename = "avoidBuggyIPs")]
    #[schemars(extend("x-default" = false))]
    avoid_buggy_ips: bool,
    /// The services that the pool is for, and its place among other pools. Without it, it is for all.
    service_allocation: Option<ServiceAllocationSpec>,
    /// The protocol that announces the addresses, so that the pool needs no advertisement: `bgp`,
    /// `layer2`, `arp`, `ndp`, or another that is built in.
    protocol: Option<String>,
}

/// The services that a pool is for. Namespaces and services must both be right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceAllocationSpec {
    /// Of the pools that a service may have, it gets an address of that with the lowest number. A pool
    /// with 0 comes last.
    priority: i64,
    /// Names of namespaces.
    namespaces: Vec<String>,
    /// Further namespaces, by their labels.
    namespace_selectors: Vec<LabelSelector>,
    /// The services, by their labels.
    service_selectors: Vec<LabelSelector>,
}

/// How many addresses of a pool are in use, and how many are not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["assignedIPv4", "assignedIPv6", "availableIPv4", "availableIPv6"]))]
pub struct IpAddressPoolStatus {
    /// The IPv4 addresses that services have.
    #[serde(rename = "assignedIPv4")]
    pub assigned_ipv4: i64,
    /// The IPv6 addresses that services have.
    #[serde(rename = "assignedIPv6")]
    pub assigned_ipv6: i64,
    /// The other IPv4 addresses.
    #[serde(rename = "availableIPv4")]
    pub available_ipv4: i64,
    /// The other IPv6 addresses, where there are not more than fit here.
    #[serde(rename = "availableIPv6")]
    pub available_ipv6: i64,
}

impl Spec for IpAddressPoolSpec {
    const KIND: Kind = Kind::IpAddressPool;
    const FIELDS: Table = &[
        ("", &["apiVersion", "kind", "metadata", "spec", "status"]),
        (
            "spec",
            &[
                "addresses",
                "autoAssign",
                "avoidBuggyIPs",
                "protocol",
                "serviceAllocation",
            ],
        ),
        (
            "spec.serviceAllocation",
            &[
                "namespaceSelectors",
                "namespaces",
                "priority",
                "serviceSelectors",
            ],
        ),
        ("spec.serviceAllocation.namespaceSelectors[]", SELECTOR),
        (
            "spec.serviceAllocation.namespaceSelectors[].matchExpressions[]",
            EXPRESSION,
        ),
        ("spec.serviceAllocation.serviceSelectors[]", SELECTOR),
        (
            "spec.serviceAllocation.serviceSelectors[].matchExpressions[]",
            EXPRESSION,
        ),
    ];

    fn setting(resource: Arc<Resource<Self>>) -> Setting {
        Setting::IpAddressPool(resource)
    }

    fn draft(&self, at: &ObjectAt<'_>, problems: &mut Problems) -> Draft {
        let name: PoolName = at.name.name().into();
        let protocol = self.protocol.as_deref().filter(|text| !text.is_empty());
        let protocol = protocol.zip(at.backends);
        let protocol = protocol.and_then(|(name, backends)| {
            problems.checked(&spec("protocol"), pool::protocol(name, backends))
        });
        let allocation = self.service_allocation.as_ref();
        let pool = PoolDraft {
            addresses: self.addresses(&name, at, problems),
            protocol,
            local_pref: LOCAL_PREF,
            rest: Pool {
                auto_assign: self.auto_assign.unwrap_or(true),
                avoid_buggy_ips: self.avoid_buggy_ips,
                allocation: allocation.map(|allocation| allocation.read(problems)),
                labels: at.labels.clone(),
                ..Pool::default()
            },
            name: Some(at.locate(name, Path::fields(&["metadata", "name"]))),
            ..PoolDraft::at(at.place(Path::default()))
        };
        Draft {
            pools: vec![pool],
            ..Draft::default()
        }
    }
}

impl IpAddressPoolSpec {
    fn addresses(
        &self,
        pool: &PoolName,
        at: &ObjectAt<'_>,
        problems: &mut Problems,
    ) -> Vec<Located<AddressEntry>> {
        let list = spec("addresses");
        if self.addresses.is_empty() {
            let message =
                "has no addresses: write a list of CIDRs or ranges, for example [198.51.100.0/24]";
            problems.refuse(list.clone(), message);
        }
        let (mut entries, mut room) = (Vec::new(), MAX_BLOCKS);
        for (n, text) in self.addresses.iter().enumerate() {
            let path = list.clone().item(n);
            let blocks = address::parse(text).and_then(|blocks| {
                address::check_hosts(text, &blocks)?;
                Ok(blocks)
            });
            let Some(blocks) = problems.checked(&path, blocks) else {
                continue;
            };
            let Some(rest) = room.checked_sub(blocks.len()) else {
                let message =
                    format!("more than {MAX_BLOCKS} address blocks: write fewer, larger ones");
                problems.refuse(path, message);
                break;
            };
            room = rest;
            let entry = AddressEntry {
                pool: pool.clone(),
                text: text.clone(),
                blocks,
            };
            entries.push(at.locate(entry, path));
        }
        entries
    }
}

impl ServiceAllocationSpec {
    fn read(&self, problems: &mut Problems) -> ServiceAllocation {
        let path = |field| spec("serviceAllocation").field(field);
        problems.unique(&path("namespaces"), &self.namespaces);
        let mut selectors =
            |selectors, field| selector::read_list(selectors, &path(field), problems);
        ServiceAllocation {
            priority: Priority(self.priority),
            namespaces: self
                .namespaces
                .iter()
                .map(|name| name.as_str().into())
                .collect(),
            namespace_selectors: selectors(&self.namespace_selectors, "namespaceSelectors"),
            service_selectors: selectors(&self.service_selectors, "serviceSelectors"),
        }
    }
}
