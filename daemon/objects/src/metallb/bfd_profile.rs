//! BFDProfile: how BFD watches the sessions with BGP peers.

use std::sync::Arc;

use carillon_core::config::draft::Draft;
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::Setting;
use super::super::kind::{Kind, KindInfo};
use super::super::schema::Table;
use super::super::tree::Path;
use super::{ObjectAt, Problems, Resource, Spec, row, spec};

/// The row of this kind.
pub(in super::super) static KIND: KindInfo =
    row::<BfdProfileSpec>("BFDProfile", "bfdprofiles", "v1beta1", &[]);

/// How BFD watches the sessions of the BGPPeers that name this profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct BfdProfileSpec {
    /// The least time between packets that can be received, in milliseconds.
    #[schemars(range(min = 10, max = 60000))]
    receive_interval: Option<i64>,
    /// The time between packets that are sent, in milliseconds.
    #[schemars(range(min = 10, max = 60000))]
    transmit_interval: Option<i64>,
    /// How many packets have to be missing.
    #[schemars(range(min = 2, max = 255))]
    detect_multiplier: Option<i64>,
    /// The time between echo packets, in milliseconds.
    #[schemars(range(min = 10, max = 60000))]
    echo_interval: Option<i64>,
    /// Whether echo packets are sent.
    echo_mode: Option<bool>,
    /// Whether to wait for the peer to begin.
    passive_mode: Option<bool>,
    /// The least TTL of packets that come over several hops.
    #[schemars(range(min = 1, max = 254))]
    minimum_ttl: Option<i64>,
}

impl Spec for BfdProfileSpec {
    const KIND: Kind = Kind::BfdProfile;
    const FIELDS: Table = &[
        ("", &["apiVersion", "kind", "metadata", "spec", "status"]),
        (
            "spec",
            &[
                "detectMultiplier",
                "echoInterval",
                "echoMode",
                "minimumTtl",
                "passiveMode",
                "receiveInterval",
                "transmitInterval",
            ],
        ),
    ];

    fn setting(resource: Arc<Resource<Self>>) -> Setting {
        Setting::BfdProfile(resource)
    }

    fn draft(&self, at: &ObjectAt<'_>, problems: &mut Problems) -> Draft {
        for (field, value, range) in [
            ("receiveInterval", self.receive_interval, 10..=60_000),
            ("transmitInterval", self.transmit_interval, 10..=60_000),
            ("detectMultiplier", self.detect_multiplier, 2..=255),
            ("echoInterval", self.echo_interval, 10..=60_000),
            ("minimumTtl", self.minimum_ttl, 1..=254),
        ] {
            let _: Option<u32> =
                value.and_then(|value| problems.number(&spec(field), value, range));
        }
        let name = at.locate(at.name.name().into(), Path::fields(&["metadata", "name"]));
        Draft {
            bfd_profiles: vec![name],
            ..Draft::default()
        }
    }
}
