//! L2Advertisement: addresses that are announced by ARP and NDP.

use std::sync::Arc;

use carillon_core::config::draft::{Draft, L2AdvertisementDraft};
use carillon_core::config::{Audience, L2Advertisement, PreferredNodes};
use carillon_core::interface::InterfaceNames;
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::Setting;
use super::super::kind::{Kind, KindInfo};
use super::super::schema::Table;
use super::super::tree::Path;
use super::selector::{self, EXPRESSION, LabelSelector, SELECTOR};
use super::{ObjectAt, Problems, Resource, Spec, pool_selection, row, spec};

/// The row of this kind.
pub(in super::super) static KIND: KindInfo =
    row::<L2AdvertisementSpec>("L2Advertisement", "l2advertisements", "v1beta1", &[]);

/// Announces the addresses of pools by ARP and NDP. Without any pools it is for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct L2AdvertisementSpec {
    /// The pools whose addresses it announces, by name.
    ip_address_pools: Vec<String>,
    /// Further pools, by their labels.
    ip_address_pool_selectors: Vec<LabelSelector>,
    /// The nodes that may announce the addresses; all, where there are no selectors.
    node_selectors: Vec<LabelSelector>,
    /// The names of the interfaces to announce on; all, where none are given.
    interfaces: Vec<String>,
    /// The services whose addresses it announces; all, where there are no selectors.
    service_selectors: Vec<LabelSelector>,
    /// Nodes that announce before others of those that may. A node that several of these match has the
    /// sum of their weights.
    preferred_node_selectors: Vec<PreferredNodeSelector>,
}

/// Nodes that are preferred.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["weight", "preference"]))]
pub struct PreferredNodeSelector {
    /// By how much, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    weight: i64,
    /// Which.
    preference: Option<LabelSelector>,
}

impl Spec for L2AdvertisementSpec {
    const KIND: Kind = Kind::L2Advertisement;
    const FIELDS: Table = &[
        ("", &["apiVersion", "kind", "metadata", "spec", "status"]),
        (
            "spec",
            &[
                "interfaces",
                "ipAddressPoolSelectors",
                "ipAddressPools",
                "nodeSelectors",
                "preferredNodeSelectors",
                "serviceSelectors",
            ],
        ),
        ("spec.ipAddressPoolSelectors[]", SELECTOR),
        (
            "spec.ipAddressPoolSelectors[].matchExpressions[]",
            EXPRESSION,
        ),
        ("spec.nodeSelectors[]", SELECTOR),
        ("spec.nodeSelectors[].matchExpressions[]", EXPRESSION),
        ("spec.preferredNodeSelectors[]", &["preference", "weight"]),
        ("spec.preferredNodeSelectors[].preference", SELECTOR),
        (
            "spec.preferredNodeSelectors[].preference.matchExpressions[]",
            EXPRESSION,
        ),
        ("spec.serviceSelectors[]", SELECTOR),
        ("spec.serviceSelectors[].matchExpressions[]", EXPRESSION),
    ];

    fn setting(resource: Arc<Resource<Self>>) -> Setting {
        Setting::L2Advertisement(resource)
    }

    fn draft(&self, at: &ObjectAt<'_>, problems: &mut Problems) -> Draft {
        let pools = &self.ip_address_pools;
        let pools = pool_selection::read(pools, &self.ip_address_pool_selectors, at, problems);
        let interfaces = self.interfaces.iter().map(|name| name.as_str().into());
        let mut selectors =
            |selectors, field| selector::read_list(selectors, &spec(field), problems);
        let audience = Audience {
            services: selectors(&self.service_selectors, "serviceSelectors"),
            nodes: selectors(&self.node_selectors, "nodeSelectors"),
            ..Audience::default()
        };
        let advertisement = L2AdvertisementDraft {
            place: at.place(Path::default()),
            pools,
            rest: L2Advertisement {
                name: at.name.name().into(),
                audience,
                interfaces: InterfaceNames::new(interfaces.collect()),
                preferred_nodes: self.preferred_nodes(problems),
            },
        };
        Draft {
            l2_advertisements: vec![advertisement],
            ..Draft::default()
        }
    }
}

impl L2AdvertisementSpec {
    fn preferred_nodes(&self, problems: &mut Problems) -> Vec<PreferredNodes> {
        let mut preferred = Vec::new();
        for (n, one) in self.preferred_node_selectors.iter().enumerate() {
            let path = spec("preferredNodeSelectors").item(n);
            let weight = problems.number(&path.clone().field("weight"), one.weight, 1..=100);
            let path = path.field("preference");
            let nodes = one.preference.as_ref();
            if nodes.is_none() {
                problems.refuse(path.clone(), "is missing: write a label selector");
            }
            let nodes = nodes.map(|nodes| nodes.read(&path, problems));
            let both = weight.zip(nodes);
            preferred.extend(both.map(|(weight, nodes)| PreferredNodes { weight, nodes }));
        }
        preferred
    }
}
