//! Community: names for communities.

use std::collections::HashSet;
use std::sync::Arc;

use carillon_core::config::draft::{CommunityAlias, Draft};
use carillon_core::config::error::quote;
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::Setting;
use super::super::kind::{Kind, KindInfo};
use super::super::schema::Table;
use super::{ObjectAt, Problems, Resource, Spec, row, spec};

/// The row of this kind.
pub(in super::super) static KIND: KindInfo =
    row::<CommunitySpec>("Community", "communities", "v1beta1", &[]);

/// Gives names to communities, for BGPAdvertisements.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CommunitySpec {
    /// The names.
    communities: Vec<NamedCommunity>,
}

/// A community that has a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct NamedCommunity {
    /// The name, which no other community has.
    name: String,
    /// The community: `64512:100` or `large:64512:1:2`.
    value: String,
}

impl Spec for CommunitySpec {
    const KIND: Kind = Kind::Community;
    const FIELDS: Table = &[
        ("", &["apiVersion", "kind", "metadata", "spec", "status"]),
        ("spec", &["communities"]),
        ("spec.communities[]", &["name", "value"]),
    ];

    fn setting(resource: Arc<Resource<Self>>) -> Setting {
        Setting::Community(resource)
    }

    fn draft(&self, at: &ObjectAt<'_>, problems: &mut Problems) -> Draft {
        let mut before = HashSet::new();
        let mut communities = Vec::new();
        for (n, NamedCommunity { name, value }) in self.communities.iter().enumerate() {
            let path = |field| spec("communities").item(n).field(field);
            let value = problems.checked(&path("value"), value.parse());
            if before.insert(name.as_str()) {
                let name = at.locate(name.as_str().into(), path("name"));
                communities.push(CommunityAlias { name, value });
            } else {
                let message = format!(
                    "{} already exists: a community before has that name, choose another one",
                    quote(name)
                );
                problems.refuse(path("name"), message);
            }
        }
        Draft {
            communities,
            ..Draft::default()
        }
    }
}
