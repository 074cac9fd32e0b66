//! The items of `bfd-profiles`. They are checked, and have no use yet.

use std::ops::RangeInclusive;

use arcstr::ArcStr;

use crate::config::decode::{Decoder, Value};
use crate::config::place::Located;

/// The keys with numbers, and what they may be; intervals are in milliseconds.
const NUMBERS: [(&str, RangeInclusive<u32>); 5] = [
    ("receive-interval", 10..=60_000),
    ("transmit-interval", 10..=60_000),
    ("detect-multiplier", 2..=255),
    ("echo-interval", 10..=60_000),
    ("minimum-ttl", 1..=254),
];
pub(super) const KEYS: [&str; 8] = [
    "name",
    "receive-interval",
    "transmit-interval",
    "detect-multiplier",
    "echo-interval",
    "minimum-ttl",
    "echo-mode",
    "passive-mode",
];
const BOOLEANS: [&str; 2] = ["echo-mode", "passive-mode"];

/// The names of the profiles.
pub(super) fn profiles(decoder: &mut Decoder<'_>, value: Option<&Value>) -> Vec<Located<ArcStr>> {
    let profiles = decoder.list(value);
    profiles
        .iter()
        .filter_map(|value| profile(decoder, value))
        .collect()
}

fn profile(decoder: &mut Decoder<'_>, value: &Value) -> Option<Located<ArcStr>> {
    let fields = decoder.fields(value, &KEYS)?;
    for (key, range) in NUMBERS {
        if let Some(value) = fields.get(key) {
            decoder.number(value, range);
        }
    }
    for key in BOOLEANS {
        decoder.boolean(fields.get(key));
    }
    decoder.name(&fields)
}
