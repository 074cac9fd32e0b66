//! Secret: as far as it can have the password of a BGP peer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use carillon_core::config::Password;
use carillon_core::config::draft::{Draft, SecretDraft};
use carillon_core::config::error::ConfigErrors;
use carillon_core::service::ServiceKey;
use carillon_core::text;
use serde::Deserialize;

use super::hidden::{self, Hidden};
use super::kind::{KindInfo, Purpose, Selection};
use super::manifest::{Manifest, Reader};
use super::metadata::Metadata;
use super::schema::Table;
use super::tree::{FieldError, Path};
use super::validate::format::Name;
use super::{Configures, Object, Setting};

#[cfg(test)]
mod tests;

/// The row of this kind.
pub(super) static KIND: KindInfo = KindInfo {
    name: "Secret",
    group: "",
    version: "v1",
    older_versions: &[],
    plural: "secrets",
    namespaced: true,
    names: Some(Name::Subdomain),
    in_files: true,
    purpose: Purpose::Secret,
    selection: Selection::All,
    beside_configuration: true,
    reader: Reader::of::<SecretObject>(),
};

const FIELDS: Table = &[(
    "",
    &[
        "apiVersion",
        "data",
        "immutable",
        "kind",
        "metadata",
        "stringData",
        "type",
    ],
)];

/// The type of those of which the password is kept.
const BASIC_AUTH: &str = "kubernetes.io/basic-auth";

/// A Secret. Of all that is in it, the password of one for authentication is kept, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    name: ServiceKey,
    kind: String,
    password: Option<Password>,
}

impl Configures for Secret {
    fn draft(&self, _backends: &[&'static str]) -> Result<Draft, ConfigErrors> {
        let secret = SecretDraft {
            key: self.name.to_string(),
            name: self.name.name().into(),
            kind: self.kind.clone(),
            password: self.password.clone(),
        };
        Ok(Draft {
            secrets: vec![secret],
            ..Draft::default()
        })
    }
}

/// A Secret as Kubernetes writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SecretObject {
    metadata: Metadata,
    #[serde(default)]
    r#type: String,
    #[serde(default, deserialize_with = "hidden::mapping")]
    data: Data,
    #[serde(default, deserialize_with = "hidden::mapping")]
    string_data: Data,
}

#[derive(Default, Deserialize)]
struct Data {
    password: Option<Hidden>,
}

impl Manifest for SecretObject {
    const FIELDS: Table = FIELDS;

    fn metadata(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    fn convert(self, name: &ServiceKey) -> Result<(Object, Vec<FieldError>), Vec<FieldError>> {
        let kind = text::bounded(&self.r#type).into_owned();
        let mut password = None;
        if kind == BASIC_AUTH {
            password = match (self.string_data.password, self.data.password) {
                (Some(plain), _) => Some(Password(plain.text().to_owned())),
                (None, Some(encoded)) => decode(encoded.text()).map_err(|error| vec![error])?,
                (None, None) => None,
            };
        }
        let secret = Secret {
            name: name.clone(),
            kind,
            password,
        };
        let setting = Setting::Secret(secret.into());
        Ok((Object::Setting(setting), Vec::new()))
    }
}

/// A password out of `data`; `None` if it is no text.
fn decode(encoded: &str) -> Result<Option<Password>, FieldError> {
    // The API server passes over line breaks.
    let encoded: String = encoded.split(['\n', '\r']).collect();
    let Ok(octets) = STANDARD.decode(encoded) else {
        let path = Path::fields(&["data", "password"]);
        let message = "is not base64: write it so, or as it is below stringData";
        return Err(FieldError::new(path, message));
    };
    Ok(String::from_utf8(octets).ok().map(Password))
}
