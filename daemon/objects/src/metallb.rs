//! The resources of the API group `metallb.io` by which users configure Carillon.
//!
//! One is a `Spec`, whose fields are those of the resource, in a file of its own; with its metadata and
//! its place it is a [`Resource`], and that yields a draft of the configuration.

use std::fmt;
use std::sync::Arc;

use carillon_core::config::AddressesInUse;
use carillon_core::config::draft::Draft;
use carillon_core::config::error::{ConfigErrors, Refused};
use carillon_core::config::origin::Origin;
use carillon_core::config::place::{Located, Place, Step, Texts};
use carillon_core::labels::Labels;
use carillon_core::service::ServiceKey;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::kind::{KindInfo, Purpose, Selection};
use super::manifest::{Document, Manifest, Reader};
use super::metadata::Metadata;
use super::schema::Table;
use super::tree::{FieldError, Path, Value};
use super::validate::format::Name;
use super::{Configures, Kind, Object, ObjectKey, Setting};

pub mod bfd_profile;
pub mod bgp_advertisement;
pub mod bgp_peer;
pub mod community;
pub mod ip_address_pool;
pub mod l2_advertisement;
mod pool_selection;
mod problems;
pub mod selector;
#[cfg(test)]
mod tests;

use problems::Problems;

/// The API group.
pub const GROUP: &str = "metallb.io";
/// The kinds of the group that programs write, and nobody configures anything by.
pub(super) const WRITTEN_BY_PROGRAMS: [&str; 4] = [
    "ConfigurationState",
    "ServiceBGPStatus",
    "ServiceL2Status",
    // Of the operator, which installs MetalLB.
    "MetalLB",
];

/// `spec` of a resource.
pub(super) trait Spec: DeserializeOwned + Default + Clone + fmt::Debug + Eq {
    /// The kind.
    const KIND: Kind;
    /// The fields of its mappings below `spec`.
    const FIELDS: Table;

    /// The resource among all that configures.
    fn setting(resource: Arc<Resource<Self>>) -> Setting;

    /// The part of a configuration that it is. What is wrong with it alone is told.
    fn draft(&self, at: &ObjectAt<'_>, problems: &mut Problems) -> Draft;

    /// What in it is understood, and has no effect.
    fn remarks(&self) -> Vec<FieldError> {
        Vec::new()
    }
}

/// An object that is being read.
pub(super) struct ObjectAt<'a> {
    /// As people know it.
    object: Arc<str>,
    /// Its namespace and name.
    name: &'a ServiceKey,
    /// Its labels.
    labels: &'a Labels,
    /// The backends of the binary. Where they are not known, what depends on them is not looked at.
    backends: Option<&'a [&'static str]>,
}

impl ObjectAt<'_> {
    fn place(&self, path: Path) -> Place {
        Place {
            object: Arc::clone(&self.object),
            path,
            at: None,
        }
    }

    fn locate<T>(&self, value: T, path: Path) -> Located<T> {
        let place = self.place(path);
        Located { value, place }
    }
}

/// The path of a field of `spec`.
fn spec(field: &str) -> Path {
    Path::fields(&["spec", field])
}

/// A resource as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource<S> {
    name: ServiceKey,
    /// `metadata.creationTimestamp`.
    created: Option<Box<str>>,
    labels: Labels,
    spec: S,
    written: Option<Written>,
}

/// Where in a file an object is written.
#[derive(Clone, PartialEq, Eq)]
struct Written {
    origin: Origin,
    document: Arc<str>,
    /// Its place in the lists around it, the outermost first.
    within: Vec<usize>,
}

impl<S: Spec> Configures for Resource<S> {
    fn draft(&self, backends: &[&'static str]) -> Result<Draft, ConfigErrors> {
        let (mut draft, problems) = read(self, Some(backends));
        let object: Arc<str> = key(self).to_string().into();
        if let Some(written) = &self.written {
            draft.texts = written.texts(&object);
        }
        let mut errors = ConfigErrors::default();
        for FieldError { path, message, .. } in problems {
            let (object, at) = (Arc::clone(&object), None);
            let place = Place { object, path, at };
            errors.push_with(|| draft.texts.error(&place, message));
        }
        draft.errors = Refused::of(object, errors);
        draft.addresses_in_use = Some(AddressesInUse::Reallocate);
        Ok(draft)
    }

    fn created(&self) -> Option<&str> {
        self.created.as_deref()
    }
}

impl<S: PartialEq> Resource<S> {
    /// Whether another one says the same, wherever that is written.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        self.name == other.name
            && self.created == other.created
            && self.labels == other.labels
            && self.spec == other.spec
    }
}

fn key<S: Spec>(resource: &Resource<S>) -> ObjectKey {
    S::KIND.key(resource.name.clone())
}

/// The part of a configuration that a resource is, and what is wrong with it.
fn read<S: Spec>(
    resource: &Resource<S>,
    backends: Option<&[&'static str]>,
) -> (Draft, Vec<FieldError>) {
    let at = ObjectAt {
        object: key(resource).to_string().into(),
        name: &resource.name,
        labels: &resource.labels,
        backends,
    };
    let mut problems = Problems::default();
    let draft = resource.spec.draft(&at, &mut problems);
    (draft, problems.into_errors())
}

/// There may be passwords in the document.
impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = f.debug_struct("Written");
        written.field("origin", &self.origin);
        written.field("within", &self.within);
        written.finish_non_exhaustive()
    }
}

impl Written {
    fn texts(&self, object: &Arc<str>) -> Texts {
        let within = self.within.iter();
        let within = within.flat_map(|item| [Step::Key("items".into()), Step::Index(*item)]);
        let (object, document) = (Arc::clone(object), Arc::clone(&self.document));
        Texts::of_object(
            object,
            self.origin.clone(),
            document,
            Path(within.collect()),
        )
    }
}

/// A resource as Kubernetes writes it.
#[derive(Deserialize)]
#[serde(bound = "S: Spec")]
pub(super) struct ResourceObject<S> {
    metadata: Metadata,
    #[serde(default)]
    spec: S,
    #[serde(skip)]
    written: Option<Written>,
}

impl<S: Spec> Manifest for ResourceObject<S> {
    const FIELDS: Table = S::FIELDS;

    fn read(object: Value<'_>, document: Document<'_>) -> Result<Self, FieldError> {
        let written = Written {
            origin: document.whole(),
            document: document.shared(),
            within: document.within.to_vec(),
        };
        Ok(Self {
            written: Some(written),
            ..Self::deserialize(object)?
        })
    }

    fn metadata(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    fn remarks(&self) -> Vec<FieldError> {
        self.spec.remarks()
    }

    fn convert(self, name: &ServiceKey) -> Result<(Object, Vec<FieldError>), Vec<FieldError>> {
        let resource = Resource {
            name: name.clone(),
            created: self.metadata.creation_timestamp.map(String::into),
            labels: self.metadata.labels.iter().collect(),
            spec: self.spec,
            written: self.written,
        };
        let (_, errors) = read(&resource, None);
        if !errors.is_empty() {
            return Err(errors);
        }
        let setting = S::setting(resource.into());
        Ok((Object::Setting(setting), Vec::new()))
    }
}

/// The row of a kind.
const fn row<S: Spec>(
    name: &'static str,
    plural: &'static str,
    version: &'static str,
    older_versions: &'static [&'static str],
) -> KindInfo {
    KindInfo {
        name,
        group: GROUP,
        version,
        older_versions,
        plural,
        namespaced: true,
        names: Some(Name::Subdomain),
        in_files: true,
        purpose: Purpose::Setting,
        selection: Selection::All,
        beside_configuration: true,
        reader: Reader::of::<ResourceObject<S>>(),
    }
}
