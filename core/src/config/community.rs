//! BGP communities (RFC 1997), and their notation: `64512:100`, or a name from `bgp-communities`.

use std::fmt;
use std::str::FromStr;

use super::error::quote;

#[cfg(test)]
mod tests;

/// A standard BGP community, RFC 1997; written `64512:100`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Community(pub u32);

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0 >> 16, self.0 & 0xffff)
    }
}

/// Why a text is no community.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommunityError {
    /// Not two numbers.
    #[error(
        "{} is not a community: write two numbers from 0 to 65535 with a colon between them, \
         for example 64512:100",
        quote(.0)
    )]
    Syntax(String),
    /// A name that stands for nothing.
    #[error(
        "{} is neither a community, for example 64512:100, nor the name of one (in bgp-communities \
         of a ConfigMap, in a Community)",
        quote(.0)
    )]
    UnknownName(String),
    /// A large community, RFC 8092.
    #[error("{} is a large community, not supported yet: write one like 64512:100", quote(.0))]
    Large(String),
}

impl FromStr for Community {
    type Err = CommunityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let half = |half: &str| -> Option<u32> {
            let is_number = half.bytes().all(|byte| byte.is_ascii_digit());
            half.parse::<u16>()
                .ok()
                .filter(|_| is_number)
                .map(u32::from)
        };
        let halves = text.split_once(':');
        match halves.and_then(|(high, low)| Some((half(high)?, half(low)?))) {
            Some((high, low)) => Ok(Self(high << 16 | low)),
            None if is_large(text) => Err(CommunityError::Large(text.to_owned())),
            None => Err(CommunityError::Syntax(text.to_owned())),
        }
    }
}

/// Whether this is a large community: `large:` and three numbers of 32 bits.
fn is_large(text: &str) -> bool {
    let is_number =
        |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()) && part.parse::<u32>().is_ok();
    let parts = text.strip_prefix("large:").map(|rest| rest.split(':'));
    parts.is_some_and(|mut parts| parts.clone().count() == 3 && parts.all(is_number))
}
