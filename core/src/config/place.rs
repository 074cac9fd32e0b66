//! Where a value stands: in which object, and on which path from the root of that. Line and column
//! follow from the text of the object; they are looked up when they are to be told.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use super::error::{ConfigError, shorten};
use super::origin::{Origin, Spot};
use crate::text::MOST;
use crate::yaml::{self, Content, Limits, Node, Position};

#[cfg(test)]
mod tests;

/// One step from a value to a value inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A field of a mapping.
    Key(Rc<str>),
    /// An item of a sequence.
    Index(usize),
}

/// The way from the root of an object to a value; written `spec.ports[0].port`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// The path of nested fields.
    pub fn fields(names: &[&str]) -> Self {
        let names = names.iter().copied();
        Self(names.map(|name| Step::Key(name.into())).collect())
    }

    /// This path and one more field.
    #[must_use]
    pub fn field(mut self, name: impl Into<Rc<str>>) -> Self {
        self.0.push(Step::Key(name.into()));
        self
    }

    /// This path and one more item.
    #[must_use]
    pub fn item(mut self, index: usize) -> Self {
        self.0.push(Step::Index(index));
        self
    }

    /// The position in the text of the innermost value on the path that exists.
    pub fn position(&self, root: &Node) -> Position {
        let mut node = root;
        for step in &self.0 {
            let next = match (step, &node.content) {
                (Step::Key(key), Content::Mapping(entries)) => {
                    let entry = entries.iter().find(|entry| entry.key == *key);
                    entry.map(|entry| &entry.value)
                }
                (Step::Index(index), Content::Sequence(items)) => items.get(*index),
                (Step::Key(_), Content::Null | Content::Scalar { .. } | Content::Sequence(_))
                | (Step::Index(_), Content::Null | Content::Scalar { .. } | Content::Mapping(_)) => {
                    None
                }
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node.position
    }

    /// Written with quotes around keys of the user's choice:
    /// `match-labels["kubernetes.io/hostname"]`.
    pub fn quoted(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text, shorten);
        text
    }

    fn write(&self, f: &mut impl fmt::Write, shown: impl Fn(&str) -> String) -> fmt::Result {
        for (n, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if !is_field(key) => write!(f, "[{}]", shown(key))?,
                Step::Key(key) if n == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, shown)
    }
}

/// Whether this could be the name of a field.
fn is_field(key: &str) -> bool {
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    !key.is_empty() && key.len() <= MOST && key.chars().all(usual)
}

/// A word of the user's choice, such as the key of an annotation: as it is, if it is short and
/// usual.
pub fn shown(key: &str) -> String {
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    if !key.is_empty() && key.len() <= MOST && key.chars().all(usual) {
        key.to_owned()
    } else {
        shorten(key)
    }
}

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name of the object, or of what else the value was read from.
    pub object: Arc<str>,
    /// The way from its root; empty for the root.
    pub path: Path,
    /// The position in the text, where the path alone does not tell it: that of a key.
    pub at: Option<Position>,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// The texts of objects, in which places are looked up.
#[derive(Clone, Default)]
pub struct Texts {
    by_object: BTreeMap<Arc<str>, Text>,
    /// What is in the texts that were read to look something up, by their place in memory.
    read: RefCell<BTreeMap<*const u8, (Arc<str>, Option<Rc<Node>>)>>,
}

/// The text of an object.
#[derive(Clone)]
struct Text {
    origin: Origin,
    root: Root,
}

/// What is in a text.
#[derive(Clone)]
enum Root {
    /// It has been read; there may be nothing in it.
    Read(Option<Rc<Node>>),
    /// It is read if a place is to be told.
    Unread {
        text: Arc<str>,
        /// The way from its root to the object.
        within: Path,
    },
}

/// There may be passwords in them.
impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_object.keys()).finish()
    }
}

impl Texts {
    /// One text, that is known by the name of its file, and what is in it, if anything.
    pub fn of(origin: Origin, root: Option<Rc<Node>>) -> Self {
        let root = Root::Read(root);
        let object = origin.file().into();
        Self::one(object, Text { origin, root })
    }

    /// The text that an object stands in, at the end of this way from its root.
    pub fn of_object(object: Arc<str>, origin: Origin, text: Arc<str>, within: Path) -> Self {
        let root = Root::Unread { text, within };
        Self::one(object, Text { origin, root })
    }

    fn one(object: Arc<str>, text: Text) -> Self {
        Self {
            by_object: [(object, text)].into(),
            ..Self::default()
        }
    }

    /// What is in a text. Of many objects in one text each has something to be looked up.
    fn root(&self, text: &Arc<str>) -> Option<Rc<Node>> {
        let mut read = self.read.borrow_mut();
        let (_, root) = read.entry(text.as_ptr()).or_insert_with(|| {
            let root = yaml::parse_within(text, Limits::DOCUMENT);
            (Arc::clone(text), root.ok().flatten())
        });
        root.clone()
    }

    /// Adds those of others.
    pub fn append(&mut self, mut others: Self) {
        self.by_object.append(&mut others.by_object);
    }

    /// What people are told of a place.
    pub fn locate(&self, place: &Place) -> Location {
        let text = self.by_object.get(&place.object);
        let spot = text.and_then(|Text { origin, root }| {
            let found = || match root {
                Root::Read(root) => Some(place.path.position(root.as_ref()?)),
                Root::Unread { text, within } => {
                    let mut path = within.clone();
                    path.0.extend(place.path.0.iter().cloned());
                    Some(path.position(&*self.root(text)?))
                }
            };
            Some(origin.spot(place.at.or_else(found)?))
        });
        let file = text.map(|text| text.origin.file());
        let file = file.filter(|file| **file != *place.object);
        Location {
            object: Arc::clone(&place.object),
            file: file.map(Arc::from),
            spot,
            path: place.path.quoted(),
        }
    }

    /// What is wrong at a place.
    pub fn error(&self, place: &Place, message: impl Into<String>) -> ConfigError {
        ConfigError {
            location: self.locate(place),
            message: message.into(),
            known_as: None,
        }
    }

    /// The short name of a place for a message about another one: `line 12`.
    pub fn seen_from(&self, place: &Place, other: &Place) -> String {
        self.locate(place).seen_from(&other.object)
    }
}

/// A place as people are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The object, or the file or what else the text was read from.
    pub object: Arc<str>,
    /// The file, if the object is one of several in it.
    pub file: Option<Arc<str>>,
    /// Line and column, if there is a text that people know.
    pub spot: Option<Spot>,
    /// The path from the root of the configuration, for example `address-pools[1].addresses[0]`;
    /// empty for the root.
    pub path: String,
}

impl Location {
    /// The key to sort by.
    pub(super) fn order(&self) -> (&str, Option<Spot>) {
        (&self.object, self.spot)
    }

    /// The short name for a message about a place in the object of that name.
    fn seen_from(&self, object: &str) -> String {
        match self.spot {
            None => format!("{} of {}", self.path, self.object),
            Some(spot) if *self.object != *object => {
                let file = self.file.as_ref().unwrap_or(&self.object);
                format!("{file}:{}", spot.position.line)
            }
            Some(Spot {
                within: Some(within),
                ..
            }) => format!("line {} of the text", within.line),
            Some(spot) => format!("line {}", spot.position.line),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.file.as_ref().unwrap_or(&self.object))?;
        if let Some(Spot { position, .. }) = self.spot {
            write!(f, ":{}:{}", position.line, position.column)?;
        }
        if self.file.is_some() {
            write!(f, ": {}", self.object)?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        Ok(())
    }
}
