//! ConfigMap: the configuration as one text.

use carillon_core::config::draft::Draft;
use carillon_core::config::error::ConfigErrors;
use carillon_core::config::legacy;
use carillon_core::config::origin::Origin;
use carillon_core::service::ServiceKey;
use carillon_core::yaml::{self, Content};
use serde::Deserialize;

use super::kind::{Kind, KindInfo, Purpose, Selection};
use super::manifest::{Document, Manifest, Reader};
use super::metadata::Metadata;
use super::schema::Table;
use super::tree::{FieldError, Path, Value};
use super::validate::format::Name;
use super::{Configures, Object, Setting};

/// The row of this kind.
pub(super) static KIND: KindInfo = KindInfo {
    name: "ConfigMap",
    group: "",
    version: "v1",
    older_versions: &[],
    plural: "configmaps",
    namespaced: true,
    names: Some(Name::Subdomain),
    in_files: true,
    purpose: Purpose::Setting,
    selection: Selection::Configuration,
    beside_configuration: true,
    reader: Reader::of::<ConfigMapObject>(),
};

const FIELDS: Table = &[(
    "",
    &[
        "apiVersion",
        "binaryData",
        "data",
        "immutable",
        "kind",
        "metadata",
    ],
)];

/// The annotation of the ConfigMap by which somebody says that one configuration may take away
/// addresses in use.
pub const RENUMBER: &str = "carillon/renumber";

/// A configuration as it is written, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigText {
    /// The text.
    pub text: String,
    /// Its place in the file.
    pub origin: Origin,
    /// The annotation [`RENUMBER`] of the ConfigMap.
    pub renumber: Option<String>,
}

impl Configures for ConfigText {
    fn draft(&self, backends: &[&'static str]) -> Result<Draft, ConfigErrors> {
        legacy::draft(&self.text, &self.origin, backends)
    }
}

/// Whether a text is MetalLB's configuration itself, outside of a ConfigMap.
pub fn is_configuration(text: &str) -> bool {
    let Ok(Some(root)) = yaml::parse(text) else {
        return false;
    };
    let Content::Mapping(entries) = &root.content else {
        return false;
    };
    let has = |names: &[&str]| entries.iter().any(|entry| names.contains(&&*entry.key));
    !has(&["kind", "apiVersion"])
        && has(&["peers", "address-pools", "bgp-communities", "bfd-profiles"])
}

/// A ConfigMap as Kubernetes writes it.
#[derive(Deserialize)]
pub(super) struct ConfigMapObject {
    metadata: Metadata,
    #[serde(default)]
    data: Data,
    /// Where the text stands, if that is in a file.
    #[serde(skip)]
    origin: Option<Origin>,
}

#[derive(Default, Deserialize)]
struct Data {
    config: Option<String>,
}

/// What is told of a ConfigMap without a configuration.
fn keyless() -> FieldError {
    let message = "has no key `config`; write `config: |` and the configuration below it";
    FieldError::new(Path::fields(&["data"]), message)
}

impl Manifest for ConfigMapObject {
    const FIELDS: Table = FIELDS;

    /// The text knows its place, so that what is wrong in it is told with that.
    fn read(object: Value<'_>, document: Document<'_>) -> Result<Self, FieldError> {
        let config = object.get("data").and_then(|data| data.get("config"));
        let config = config.ok_or_else(keyless)?;
        let text = match &config.0.content {
            Content::Scalar { text, .. } => text.clone(),
            Content::Null => String::new(),
            Content::Sequence(_) | Content::Mapping(_) => {
                let message = "is not text; write `config: |` and the configuration below it";
                return Err(FieldError::new(Path::fields(&["data", "config"]), message));
            }
        };
        let annotations = object.get("metadata");
        let annotations = annotations.and_then(|metadata| metadata.get("annotations"));
        let renumber = annotations.and_then(|annotations| annotations.get(RENUMBER));
        let renumber = renumber.and_then(|value| match &value.0.content {
            Content::Scalar { text, .. } => Some((RENUMBER.to_owned(), text.clone())),
            Content::Null | Content::Sequence(_) | Content::Mapping(_) => None,
        });
        let mut metadata = Metadata::default();
        metadata.annotations.extend(renumber);
        Ok(Self {
            metadata,
            origin: Some(document.origin(&text, config.0.position)),
            data: Data { config: Some(text) },
        })
    }

    fn metadata(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    fn convert(mut self, name: &ServiceKey) -> Result<(Object, Vec<FieldError>), Vec<FieldError>> {
        let text = self.data.config.ok_or_else(|| vec![keyless()])?;
        let key = Kind::ConfigMap.key(name.clone());
        let whole = || Origin::whole(&key.to_string());
        let config = ConfigText {
            text,
            origin: self.origin.unwrap_or_else(whole),
            renumber: self.metadata.annotations.remove(RENUMBER),
        };
        let setting = Setting::ConfigMap(config.into());
        Ok((Object::Setting(setting), Vec::new()))
    }
}
