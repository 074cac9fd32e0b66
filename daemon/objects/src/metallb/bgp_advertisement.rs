//! BGPAdvertisement: addresses that become BGP routes.

use std::sync::Arc;

use carillon_core::address::Family;
use carillon_core::config::draft::{BgpAdvertisementDraft, Draft};
use carillon_core::config::place::Located;
use carillon_core::config::{Audience, BgpAdvertisement};
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
    row::<BgpAdvertisementSpec>("BGPAdvertisement", "bgpadvertisements", "v1beta1", &[]);

/// LOCAL_PREF where it is not given.
const LOCAL_PREF: u32 = 100;

/// Announces the addresses of pools by BGP. Without any pools it is for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "message": "serviceSelectors and aggregationLength are mutually exclusive, can only be used together with default aggregationLength (32) and aggregationLengthV6 (128)",
    "rule": "!has(self.serviceSelectors) || self.serviceSelectors.size() == 0 || ((!has(self.aggregationLength) || self.aggregationLength == 32) && (!has(self.aggregationLengthV6) || self.aggregationLengthV6 == 128))",
}]))]
pub struct BgpAdvertisementSpec {
    /// The prefix length of the routes for IPv4 addresses.
    #[schemars(range(min = 1), extend("x-default" = 32))]
    aggregation_length: Option<i64>,
    /// The prefix length of the routes for IPv6 addresses.
    #[schemars(extend("x-default" = 128))]
    aggregation_length_v6: Option<i64>,
    /// LOCAL_PREF of the routes, which peers of the same AS are told. 100 where it is not given.
    #[schemars(range(min = 0, max = 4_294_967_295_u32))]
    local_pref: Option<i64>,
    /// Communities of the routes: `64512:100`, `large:64512:1:2`, or names that a Community gives them.
    communities: Vec<String>,
    /// The pools whose addresses it announces, by name.
    ip_address_pools: Vec<String>,
    /// Further pools, by their labels.
    ip_address_pool_selectors: Vec<LabelSelector>,
    /// The nodes that announce the routes; all, where there are no selectors.
    node_selectors: Vec<LabelSelector>,
    /// The BGPPeers that are told of the routes, by name; all, where none are given.
    peers: Vec<String>,
    /// The services whose addresses it announces; all, where there are no selectors. With selectors
    /// each address is a route of its own.
    service_selectors: Vec<LabelSelector>,
}

impl Spec for BgpAdvertisementSpec {
    const KIND: Kind = Kind::BgpAdvertisement;
    const FIELDS: Table = &[
        ("", &["apiVersion", "kind", "metadata", "spec", "status"]),
        (
            "spec",
            &[
                "aggregationLength",
                "aggregationLengthV6",
                "communities",
                "ipAddressPoolSelectors",
                "ipAddressPools",
                "localPref",
                "nodeSelectors",
                "peers",
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
        ("spec.serviceSelectors[]", SELECTOR),
        ("spec.serviceSelectors[].matchExpressions[]", EXPRESSION),
    ];

    fn setting(resource: Arc<Resource<Self>>) -> Setting {
        Setting::BgpAdvertisement(resource)
    }

    fn draft(&self, at: &ObjectAt<'_>, problems: &mut Problems) -> Draft {
        let pools = &self.ip_address_pools;
        let pools = pool_selection::read(pools, &self.ip_address_pool_selectors, at, problems);
        let aggregation_length_v4 = self.length(Family::V4, at, problems);
        let aggregation_length_v6 = self.length(Family::V6, at, problems);
        self.check_exclusive(problems);
        let local_pref = self.local_pref.map_or(Some(LOCAL_PREF), |value| {
            problems.number(&spec("localPref"), value, 0..=u32::MAX.into())
        });
        for (field, texts) in [("communities", &self.communities), ("peers", &self.peers)] {
            problems.unique(&spec(field), texts);
        }
        let texts = |field, texts: &[String]| -> Vec<_> {
            let texts = texts.iter().cloned().enumerate();
            texts
                .map(|(n, text)| at.locate(text, spec(field).item(n)))
                .collect()
        };
        let peers = texts("peers", &self.peers).into_iter();
        let peers = peers.map(|Located { value, place }| Located {
            value: value.into(),
            place,
        });
        let mut selectors =
            |selectors, field| selector::read_list(selectors, &spec(field), problems);
        let audience = Audience {
            services: selectors(&self.service_selectors, "serviceSelectors"),
            nodes: selectors(&self.node_selectors, "nodeSelectors"),
            ..Audience::default()
        };
        let advertisement = BgpAdvertisementDraft {
            pools,
            peers: peers.collect(),
            aggregation_length_v4,
            aggregation_length_v6,
            communities: texts("communities", &self.communities),
            rest: BgpAdvertisement {
                name: at.name.name().into(),
                audience,
                local_pref: local_pref.unwrap_or(LOCAL_PREF),
                ..BgpAdvertisement::default()
            },
            ..BgpAdvertisementDraft::at(at.place(Path::default()))
        };
        Draft {
            bgp_advertisements: vec![advertisement],
            ..Draft::default()
        }
    }
}

impl BgpAdvertisementSpec {
    /// The field for the prefix length of this family, and its value.
    fn written_length(&self, family: Family) -> (&'static str, Option<i64>) {
        match family {
            Family::V4 => ("aggregationLength", self.aggregation_length),
            Family::V6 => ("aggregationLengthV6", self.aggregation_length_v6),
        }
    }

    fn length(
        &self,
        family: Family,
        at: &ObjectAt<'_>,
        problems: &mut Problems,
    ) -> Option<Located<u8>> {
        let (field, value) = self.written_length(family);
        let least = match family {
            Family::V4 => 1,
            Family::V6 => 0,
        };
        let range = least..=family.bits().into();
        let value = problems.number(&spec(field), value?, range)?;
        Some(at.locate(value, spec(field)))
    }

    /// A route of several addresses is for several services.
    fn check_exclusive(&self, problems: &mut Problems) {
        if self.service_selectors.is_empty() {
            return;
        }
        for family in [Family::V4, Family::V6] {
            let (field, value) = self.written_length(family);
            let most = family.bits();
            if value.is_some_and(|value| value != i64::from(most)) {
                let message = format!(
                    "serviceSelectors and {field} are mutually exclusive: write {most}, or remove \
                     one of them"
                );
                problems.refuse(spec(field), message);
            }
        }
    }
}
