//! Takes typed values out of a located YAML tree, knows the path to each, and collects every
//! problem.
//!
//! A method that returns `None` has reported why, or there is no value (absent and null are the
//! same).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::sync::Arc;

use arcstr::ArcStr;

use super::error::{ConfigErrors, quote, suggest};
use super::origin::Origin;
use super::place::{Located, Path, Place, Texts};
use crate::yaml::{Content, Entry, Node, Position};

/// The collector of problems.
pub(super) struct Decoder<'o> {
    object: Arc<str>,
    pub(super) texts: Texts,
    /// Every mapping of the format, with its keys: for those that stand in another one.
    places: &'o [(&'static str, &'static [&'static str])],
    pub(super) errors: ConfigErrors,
}

/// A value and the path to it.
#[derive(Clone)]
pub(super) struct Value {
    pub(super) node: Rc<Node>,
    pub(super) path: Path,
}

impl Value {
    pub(super) fn root(node: Rc<Node>) -> Self {
        Self {
            node,
            path: Path::default(),
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self.node.content, Content::Null)
    }

    pub(super) fn is_empty_list(&self) -> bool {
        matches!(&self.node.content, Content::Sequence(items) if items.is_empty())
    }
}

/// The values of a mapping by key, without those that are null.
pub(super) struct Fields {
    position: Position,
    path: Path,
    values: BTreeMap<Rc<str>, Value>,
    /// The known keys that unknown ones were taken for; they are not missing as well.
    misspelt: BTreeSet<String>,
}

impl Fields {
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }
}

impl<'o> Decoder<'o> {
    pub(super) fn new(
        origin: &Origin,
        root: Option<Rc<Node>>,
        places: &'o [(&'static str, &'static [&'static str])],
    ) -> Self {
        Self {
            object: origin.file().into(),
            texts: Texts::of(origin.clone(), root),
            places,
            errors: ConfigErrors::default(),
        }
    }

    fn place_at(&self, path: &Path, at: Option<Position>) -> Place {
        Place {
            object: Arc::clone(&self.object),
            path: path.clone(),
            at,
        }
    }

    pub(super) fn place(&self, value: &Value) -> Place {
        self.place_at(&value.path, None)
    }

    pub(super) fn locate<T>(&self, value: &Value, inner: T) -> Located<T> {
        Located {
            value: inner,
            place: self.place(value),
        }
    }

    /// Reports a problem of a value.
    pub(super) fn refuse(&mut self, value: &Value, message: impl fmt::Display) {
        self.report(&self.place(value), message);
    }

    /// Reports a problem at a position that the path does not tell.
    fn refuse_at(&mut self, at: Position, path: &Path, message: impl fmt::Display) {
        self.report(&self.place_at(path, Some(at)), message);
    }

    fn report(&mut self, place: &Place, message: impl fmt::Display) {
        let texts = &self.texts;
        self.errors
            .push_with(|| texts.error(place, message.to_string()));
    }

    /// The value, or what is wrong with it reported.
    pub(super) fn checked<T, E: fmt::Display>(
        &mut self,
        value: &Value,
        checked: Result<T, E>,
    ) -> Option<T> {
        checked.map_err(|error| self.refuse(value, error)).ok()
    }

    /// The entries of a mapping with keys of the user's choice, in their order, with null values.
    pub(super) fn entries(&mut self, value: &Value, keys: &str) -> Vec<(Rc<str>, Value)> {
        match self.mapping(value, keys) {
            Some(entries) => self.unique(value, entries),
            None => Vec::new(),
        }
    }

    /// The fields of a mapping that may have these keys only.
    pub(super) fn fields(&mut self, value: &Value, known: &[&str]) -> Option<Fields> {
        let entries = self.mapping(value, &known.join(", "))?;
        let misspelt = self.unknown_keys(value, entries, known);
        let values = self.unique(value, entries).into_iter();
        Some(Fields {
            position: value.node.position,
            path: value.path.clone(),
            misspelt,
            values: values
                .filter(|(_, value)| !matches!(value.node.content, Content::Null))
                .collect(),
        })
    }

    fn mapping<'v>(&mut self, value: &'v Value, keys: &str) -> Option<&'v [Entry]> {
        if let Content::Mapping(entries) = &value.node.content {
            return Some(entries);
        }
        let found = describe(&value.node);
        let message = format!("{found} is not a mapping: the keys here are {keys}");
        self.refuse(value, message);
        None
    }

    /// The entries without those whose key was there before, which are reported.
    fn unique(&mut self, value: &Value, entries: &[Entry]) -> Vec<(Rc<str>, Value)> {
        let mut places: BTreeMap<Rc<str>, Place> = BTreeMap::new();
        let mut values = Vec::new();
        for entry in entries {
            let path = value.path.clone().field(Rc::clone(&entry.key));
            let place = self.place_at(&path, Some(entry.position));
            if let Some(first) = places.get(&entry.key) {
                let line = self.texts.seen_from(first, &place);
                let message = format!("the key is set twice: {line} has it, too; remove one");
                self.report(&place, message);
                continue;
            }
            places.insert(Rc::clone(&entry.key), place);
            let node = Rc::clone(&entry.value);
            values.push((Rc::clone(&entry.key), Value { node, path }));
        }
        values
    }

    /// Reports unknown keys and returns those that were meant.
    fn unknown_keys(
        &mut self,
        value: &Value,
        entries: &[Entry],
        known: &[&str],
    ) -> BTreeSet<String> {
        let mut misspelt = BTreeSet::new();
        for entry in entries.iter().filter(|entry| !known.contains(&&*entry.key)) {
            let key = quote(&entry.key);
            let message = match (self.place_of(&entry.key), suggest(&entry.key, known)) {
                (Some(place), _) => {
                    format!("unknown key {key}: it belongs into {place}, check the indentation")
                }
                (None, Some(meant)) => {
                    misspelt.insert(meant.to_owned());
                    format!("unknown key {key}, did you mean \"{meant}\"?")
                }
                (None, None) => {
                    format!("unknown key {key}: the keys here are {}", known.join(", "))
                }
            };
            self.refuse_at(entry.position, &value.path, message);
        }
        misspelt
    }

    /// The mappings that have this key.
    fn place_of(&self, key: &str) -> Option<String> {
        let places = self.places.iter().filter(|(_, keys)| keys.contains(&key));
        let places: Vec<&str> = places.map(|(place, _)| *place).collect();
        (!places.is_empty()).then(|| places.join(" or "))
    }

    /// A field that must be there; `hint` says what to write.
    pub(super) fn required<'f>(
        &mut self,
        fields: &'f Fields,
        key: &str,
        hint: &str,
    ) -> Option<&'f Value> {
        let value = fields.get(key);
        if value.is_none() && !fields.misspelt.contains(key) {
            let path = fields.path.clone().field(key);
            self.refuse_at(fields.position, &path, format!("missing: {hint}"));
        }
        value
    }

    /// The items of a list; none if there is no value.
    pub(super) fn list(&mut self, value: Option<&Value>) -> Vec<Value> {
        let Some(value) = value else {
            return Vec::new();
        };
        let Content::Sequence(items) = &value.node.content else {
            let found = describe(&value.node);
            let message = format!("{found} is not a list: write each item on a line after \"- \"");
            self.refuse(value, message);
            return Vec::new();
        };
        let items = items.iter().enumerate();
        items
            .map(|(index, node)| Value {
                node: Rc::clone(node),
                path: value.path.clone().item(index),
            })
            .collect()
    }

    /// A text. Numbers and booleans are texts as well, as they are for Go's yaml.v2.
    pub(super) fn text<'v>(&mut self, value: &'v Value) -> Option<&'v str> {
        if let Content::Scalar { text, .. } = &value.node.content {
            return Some(text);
        }
        let found = describe(&value.node);
        self.refuse(value, format!("{found} stands where one text belongs"));
        None
    }

    /// A text, converted.
    pub(super) fn parsed<T, E: fmt::Display>(
        &mut self,
        value: &Value,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let parsed = parse(self.text(value)?);
        self.checked(value, parsed)
    }

    /// A text, converted; one that is empty counts as absent.
    pub(super) fn optional<T, E: fmt::Display>(
        &mut self,
        value: Option<&Value>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let value = value?;
        match self.text(value)? {
            "" => None,
            text => {
                let parsed = parse(text);
                self.checked(value, parsed)
            }
        }
    }

    /// The field `name`, which must be there and not be empty.
    pub(super) fn name(&mut self, fields: &Fields) -> Option<Located<ArcStr>> {
        let hint = "write a name of your choice";
        let value = self.required(fields, "name", hint)?;
        let name = self.parsed(value, |name| match name {
            "" => Err(format!("the name is empty: {hint}")),
            name => Ok(name.into()),
        })?;
        Some(self.locate(value, name))
    }

    /// A whole number.
    pub(super) fn number<T: TryFrom<i128> + PartialOrd + fmt::Display>(
        &mut self,
        value: &Value,
        range: RangeInclusive<T>,
    ) -> Option<T> {
        let number = plain(&value.node).and_then(integer);
        let number = number.and_then(|number| T::try_from(number).ok());
        if let Some(number) = number.filter(|number| range.contains(number)) {
            return Some(number);
        }
        let remedy = match &value.node.content {
            Content::Scalar { text, plain: false } if integer(text).is_some() => {
                ": remove the quotes"
            }
            Content::Scalar { text, .. } if text.strip_prefix("AS").and_then(integer).is_some() => {
                ": write just the number"
            }
            Content::Scalar { text, .. } if is_octal(text) => ": write it without a leading zero",
            _ => "",
        };
        let found = describe(&value.node);
        let (low, high) = (range.start(), range.end());
        let message = format!("{found} is not a whole number from {low} to {high}{remedy}");
        self.refuse(value, message);
        None
    }

    /// A boolean, in the spellings of YAML 1.1 as Go's yaml.v2 has them.
    pub(super) fn boolean(&mut self, value: Option<&Value>) -> Option<bool> {
        let value = value?;
        match plain(&value.node) {
            Some(
                "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "y" | "Y" | "on" | "On" | "ON",
            ) => Some(true),
            Some(
                "false" | "False" | "FALSE" | "no" | "No" | "NO" | "n" | "N" | "off" | "Off"
                | "OFF",
            ) => Some(false),
            _ => {
                let found = describe(&value.node);
                let message = format!("{found} is not a boolean: write true or false");
                self.refuse(value, message);
                None
            }
        }
    }
}

fn plain(node: &Node) -> Option<&str> {
    match &node.content {
        Content::Scalar { text, plain: true } => Some(text),
        Content::Scalar { plain: false, .. }
        | Content::Null
        | Content::Sequence(_)
        | Content::Mapping(_) => None,
    }
}

/// An integer of YAML that means the same in all its versions; `None` for any other text.
pub fn integer(text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (digits, radix) = match digits.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => (digits, 10),
    };
    if is_octal(text) || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    Some(sign * i128::from_str_radix(digits, radix).ok()?)
}

/// Digits after a zero are octal in YAML 1.1 and decimal in YAML 1.2.
fn is_octal(text: &str) -> bool {
    let digits = text
        .trim_start_matches('-')
        .strip_prefix('0')
        .unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A value as messages call it.
fn describe(node: &Node) -> String {
    match &node.content {
        Content::Null => "nothing".to_owned(),
        Content::Scalar { text, .. } => quote(text),
        Content::Sequence(_) => "a list".to_owned(),
        Content::Mapping(_) => "a mapping".to_owned(),
    }
}
