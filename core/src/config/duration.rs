//! Durations in the syntax of Go's `time.ParseDuration`, as MetalLB's configuration has them.

use std::time::Duration;

use super::error::quote;

#[cfg(test)]
mod tests;

/// Why a text is no duration that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not in the form of numbers with units.
    #[error("{} is not a duration: write for example 90s, 1m30s, 1.5h or 300ms", quote(.0))]
    Syntax(String),
    /// A number has no unit.
    #[error("{} lacks a unit: write for example 90s, 1m30s, 1.5h or 300ms", quote(.0))]
    MissingUnit(String),
    /// A unit that does not exist.
    #[error(
        "{} has an unknown unit {}: the units are h, m, s, ms, us and ns",
        quote(.0), quote(.1)
    )]
    UnknownUnit(String, String),
    /// Less than nothing.
    #[error("{} is negative: write for example 90s, 1m30s, 1.5h or 300ms", quote(.0))]
    Negative(String),
    /// Longer than Go can express, about 292 years.
    #[error("{} is too long for a duration", quote(.0))]
    TooLong(String),
}

/// A sequence of decimal numbers, each with an optional fraction and a unit: `1m30s`, `1.5h`.
///
/// # Errors
/// The text is no duration, negative, or longer than 292 years.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let (is_negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(DurationError::Syntax(text.to_owned()));
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let (nanoseconds, after) = term(text, rest)?;
        total = total.saturating_add(nanoseconds);
        rest = after;
    }
    match u64::try_from(total) {
        Ok(0) => Ok(Duration::ZERO),
        _ if is_negative => Err(DurationError::Negative(text.to_owned())),
        Ok(total) if i64::try_from(total).is_ok() => Ok(Duration::from_nanos(total)),
        _ => Err(DurationError::TooLong(text.to_owned())),
    }
}

/// The nanoseconds of the first number with its unit, and what follows.
fn term<'a>(text: &str, rest: &'a str) -> Result<(u128, &'a str), DurationError> {
    let (whole, rest) = digits(rest);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(DurationError::Syntax(text.to_owned()));
    }
    let end = rest.find(|c: char| c == '.' || c.is_ascii_digit());
    let (unit, rest) = rest.split_at(end.unwrap_or(rest.len()));
    let scale: u128 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "" => return Err(DurationError::MissingUnit(text.to_owned())),
        unit => return Err(DurationError::UnknownUnit(text.to_owned(), unit.to_owned())),
    };
    let whole = match whole {
        "" => 0,
        whole => whole.parse().unwrap_or(u128::from(u64::MAX)),
    };
    // The 16th digit of a fraction of an hour is less than a nanosecond.
    let fraction = fraction.get(..16).unwrap_or(fraction);
    let parts: u128 = fraction.parse().unwrap_or(0);
    let part = parts * scale / 10_u128.pow(u32::try_from(fraction.len()).unwrap_or(0));
    Ok((whole.saturating_mul(scale).saturating_add(part), rest))
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}
