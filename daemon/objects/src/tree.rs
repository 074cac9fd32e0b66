//! Kubernetes types out of a YAML tree, with errors that know the path.
//!
//! Objects are decoded in two steps, text → tree → type, so that one bad object, or one bad item of
//! a `List`, is told with its place and leaves the others alone.

use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;

use carillon_core::config::error::quote;
pub(crate) use carillon_core::config::place::{Path, Step, shown};
use carillon_core::text::MOST;
use carillon_core::yaml::{Content, Entry, Node, Position};
use serde::de::{self, IntoDeserializer, Visitor};

#[cfg(test)]
mod tests;

/// Why a value does not fit, and which one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldError {
    /// The value; empty for the whole object.
    pub path: Path,
    /// Its place, where the path alone does not tell it.
    at: Option<Position>,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

impl FieldError {
    /// An error about the value at a path.
    pub(crate) fn new(path: Path, message: impl Into<String>) -> Self {
        Self {
            path,
            at: None,
            message: message.into(),
        }
    }

    /// An error about the value at a path, or about its key, which is at this place.
    pub(crate) fn at(path: Path, at: Position, message: impl Into<String>) -> Self {
        Self {
            at: Some(at),
            ..Self::new(path, message)
        }
    }

    /// An error about a field that was there before.
    pub(crate) fn twice(path: Path, at: Position) -> Self {
        Self::at(path, at, "is there twice: remove one")
    }

    fn within(mut self, step: Step) -> Self {
        self.path.0.insert(0, step);
        self
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.0.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for FieldError {}

impl de::Error for FieldError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Path::default(), message.to_string())
    }

    fn invalid_type(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let unexpected = match unexpected {
            de::Unexpected::Str(text) => format!("string {}", quote(text)),
            other => other.to_string(),
        };
        let expected = expected.to_string();
        let wanted = match expected.as_str() {
            "a string" => "text (quote it if it is meant as text)",
            "a boolean" => "true or false",
            "a sequence" => "a list",
            "i64" => "a whole number",
            other if other.starts_with("struct ") => "a mapping",
            other => other,
        };
        Self::custom(format_args!("{unexpected} where {wanted} belongs"))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format_args!("the field `{field}` is missing"))
    }
}

/// A value of a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'a>(pub &'a Node);

impl<'a> Value<'a> {
    /// A number with a leading zero: octal in YAML 1.1, as Kubernetes reads it, decimal in YAML 1.2.
    fn octal(self) -> Option<&'a str> {
        match &self.0.content {
            Content::Scalar { text, plain: true } => {
                let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
                let is_led = text.len() > 1 && text.starts_with('0');
                (is_number && is_led && text.len() <= MOST).then_some(&**text)
            }
            Content::Scalar { plain: false, .. }
            | Content::Null
            | Content::Sequence(_)
            | Content::Mapping(_) => None,
        }
    }

    /// The value of a field, if this is a mapping that has it.
    pub(crate) fn get(self, key: &str) -> Option<Self> {
        match &self.0.content {
            Content::Mapping(entries) => {
                let entry = entries.iter().find(|entry| *entry.key == *key)?;
                Some(Self(&entry.value))
            }
            Content::Null | Content::Scalar { .. } | Content::Sequence(_) => None,
        }
    }

    /// The items, if this is a sequence.
    pub(crate) fn items(self) -> Option<impl Iterator<Item = Self>> {
        match &self.0.content {
            Content::Sequence(items) => Some(items.iter().map(|item| Self(item))),
            Content::Null | Content::Scalar { .. } | Content::Mapping(_) => None,
        }
    }

    /// Whether nothing is written here.
    pub(crate) fn is_null(self) -> bool {
        matches!(self.0.content, Content::Null)
    }

    /// The place that an error is about: that of the innermost value on its path that exists.
    pub(crate) fn place(self, error: &FieldError) -> Position {
        let found = || error.path.position(self.0);
        error.at.unwrap_or_else(found)
    }
}

/// A scalar as the type that YAML gives it.
fn visit_scalar<'de, V: Visitor<'de>>(
    text: &'de str,
    plain: bool,
    visitor: V,
) -> Result<V::Value, FieldError> {
    match text {
        _ if !plain => visitor.visit_borrowed_str(text),
        "true" | "True" | "TRUE" => visitor.visit_bool(true),
        "false" | "False" | "FALSE" => visitor.visit_bool(false),
        _ => match (text.parse(), text.parse()) {
            (Ok(integer), _) => visitor.visit_i64(integer),
            (_, Ok(float)) if text.contains(|c: char| c.is_ascii_digit()) => {
                visitor.visit_f64(float)
            }
            _ => visitor.visit_borrowed_str(text),
        },
    }
}

impl<'de> de::Deserializer<'de> for Value<'de> {
    type Error = FieldError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match &self.0.content {
            Content::Null => visitor.visit_unit(),
            Content::Scalar { text, plain } => visit_scalar(text, *plain, visitor),
            Content::Sequence(items) => visitor.visit_seq(Items(items.iter().enumerate())),
            Content::Mapping(entries) => visitor.visit_map(Fields::new(entries, false)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        if self.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    /// Kubernetes reads null as the empty string.
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.octal() {
            Some(text) => Err(de::Error::custom(format_args!(
                "{text} is a number where text belongs: write '{text}'"
            ))),
            None if self.is_null() => visitor.visit_borrowed_str(""),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.octal() {
            Some(text) => Err(de::Error::custom(format_args!(
                "{text} has a leading zero, with which programs disagree what number it is: write \
                 {}",
                match text.trim_start_matches('0') {
                    "" => "0",
                    digits => digits,
                }
            ))),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        visitor.visit_newtype_struct(self)
    }

    /// A field without a value counts as absent, as in Kubernetes.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        match &self.0.content {
            Content::Mapping(entries) => visitor.visit_map(Fields::new(entries, true)),
            Content::Sequence(_) => Err(de::Error::invalid_type(de::Unexpected::Seq, &visitor)),
            Content::Null | Content::Scalar { .. } => self.deserialize_any(visitor),
        }
    }

    /// What is of no interest is not looked at.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i128 u8 u16 u32 u64 u128 f32 f64 char str bytes byte_buf unit
        unit_struct seq tuple tuple_struct map enum identifier
    }
}

struct Items<'de>(std::iter::Enumerate<std::slice::Iter<'de, Rc<Node>>>);

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = FieldError;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, FieldError> {
        let Some((index, item)) = self.0.next() else {
            return Ok(None);
        };
        let value = seed.deserialize(Value(item));
        value
            .map(Some)
            .map_err(|error| error.within(Step::Index(index)))
    }
}

/// The fields of a mapping.
struct Fields<'de> {
    rest: std::slice::Iter<'de, Entry>,
    current: Option<&'de Entry>,
    seen: BTreeSet<&'de str>,
    skip_null: bool,
}

impl<'de> Fields<'de> {
    fn new(entries: &'de [Entry], skip_null: bool) -> Self {
        let (rest, current, seen) = (entries.iter(), None, BTreeSet::new());
        Self {
            rest,
            current,
            seen,
            skip_null,
        }
    }
}

impl<'de> de::MapAccess<'de> for Fields<'de> {
    type Error = FieldError;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, FieldError> {
        let skip_null = self.skip_null;
        self.current = self
            .rest
            .find(|entry| !(skip_null && Value(&entry.value).is_null()));
        let Some(entry) = self.current else {
            return Ok(None);
        };
        if !self.seen.insert(&entry.key) {
            let path = Path::fields(&[&entry.key]);
            return Err(FieldError::twice(path, entry.position));
        }
        seed.deserialize((&*entry.key).into_deserializer())
            .map(Some)
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, FieldError> {
        let Some(entry) = self.current else {
            return Err(de::Error::custom("a value without a key"));
        };
        let value = seed.deserialize(Value(&entry.value));
        value.map_err(|error| error.within(Step::Key(Rc::clone(&entry.key))))
    }
}
