//! Texts that nobody is told.

use std::fmt;

use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A text that shows neither in logs nor in messages about what is wrong with it.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Hidden(String);

impl Hidden {
    /// The text.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer);
        // The message would repeat the value.
        let text = text.map_err(|_| D::Error::custom("is not text: write it in quotes"));
        text.map(Self)
    }
}

/// A mapping with such texts: what somebody writes in its place shows neither.
struct Mapping<T>(T);

/// Reads one.
pub(crate) fn mapping<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Mapping::deserialize(deserializer).map(|Mapping(mapping)| mapping)
}

/// Reads one that need not be there.
pub(crate) fn optional_mapping<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let mapping = Option::<Mapping<T>>::deserialize(deserializer)?;
    Ok(mapping.map(|Mapping(mapping)| mapping))
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Mapping<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OnlyMapping(PhantomData))
    }
}

struct OnlyMapping<T>(PhantomData<T>);

impl<T> OnlyMapping<T> {
    fn none<E: Error>() -> Result<Mapping<T>, E> {
        Err(E::custom("is no mapping: write fields below it"))
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyMapping<T> {
    type Value = Mapping<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Mapping)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Self::none()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Self::none()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Self::none()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Self::none()
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Self::none()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Self::none()
    }
}
