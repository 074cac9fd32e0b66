//! What became of the configuration: read, in force, refused, missing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use carillon_core::config::origin::Origin;
use carillon_core::config::{AddressesInUse, Config, legacy};
use carillon_core::controller::{Controller, Input};
use carillon_core::hash::fnv32;
use tracing::{error, info, warn};

use carillon_objects::source::{Description, LISTED, Problems};
use carillon_objects::{ObjectKey, Purpose, RENUMBER, Setting};

use crate::settings::{By, Configured, Refusal, Settings};

/// The state of the configuration.
pub(super) struct ConfigState {
    source: Description,
    backends: Vec<&'static str>,
    /// The objects that make up the newest version.
    settings: Settings,
    /// One of them has changed since they were last read.
    has_changed: bool,
    /// What makes up the newest version; `None` if there is none.
    by: Option<By>,
    /// What of the newest version is refused.
    pub(super) refused: Vec<Refusal>,
    /// What is probably meant otherwise in it.
    pub(super) notes: Vec<String>,
    /// Why the newest version, though right in itself, is not in force.
    pub(super) waiting: Option<String>,
    /// The version in force.
    pub(super) in_force: Option<Arc<Config>>,
    /// Since when it has been in force.
    pub(super) accepted: Option<Instant>,
    /// What there is to say if nothing configures.
    pub(super) missing: Option<String>,
    /// The version in force was not the newest one when last looked at.
    outdated: bool,
    /// The newest version that is a configuration, and what makes it up.
    newest: Option<(Arc<Config>, By)>,
    /// It is known what was in force before the restart.
    has_before: bool,
    /// A version is in force for good.
    is_settled: bool,
}

impl ConfigState {
    pub(super) fn new(
        key: ObjectKey,
        source: Description,
        backends: Vec<&'static str>,
        announces: bool,
    ) -> Self {
        Self {
            source,
            backends,
            settings: Settings::new(key, announces),
            has_changed: false,
            by: None,
            refused: Vec::new(),
            notes: Vec::new(),
            waiting: None,
            in_force: None,
            accepted: None,
            missing: None,
            outdated: false,
            newest: None,
            has_before: false,
            is_settled: false,
        }
    }

    /// The name of the ConfigMap.
    pub(super) fn key(&self) -> &ObjectKey {
        self.settings.key()
    }

    /// The name of where it is read.
    pub(super) fn source(&self) -> &str {
        &self.source.name
    }

    /// What configures, or would, as people know it.
    pub(super) fn object(&self) -> String {
        match self.by {
            Some(By::Resources { .. }) => {
                format!("resources in {}", self.key().name.namespace())
            }
            Some(By::ConfigMap(_)) | None => self.key().to_string(),
        }
    }

    /// The file of the ConfigMap, if that configures.
    pub(super) fn file(&self) -> Option<&str> {
        match &self.by {
            Some(By::ConfigMap(text)) => Some(text.origin.file()),
            Some(By::Resources { .. }) | None => None,
        }
    }

    /// Takes in an object as it is now. It is read by [`Self::assemble`].
    pub(super) fn set(&mut self, key: &ObjectKey, setting: &Setting) {
        self.has_changed |= self.settings.set(key, setting);
    }

    /// Takes in that an object is gone.
    pub(super) fn remove(&mut self, key: &ObjectKey) {
        self.settings.remove(key);
        self.has_changed = true;
    }

    /// Takes in what is wrong in the source.
    pub(super) fn set_problems(&mut self, problems: &Problems) {
        let is_unread = problems.objects.iter().any(|problem| {
            let kind = problem.object.as_ref().map(|key| key.kind.info().purpose);
            !problem.keeps_last && kind.is_none_or(|purpose| purpose == Purpose::Setting)
        });
        self.has_changed |= self.settings.set_unread(is_unread);
    }

    /// Reads what the objects make up together, if any of them has changed. Returns it if it is a
    /// configuration.
    pub(super) fn assemble(&mut self) -> Option<Input> {
        if !std::mem::take(&mut self.has_changed) {
            return None;
        }
        let Some(configured) = self.settings.assemble(&self.backends) else {
            self.removed();
            return None;
        };
        let is_whole = configured.refused.is_empty();
        let Configured {
            by,
            mut config,
            is_partial,
            ..
        } = self.tell(configured);
        if is_partial && !self.is_settled {
            // Addresses may have been given from what cannot be read now.
            config.addresses_in_use = AddressesInUse::Keep;
        }
        self.missing = None;
        self.by = Some(by.clone());
        if let By::ConfigMap(text) = &by {
            if !is_whole {
                return None;
            }
            let config = self.offer(config, &by);
            let may_renumber = text.renumber.as_deref() == Some(&fingerprint(&text.text));
            return Some(if may_renumber {
                Input::Renumber(config)
            } else {
                Input::Config(config)
            });
        }
        Some(Input::Config(self.offer(config, &by)))
    }

    fn offer(&mut self, config: Config, by: &By) -> Arc<Config> {
        let config = Arc::new(config);
        self.newest = Some((config.clone(), by.clone()));
        config
    }

    /// Tells what is refused and noted, as far as it is news and among the first.
    fn tell(&mut self, mut configured: Configured) -> Configured {
        let effect = match (&configured.by, &self.in_force) {
            (By::ConfigMap(_), Some(_)) => ", the last good one stays in force",
            (By::ConfigMap(_), None) => ", none is in force yet",
            (By::Resources { .. }, _) => "",
        };
        let refused = std::mem::replace(&mut self.refused, std::mem::take(&mut configured.refused));
        let known = refused.iter().take(LISTED);
        let known: BTreeSet<&str> = known.map(|refusal| &*refusal.text).collect();
        for refusal in self.refused.iter().take(LISTED) {
            if matches!(configured.by, By::ConfigMap(_)) || !known.contains(&*refusal.text) {
                error!("configuration refused{effect}: {}", refusal.text);
            }
        }
        let notes = std::mem::replace(&mut self.notes, std::mem::take(&mut configured.notes));
        let known: BTreeSet<&String> = notes.iter().take(LISTED).collect();
        let listed = self.notes.iter().take(LISTED);
        for note in listed.filter(|note| !known.contains(note)) {
            warn!("{note}");
        }
        let overflow = |before: usize, now: usize| before <= LISTED && now > LISTED;
        if overflow(refused.len(), self.refused.len()) || overflow(notes.len(), self.notes.len()) {
            warn!("there is more to say of the configuration than the first {LISTED} lines");
        }
        configured
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

    /// The text of the version that has come into force, if it is the newest one and no makeshift. That
    /// of resources need not be kept: it is empty.
    pub(super) fn text_of(&self, config: &Arc<Config>) -> Option<&str> {
        let (newest, by) = self.newest.as_ref()?;
        Arc::ptr_eq(newest, config).then_some(match by {
            By::ConfigMap(text) => &text.text,
            By::Resources { .. } => "",
        })
    }

    /// Nothing configures any more. That is no reason to withdraw anything.
    fn removed(&mut self) {
        self.by = None;
        self.refused.clear();
        self.notes.clear();
        self.miss("has been deleted from");
    }

    /// Whether the version in force is the newest one.
    pub(super) fn is_up_to_date(&self) -> bool {
        self.by.is_some() && self.refused.is_empty() && self.waiting.is_none()
    }

    /// Everything has been read.
    pub(super) fn synced(&mut self) {
        if self.by.is_none() && self.missing.is_none() {
            self.miss("is not in");
        }
    }

    fn miss(&mut self, how: &str) {
        let effect = match (&self.in_force, self.has_before) {
            (Some(_), _) | (None, true) => "the last configuration stays in force",
            (None, false) => "without it there are no pools and no peers",
        };
        let text = format!(
            "{} {how} {}; {effect}: {}, with the pools and peers below `data: {{config: |`; or create \
             resources, an IPAddressPool at least, in the namespace {}",
            self.key(),
            self.source.name,
            self.source.how_to_configure,
            self.key().name.namespace(),
        );
        warn!("{text}");
        self.missing = Some(text);
    }

    /// Why a version waits, and how to have it all the same.
    fn tell_waiting(&self, why: &str) -> String {
        let key = self.key();
        match &self.by {
            Some(By::ConfigMap(text)) => format!(
                "{why}; or let this version take them away, by the annotation {RENUMBER}: \"{}\" of \
                 the {key}",
                fingerprint(&text.text)
            ),
            Some(By::Resources {
                beside_config_map: true,
            }) => format!("{why}; or delete the {key}, then the resources may take them away"),
            Some(By::Resources {
                beside_config_map: false,
            })
            | None => why.to_owned(),
        }
    }

    /// Takes in what the controller has decided. Returns a configuration that has come into force.
    pub(super) fn decided(&mut self, controller: &Controller, at: Instant) -> Option<Arc<Config>> {
        let waiting = controller
            .refused()
            .map(|refused| self.tell_waiting(&refused.to_string()));
        let waiting = waiting.map(|text| {
            if !controller.is_provisional() {
                return text;
            }
            let (why, which) = if self.has_before {
                ("does not have all of them either", "that")
            } else {
                ("is not known here", "the new configuration")
            };
            format!(
                "{text}; what was in force before {why}: until then this daemon gives no addresses, \
                 and announces those whose pool {which} has"
            )
        });
        if waiting != self.waiting {
            if let Some(waiting) = &waiting {
                warn!("{waiting}");
            }
            self.waiting = waiting;
        }
        let now = controller.config()?;
        self.is_settled = !controller.is_provisional();
        let was_outdated = self.outdated;
        self.outdated = !self.is_up_to_date();
        let before = self.in_force.as_ref();
        if before.is_some_and(|before| Arc::ptr_eq(before, now)) {
            if was_outdated && !self.outdated {
                info!("the configuration in force is the newest one again");
            }
            return None;
        }
        let file = self.file().unwrap_or_default();
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

/// The first of many texts, and how many more there are.
pub(super) fn listed<T>(all: &[T], text: impl Fn(&T) -> String) -> Vec<String> {
    let mut texts: Vec<_> = all.iter().take(LISTED).map(text).collect();
    if let Some(more) = all.len().checked_sub(LISTED).filter(|more| *more > 0) {
        texts.push(format!("… and {more} more"));
    }
    texts
}
