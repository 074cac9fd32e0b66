//! Which objects the files of a directory define, and which version of each is in force.
//!
//! Pure bookkeeping: contents come in, changes come out. The work per file is proportional to the
//! objects in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use carillon_core::yaml::Position;

use carillon_objects::source::{Change, LISTED, Problem, Problems};
use carillon_objects::{Kind, Note, Object, ObjectKey, Parsed, Setting};

mod definitions;
mod index;
mod reading;
mod remarks;
#[cfg(test)]
mod tests;

use definitions::{Definitions, Entry};
use index::Index;
use reading::Reading;
use remarks::Remarks;

/// What was found in the place of a file.
#[derive(Debug)]
pub enum Contents {
    /// Its text.
    Text(String),
    /// Why it has none.
    Unreadable(String),
}

/// The objects of all files.
#[derive(Debug)]
pub struct Catalog {
    config: ObjectKey,
    /// Of the files that define an object, the first by name counts.
    index: Index,
    problems: Remarks,
    notes: Remarks,
    /// The files in which something is wrong with the configuration.
    misconfigured: BTreeSet<Arc<str>>,
    /// Files that may be gone, or other than they were.
    doubtful: BTreeSet<Arc<str>>,
    duplicates: BTreeSet<ObjectKey>,
    /// ConfigMaps with a configuration that are not the one.
    strays: BTreeMap<Arc<str>, Vec<(ObjectKey, Position)>>,
    /// The answer of [`Self::problems`] may be another than last time.
    problems_changed: bool,
}

impl Catalog {
    /// An empty catalog, in which `config` is the only ConfigMap of interest.
    pub fn new(config: ObjectKey) -> Self {
        Self {
            config,
            index: Index::default(),
            problems: Remarks::default(),
            notes: Remarks::default(),
            misconfigured: BTreeSet::new(),
            doubtful: BTreeSet::new(),
            duplicates: BTreeSet::new(),
            strays: BTreeMap::new(),
            problems_changed: false,
        }
    }

    /// Takes in what a file holds now.
    pub fn set(&mut self, file: &Arc<str>, contents: Contents, changes: &mut Vec<Change>) {
        let mut reading = Reading::new(file, self.index.definitions(file));
        let (mut strays, mut notes) = (Vec::new(), Vec::new());
        match contents {
            Contents::Text(text) if carillon_objects::is_blank(&text) => {
                let is_elsewhere = |key: &ObjectKey| self.index.definers(key).len() > 1;
                reading.keep_all(is_elsewhere, text.trim().is_empty());
            }
            Contents::Text(text) => {
                let found = carillon_objects::parse(reading.file, &text);
                notes = found.notes;
                for parsed in found.objects {
                    if self.is_wanted(&parsed) {
                        reading.take(parsed);
                    } else {
                        strays.extend(stray(parsed));
                    }
                }
            }
            Contents::Unreadable(error) => reading.refuse_all(error),
        }
        let (after, problems) = reading.finish();
        self.set_strays(file, strays);
        self.set_problems(file, problems);
        self.set_notes(file, notes);
        self.replace(file, after, changes);
    }

    /// Takes in that a file is gone.
    pub fn remove(&mut self, file: &Arc<str>, changes: &mut Vec<Change>) {
        self.set_strays(file, Vec::new());
        self.set_problems(file, Vec::new());
        self.set_notes(file, Vec::new());
        self.replace(file, Definitions::default(), changes);
    }

    /// Takes no more memory than the objects need.
    pub(crate) fn pack(&mut self) {
        self.index.pack();
    }

    /// Whether something may be wrong that was not, or no longer be, since the last call.
    pub(crate) fn take_problems_changed(&mut self) -> bool {
        std::mem::take(&mut self.problems_changed)
    }

    fn set_problems(&mut self, file: &Arc<str>, problems: Vec<Problem>) {
        self.problems_changed |=
            !problems.is_empty() || !self.duplicates.is_empty() || !self.strays.is_empty();
        if problems.iter().any(|problem| self.is_of_config(problem)) {
            self.misconfigured.insert(file.clone());
        } else {
            self.misconfigured.remove(file);
        }
        self.problems_changed |= self.problems.set(file, problems);
    }

    fn is_of_config(&self, problem: &Problem) -> bool {
        problem.object.as_ref() == Some(&self.config)
    }

    fn set_notes(&mut self, file: &Arc<str>, notes: Vec<Note>) {
        let notes = notes.into_iter().map(|note| Problem {
            file: file.to_string(),
            at: Some(note.at),
            object: note.key,
            message: note.message,
            keeps_last: false,
        });
        self.problems_changed |= self.notes.set(file, notes.collect());
    }

    /// Takes in which files may be gone: what they define, too, is no contradiction yet.
    pub(crate) fn set_doubtful(&mut self, doubtful: BTreeSet<Arc<str>>) {
        self.problems_changed |= self.doubtful != doubtful;
        self.doubtful = doubtful;
    }

    /// Whether several files define an object.
    pub(crate) fn has_duplicates(&self) -> bool {
        !self.duplicates.is_empty()
    }

    fn set_strays(&mut self, file: &Arc<str>, strays: Vec<(ObjectKey, Position)>) {
        if strays.is_empty() {
            self.problems_changed |= self.strays.remove(file).is_some();
        } else {
            self.strays.insert(file.clone(), strays);
        }
    }

    /// Everything that is wrong now: first the configuration, then all else in the order of the files.
    pub fn problems(&self) -> impl Iterator<Item = Problem> {
        let misconfigured = self
            .misconfigured
            .iter()
            .filter_map(|file| self.problems.of(file));
        let first = misconfigured
            .flatten()
            .filter(|problem| self.is_of_config(problem));
        let others = self
            .problems
            .iter()
            .filter(|problem| !self.is_of_config(problem));
        let duplicates = self.duplicates.iter().filter_map(|key| self.duplicate(key));
        let is_missing = self.index.in_force(&self.config).is_none();
        let strays = self.strays.iter().filter(move |_| is_missing);
        let strays = strays.flat_map(|(file, found)| found.iter().map(move |stray| (file, stray)));
        let strays = strays.map(|(file, (key, at))| self.mistaken(file, key, *at));
        first.chain(others).cloned().chain(duplicates).chain(strays)
    }

    /// What is to say beside that, in the order of the files.
    pub fn notes(&self) -> impl Iterator<Item = Problem> {
        self.notes.iter().cloned()
    }

    /// The first problems and notes, and how many there are beside. The work is that of those listed.
    pub fn listed(&self) -> Problems {
        // Contradictions that may be none count as well: it is about how many.
        let strays: usize = self.strays.values().map(Vec::len).sum();
        let problems = self.problems.len() + self.duplicates.len() + strays;
        let objects: Vec<Problem> = self.problems().take(LISTED).collect();
        let is_all = objects.len() < LISTED;
        let omitted = if is_all {
            0
        } else {
            problems.saturating_sub(LISTED)
        };
        Problems {
            unreachable: Vec::new(),
            objects,
            omitted,
            notes: self.notes().take(LISTED).collect(),
            omitted_notes: self.notes.len().saturating_sub(LISTED),
        }
    }

    /// A ConfigMap that is probably meant as the configuration.
    fn mistaken(&self, file: &Arc<str>, key: &ObjectKey, at: Position) -> Problem {
        Problem {
            file: file.to_string(),
            at: Some(at),
            object: Some(key.clone()),
            message: format!(
                "is passed over, since the configuration is in {}: rename it, or give \
                 --config-namespace {} --config-name {}",
                self.config,
                key.name.namespace(),
                key.name.name()
            ),
            keeps_last: false,
        }
    }

    fn is_wanted(&self, parsed: &Parsed) -> bool {
        let key = parsed.key.as_ref();
        key.is_none_or(|key| key.kind != Kind::ConfigMap || *key == self.config)
    }

    /// Puts the new objects of a file in the place of the old ones.
    fn replace(&mut self, file: &Arc<str>, after: Definitions, changes: &mut Vec<Change>) {
        let before = self.index.definitions(file).keys();
        let keys: BTreeSet<ObjectKey> = before.chain(after.keys()).collect();
        let in_force = |index: &Index, key: &ObjectKey| Some(index.in_force(key)?.object);
        let in_force_before: Vec<Option<Object>> =
            keys.iter().map(|key| in_force(&self.index, key)).collect();
        self.index.replace(file, after);
        for (key, then) in keys.into_iter().zip(in_force_before) {
            self.note_duplicate(&key);
            match (then, in_force(&self.index, &key)) {
                (then, Some(now)) => {
                    if then.as_ref() != Some(&now) {
                        changes.push(Change::Set(key, now));
                    }
                }
                (Some(_), None) => changes.push(Change::Removed(key)),
                (None, None) => {}
            }
        }
    }

    fn note_duplicate(&mut self, key: &ObjectKey) {
        self.problems_changed |= if self.index.definers(key).len() > 1 {
            self.duplicates.insert(key.clone())
        } else {
            self.duplicates.remove(key)
        };
    }

    fn duplicate(&self, key: &ObjectKey) -> Option<Problem> {
        let mut definers = self.index.definers(key);
        definers.retain(|(file, _)| !self.doubtful.contains(*file));
        let [(first, entry), others @ ..] = definers.as_slice() else {
            return None;
        };
        if others.is_empty() {
            return None;
        }
        let shown = |(file, entry): &(&Arc<str>, Entry)| format!("{file}:{}", entry.at().line);
        let others: Vec<String> = others.iter().map(shown).collect();
        Some(Problem {
            file: first.to_string(),
            at: Some(entry.at()),
            object: Some(key.clone()),
            message: format!(
                "is also defined in {}; this one is used (the first file by name): remove the \
                 others",
                others.join(", ")
            ),
            keeps_last: false,
        })
    }
}

/// The key and place of a ConfigMap that holds a configuration.
fn stray(parsed: Parsed) -> Option<(ObjectKey, Position)> {
    match (parsed.key, parsed.object) {
        (Some(key), Ok(Object::Setting(Setting::ConfigMap(config))))
            if carillon_objects::is_configuration(&config.text) =>
        {
            Some((key, parsed.at))
        }
        _ => None,
    }
}
