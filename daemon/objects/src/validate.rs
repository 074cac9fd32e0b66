//! What an API server that validates strictly refuses in an object, beside unknown fields: in files
//! there is nobody else to say it.
//!
//! This is about values that would do nothing, or not what they say. An API server has checked its
//! objects itself, and may know more than this daemon does, so that they are not checked again.

use carillon_core::config::error::quote;
use carillon_core::yaml::{Content, Entry, Node, Position};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::tree::{FieldError, Path, Step, Value};
use super::{Kind, metadata};

pub(super) mod format;

/// What was found in an object.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What is wrong.
    pub(super) errors: Vec<FieldError>,
    /// What is allowed, and was probably meant otherwise.
    pub(super) notes: Vec<FieldError>,
}

/// Checks an object of this kind.
pub(super) fn check(kind: Kind, object: Value<'_>) -> Found {
    let mut found = Found::default();
    let object = Cursor::root(object);
    metadata::validate::check(&object, &mut found);
    (kind.info().reader.check)(&object, &mut found);
    found
}

/// What is told of a value that is none of a few.
pub(super) fn unknown(value: &str, right: &str) -> String {
    format!("{} is not known; write {right}", quote(value))
}

/// A value of an object, whether it is written or not, and the way to it.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    above: Option<(&'a Cursor<'a>, Part<'a>)>,
    /// `None` for nothing and for null, which Kubernetes does not tell apart.
    value: Option<Value<'a>>,
}

#[derive(Clone, Copy)]
enum Part<'a> {
    Key(&'a str),
    Item(usize),
}

impl<'a> Cursor<'a> {
    fn root(object: Value<'a>) -> Self {
        Self {
            above: None,
            value: Some(object),
        }
    }

    /// A field of this mapping.
    pub(super) fn field<'b>(&'b self, key: &'b str) -> Cursor<'b> {
        let value = self.value.and_then(|value| value.get(key));
        Cursor {
            above: Some((self, Part::Key(key))),
            value: value.filter(|value| !value.is_null()),
        }
    }

    /// Whether something is written here.
    pub(super) fn is_written(&self) -> bool {
        self.value.is_some()
    }

    /// The fields of this mapping, and the place of the key of each. That it is one is checked where
    /// it is decoded.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, Position, Cursor<'_>)> {
        let entries: &[Entry] = match self.value.map(|value| &value.0.content) {
            Some(Content::Mapping(entries)) => entries,
            Some(Content::Null | Content::Scalar { .. } | Content::Sequence(_)) | None => &[],
        };
        entries.iter().map(move |entry| {
            let value = Some(Value(&entry.value)).filter(|value| !value.is_null());
            let above = Some((self, Part::Key(&entry.key)));
            (&*entry.key, entry.position, Cursor { above, value })
        })
    }

    /// Whether this is a list.
    pub(super) fn is_list(&self) -> bool {
        let content = self.value.map(|value| &value.0.content);
        matches!(content, Some(Content::Sequence(_)))
    }

    /// The items of this list. What is none is told.
    pub(super) fn items<'b>(
        &'b self,
        found: &mut Found,
    ) -> impl Iterator<Item = Cursor<'b>> + use<'a, 'b> {
        let items = match self.value.map(|value| (value, &value.0.content)) {
            Some((_, Content::Sequence(items))) => items.as_slice(),
            Some((value, _)) => {
                self.told(Vec::<IgnoredAny>::deserialize(value), found);
                &[]
            }
            None => &[],
        };
        items.iter().enumerate().map(|(n, item)| Cursor {
            above: Some((self, Part::Item(n))),
            value: Some(Value(item)),
        })
    }

    /// This text; empty if nothing is written. What is none is told.
    pub(super) fn text(&self, found: &mut Found) -> &'a str {
        let Some(value) = self.value else { return "" };
        match self.told(String::deserialize(value), found) {
            Some(_) => scalar(value.0).unwrap_or_default(),
            None => "",
        }
    }

    /// This whole number, if one is written. What is none is told.
    pub(super) fn number(&self, found: &mut Found) -> Option<i64> {
        self.told(i64::deserialize(self.value?), found)
    }

    /// The text of this scalar that is not quoted, such as a number.
    pub(super) fn plain(&self) -> Option<&'a str> {
        match &self.value?.0.content {
            Content::Scalar { text, plain: true } => Some(text),
            Content::Scalar { plain: false, .. }
            | Content::Null
            | Content::Sequence(_)
            | Content::Mapping(_) => None,
        }
    }

    /// This is wrong.
    pub(super) fn refuse(&self, message: impl Into<String>, found: &mut Found) {
        let error = FieldError::new(self.path(), message);
        found.errors.push(error);
    }

    /// This is wrong, if it is.
    pub(super) fn refuse_if_wrong<T>(
        &self,
        value: Result<T, String>,
        found: &mut Found,
    ) -> Option<T> {
        value.map_err(|message| self.refuse(message, found)).ok()
    }

    /// This is not wrong, but probably not what was meant.
    pub(super) fn note(&self, message: impl Into<String>, found: &mut Found) {
        found.notes.push(FieldError::new(self.path(), message));
    }

    /// This text is one of a few, or is not written.
    pub(super) fn one_of(&self, known: &[&str], right: &str, found: &mut Found) {
        let text = self.text(found);
        if !text.is_empty() && !known.contains(&text) {
            self.refuse(unknown(text, right), found);
        }
    }

    /// The way from the root of the object.
    pub(super) fn path(&self) -> Path {
        let Some((above, part)) = self.above else {
            return Path::default();
        };
        let mut path = above.path();
        path.0.push(match part {
            Part::Key(key) => Step::Key(key.into()),
            Part::Item(index) => Step::Index(index),
        });
        path
    }

    fn told<T>(&self, read: Result<T, FieldError>, found: &mut Found) -> Option<T> {
        self.refuse_if_wrong(read.map_err(|error| error.message), found)
    }
}

fn scalar(node: &Node) -> Option<&str> {
    match &node.content {
        Content::Scalar { text, .. } => Some(text),
        Content::Null | Content::Sequence(_) | Content::Mapping(_) => None,
    }
}
