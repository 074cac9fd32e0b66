//! The objects that configure, and which of them do.
//!
//! | there are          | and a ConfigMap | what configures                                         |
//! |--------------------|-----------------|---------------------------------------------------------|
//! | IPAddressPools     | no              | the resources; addresses that no pool has any more go   |
//! | IPAddressPools     | yes             | the resources, as soon as they have all addresses in use |
//! | no IPAddressPools  | yes             | the ConfigMap, all or nothing                           |
//! | other resources    | no              | the resources; without pools they take nothing away     |

use std::sync::Arc;

use carillon_core::config::objects::{Judged, Objects};
use carillon_core::config::{AddressesInUse, Config};
use carillon_objects::{ConfigText, Kind, ObjectKey, Purpose, Setting};

#[cfg(test)]
mod tests;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The ConfigMap.
    key: ObjectKey,
    objects: Objects<ObjectKey, Setting>,
    /// What only tells how to announce counts, too.
    announces: bool,
    /// Some object that may configure is there, and no version of it could be read.
    is_unread: bool,
}

/// What the objects say together.
#[derive(Debug)]
pub(crate) struct Configured {
    /// Which of them.
    pub(crate) by: By,
    /// The configuration.
    pub(crate) config: Config,
    /// What is refused.
    pub(crate) refused: Vec<Refusal>,
    /// What is not wrong, but probably meant otherwise.
    pub(crate) notes: Vec<String>,
    /// There is more, which could not be read or is refused, and had no good version before.
    pub(crate) is_partial: bool,
}

/// What configures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The ConfigMap with this text.
    ConfigMap(Arc<ConfigText>),
    /// The resources of a namespace, beside a ConfigMap that does not count, or without one.
    Resources {
        /// The ConfigMap is there.
        beside_config_map: bool,
    },
}

/// Why an object is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The object.
    pub(crate) object: Arc<str>,
    /// What is wrong, and where.
    pub(crate) text: String,
    /// The same as MetalLB says it, where programs look for that.
    pub(crate) known_as: String,
}

impl Settings {
    /// No objects yet; the ConfigMap is this one, and resources count that are in its namespace. Who
    /// announces nothing is not concerned by what is wrong with peers and advertisements.
    pub(crate) fn new(key: ObjectKey, announces: bool) -> Self {
        Self {
            key,
            announces,
            objects: Objects::default(),
            is_unread: false,
        }
    }

    /// The name of the ConfigMap.
    pub(crate) fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// Takes in an object as it is now. Returns whether it says something else than before: its status
    /// may have changed only.
    pub(crate) fn set(&mut self, key: &ObjectKey, setting: &Setting) -> bool {
        let is_news = self.objects.get(key) != Some(setting);
        if is_news {
            self.objects.set(key.clone(), setting.clone());
        }
        is_news
    }

    /// Takes in that an object is gone.
    pub(crate) fn remove(&mut self, key: &ObjectKey) {
        self.objects.remove(key);
    }

    /// Takes in whether there are some that may configure, of which no version could be read. Returns
    /// whether that is news.
    pub(crate) fn set_unread(&mut self, is_unread: bool) -> bool {
        std::mem::replace(&mut self.is_unread, is_unread) != is_unread
    }

    /// What they say together, for a binary with these backends; `None` if there is nothing that
    /// configures.
    pub(crate) fn assemble(&mut self, backends: &[&'static str]) -> Option<Configured> {
        let namespace = self.key.name.namespace().to_owned();
        let is_here = |key: &ObjectKey| key.name.namespace() == namespace;
        let announces = self.announces;
        let counts = |key: &ObjectKey| is_here(key) && concerns(key.kind, announces);
        let resources = self
            .objects
            .keys()
            .filter(|key| is_resource(key) && is_here(key));
        let resources: Vec<&ObjectKey> = resources.collect();
        let has_pools = resources.iter().any(|key| key.kind == Kind::IpAddressPool);
        let config_map = match self.objects.get(&self.key) {
            Some(Setting::ConfigMap(text)) => Some(text.clone()),
            _ => None,
        };
        let mut notes = self.foreign(&namespace);
        let by = match config_map {
            Some(_) if has_pools => {
                notes.push(format!(
                    "{} is not read: the IPAddressPools of its namespace configure; delete it",
                    self.key
                ));
                By::Resources {
                    beside_config_map: true,
                }
            }
            Some(text) => {
                if let Some(first) = resources.first() {
                    notes.push(format!(
                        "{first} and other resources are not read: without an IPAddressPool {} \
                         configures",
                        self.key
                    ));
                }
                By::ConfigMap(text)
            }
            None if resources.is_empty() => return None,
            None => By::Resources {
                beside_config_map: false,
            },
        };
        let judged = match &by {
            By::ConfigMap(_) => {
                let config_map = self.key.clone();
                self.objects.assemble(|key| *key == config_map, backends)
            }
            By::Resources { .. } => self.objects.assemble(counts, backends),
        };
        Some(Configured::new(
            by,
            judged,
            notes,
            has_pools,
            self.is_unread,
        ))
    }

    /// What is said of resources that are elsewhere.
    fn foreign(&self, namespace: &str) -> Vec<String> {
        let elsewhere = |key: &&ObjectKey| is_resource(key) && key.name.namespace() != namespace;
        let elsewhere = self.objects.keys().filter(elsewhere);
        elsewhere
            .map(|key| {
                format!(
                    "{key} is not read: resources configure in the namespace {namespace} only; \
                     write `namespace: {namespace}` below its `metadata`"
                )
            })
            .collect()
    }
}

/// Whether an object configures by itself, and is no ConfigMap.
fn is_resource(key: &ObjectKey) -> bool {
    key.kind != Kind::ConfigMap && key.kind.info().purpose == Purpose::Setting
}

/// Whether a resource of this kind counts for one who announces, or not.
fn concerns(kind: Kind, announces: bool) -> bool {
    match kind {
        Kind::IpAddressPool | Kind::Community => true,
        Kind::ConfigMap => false,
        _ => announces,
    }
}

impl Configured {
    fn new(
        by: By,
        judged: Judged,
        mut notes: Vec<String>,
        has_pools: bool,
        is_unread: bool,
    ) -> Self {
        let mut config = judged.assembled.config;
        if let By::Resources { beside_config_map } = by
            && (beside_config_map || !has_pools)
        {
            config.addresses_in_use = AddressesInUse::Keep;
        }
        let mut refused = Vec::new();
        for (object, errors) in judged.assembled.refused.iter() {
            let keeps_last = judged.keeps_last.contains(object);
            let object: Arc<str> = object.into();
            refused.extend(errors.iter().map(|error| Refusal {
                object: Arc::clone(&object),
                text: if keeps_last {
                    format!("{error} (the last good version stays in force)")
                } else {
                    error.to_string()
                },
                known_as: match &error.known_as {
                    Some(known) => known.to_string(),
                    None => error.to_string(),
                },
            }));
        }
        notes.extend(judged.assembled.notes.iter().map(ToString::to_string));
        let is_hollow = config.pools.values().any(|pool| pool.blocks.is_empty());
        Self {
            is_partial: is_unread || is_hollow,
            by,
            config,
            refused,
            notes,
        }
    }
}
