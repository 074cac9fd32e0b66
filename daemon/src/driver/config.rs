//! What became of the configuration: read, in force, refused, missing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use carillon_core::config::assemble::assemble;
use carillon_core::config::draft::Draft;
use carillon_core::config::error::ConfigErrors;
use carillon_core::config::origin::Origin;
use carillon_core::config::{Config, legacy};
use carillon_core::controller::{Controller, Input};
use carillon_core::hash::fnv32;
use tracing::{error, info, warn};

use carillon_objects::source::Description;
use carillon_objects::{ConfigText, ObjectKey, RENUMBER, Setting};

/// The state of the configuration.
pub(super) struct ConfigState {
    key: ObjectKey,
    source: Description,
    backends: Vec<&'static str>,
    /// The objects that make up the newest version.
    settings: BTreeMap<ObjectKey, Setting>,
    /// One of them has changed since they were last read.
    has_changed: bool,
    /// Where the newest version is written; `None` if there is none.
    pub(super) file: Option<String>,
    /// Why the newest version is no configuration.
    pub(super) errors: Vec<String>,
    /// Why the newest version, though right in itself, is not in force.
    pub(super) waiting: Option<String>,
    /// The version in force.
    pub(super) in_force: Option<Arc<Config>>,
    /// Since when it has been in force.
    pub(super) accepted: Option<Instant>,
    /// What there is to say about a missing ConfigMap.
    pub(super) missing: Option<String>,
    /// The version in force was not the newest one when last looked at.
    outdated: bool,
    /// The text of the newest version, told from all others.
    fingerprint: String,
    /// The newest version that is a configuration, and how it is written.
    newest: Option<(Arc<Config>, Arc<ConfigText>)>,
    /// It is known what was in force before the restart.
    has_before: bool,
}

impl ConfigState {
    pub(super) fn new(key: ObjectKey, source: Description, backends: Vec<&'static str>) -> Self {
        Self {
            key,
            source,
            backends,
            settings: BTreeMap::new(),
            has_changed: false,
            file: None,
            errors: Vec::new(),
            waiting: None,
            in_force: None,
            accepted: None,
            missing: None,
            outdated: false,
            fingerprint: String::new(),
            newest: None,
            has_before: false,
        }
    }

    /// The name of the ConfigMap.
    pub(super) fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// The name of where it is read.
    pub(super) fn source(&self) -> &str {
        &self.source.name
    }

    /// Takes in an object as it is now. It is read by [`Self::assemble`].
    pub(super) fn set(&mut self, key: &ObjectKey, setting: &Setting) {
        self.settings.insert(key.clone(), setting.clone());
        self.has_changed = true;
    }

    /// Takes in that an object is gone.
    pub(super) fn remove(&mut self, key: &ObjectKey) {
        self.settings.remove(key);
        self.has_changed = true;
    }

    /// Reads what the objects make up together, if any of them has changed. Returns it if it is a
    /// configuration.
    pub(super) fn assemble(&mut self) -> Option<Input> {
        if !std::mem::take(&mut self.has_changed) {
            return None;
        }
        let Some(Setting::ConfigMap(text)) = self.settings.get(&self.key) else {
            self.removed();
            return None;
        };
        let text = text.clone();
        self.offer(&text)
    }

    /// What all objects say together.
    fn config(&self) -> Result<Config, ConfigErrors> {
        let mut whole = Draft::default();
        for setting in self.settings.values() {
            whole.append(setting.draft(&self.backends)?);
        }
        assemble(whole, &self.backends).whole()
    }

    /// Reads a new version, with this ConfigMap.
    fn offer(&mut self, text: &Arc<ConfigText>) -> Option<Input> {
        self.file = Some(text.origin.file().to_owned());
        self.missing = None;
        self.fingerprint = fingerprint(&text.text);
        match self.config() {
            Ok(config) => {
                self.errors.clear();
                let config = Arc::new(config);
                self.newest = Some((config.clone(), text.clone()));
                let may_renumber = text.renumber.as_ref() == Some(&self.fingerprint);
                Some(if may_renumber {
                    Input::Renumber(config)
                } else {
                    Input::Config(config)
                })
            }
            Err(errors) => {
                self.errors = errors.iter().map(ToString::to_string).collect();
                let effect = match self.in_force {
                    Some(_) => "the last good one stays in force",
                    None => "none is in force yet",
                };
                for error in &self.errors {
                    error!("configuration refused, {effect}: {error}");
                }
                None
            }
        }
    }

    /// Reads the version that was in force before the restart.
    pub(super) fn recall(&mut self, text: &str) -> Option<Input> {
        let origin = Origin::whole("the configuration in force before");
        match legacy::parse(text, &origin, &self.backends) {
            Ok(config) => {
                self.has_before = true;
                Some(Input::InForceBefore(Arc::new(config)))
            }
            Err(errors) => {
                let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                warn!(?errors, "what was in force before cannot be used");
                None
            }
        }
    }

    /// The text of the version that has come into force, if it is the newest one and no makeshift.
    pub(super) fn text_of(&self, config: &Arc<Config>) -> Option<&str> {
        let (newest, text) = self.newest.as_ref()?;
        Arc::ptr_eq(newest, config).then_some(&text.text)
    }

    /// The ConfigMap is gone. That is no reason to withdraw anything.
    fn removed(&mut self) {
        self.file = None;
        self.errors.clear();
        self.miss("has been deleted from");
    }

    /// Whether the version in force is the newest one.
    pub(super) fn is_up_to_date(&self) -> bool {
        self.file.is_some() && self.errors.is_empty() && self.waiting.is_none()
    }

    /// Everything has been read.
    pub(super) fn synced(&mut self) {
        if self.file.is_none() && self.missing.is_none() {
            self.miss("is not in");
        }
    }

    fn miss(&mut self, how: &str) {
        let effect = match (&self.in_force, self.has_before) {
            (Some(_), _) | (None, true) => "the last configuration stays in force",
            (None, false) => "without it there are no pools and no peers",
        };
        let text = format!(
            "{} {how} {}; {effect}: {}, with the pools and peers below `data: {{config: |`",
            self.key, self.source.name, self.source.how_to_configure
        );
        warn!("{text}");
        self.missing = Some(text);
    }

    /// Why a version waits, and how to have it all the same.
    fn tell_waiting(&self, why: &str) -> String {
        format!(
            "{why}; or let this version take them away, by the annotation {RENUMBER}: \"{}\" of the {}",
            self.fingerprint, self.key
        )
    }

    /// Takes in what the controller has decided. Returns a configuration that has come into force.
    pub(super) fn decided(&mut self, controller: &Controller, at: Instant) -> Option<Arc<Config>> {
        let waiting = controller
            .refused()
            .map(|refused| self.tell_waiting(&refused.to_string()));
        let waiting = waiting.map(|text| {
            let unknown = "; what was in force before is not known here: until then this daemon gives no \
                           addresses, and announces those whose pool the new configuration has";
            text + if controller.is_provisional() { unknown } else { "" }
        });
        if waiting != self.waiting {
            if let Some(waiting) = &waiting {
                warn!("{waiting}");
            }
            self.waiting = waiting;
        }
        let now = controller.config()?;
        let was_outdated = self.outdated;
        self.outdated = !self.is_up_to_date();
        let before = self.in_force.as_ref();
        if before.is_some_and(|before| Arc::ptr_eq(before, now)) {
            if was_outdated && !self.outdated {
                info!("the configuration in force is the newest one again");
            }
            return None;
        }
        let file = self.file.as_deref().unwrap_or_default();
        let (pools, peers) = (now.pools.len(), now.bgp.peers.len());
        info!(file, pools, peers, "configuration accepted");
        self.accepted = Some(at);
        self.in_force = Some(now.clone());
        Some(now.clone())
    }
}

/// A short name for a text, the same in all daemons.
fn fingerprint(text: &str) -> String {
    format!("{:08x}", fnv32(text.as_bytes()))
}
