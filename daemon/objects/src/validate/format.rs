//! The notation of names, labels and addresses in Kubernetes.

use std::net::{IpAddr, SocketAddr};

use carillon_core::address::Family;
use carillon_core::config::error::quote;

#[cfg(test)]
mod tests;

/// What a name has to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Name {
    /// A label of a domain name (RFC 1123): of a Service, a namespace, a port.
    Label,
    /// A domain name (RFC 1123): of a Node, an EndpointSlice, a ConfigMap.
    Subdomain,
}

impl Name {
    fn fits(self, text: &str) -> bool {
        match self {
            Self::Label => text.len() <= 63 && is_word(text),
            Self::Subdomain => text.len() <= 253 && text.split('.').all(is_word),
        }
    }

    /// Checks that a text is one.
    ///
    /// # Errors
    /// It is none; what would be right.
    pub(in super::super) fn check(self, text: &str) -> Result<(), String> {
        if self.fits(text) {
            return Ok(());
        }
        let usual = |c: char| match c.to_ascii_lowercase() {
            c if c.is_ascii_lowercase() || c.is_ascii_digit() => c,
            '.' if self == Self::Subdomain => '.',
            _ => '-',
        };
        let likely: String = text.chars().map(usual).collect();
        let likely = likely.trim_matches(['-', '.']);
        let example = if self.fits(likely) { likely } else { "web-1" };
        let (most, marks) = match self {
            Self::Label => (63, "`-`"),
            Self::Subdomain => (253, "`-` and `.`"),
        };
        Err(format!(
            "{} is not a name here: up to {most} small letters, digits and {marks}, a letter or \
             digit at both ends; write for example {example}",
            quote(text)
        ))
    }
}

/// Small letters, digits and hyphens, none of these at an end.
fn is_word(text: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(usual) && !text.starts_with('-') && !text.ends_with('-')
}

/// Letters, digits and `-`, `_`, `.`, none of these at an end; at most 63.
fn is_part(text: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    text.len() <= 63
        && text.bytes().all(usual)
        && is_end(text.bytes().next())
        && is_end(text.bytes().next_back())
}

/// Checks the key of a label, of an annotation, of a taint, or a class.
///
/// # Errors
/// It is none; what would be right.
pub(in super::super) fn qualified_name(text: &str) -> Result<(), String> {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    if is_part(name) && prefix.is_none_or(|prefix| Name::Subdomain.fits(prefix)) {
        return Ok(());
    }
    Err(format!(
        "{} is not a key: up to 63 letters, digits, `-`, `_` and `.`, a letter or digit at both \
         ends; a domain name and one `/` may stand before, for example example.com/rack",
        quote(text)
    ))
}

/// Checks the value of a label.
///
/// # Errors
/// It is none; what would be right.
pub(in super::super) fn label_value(text: &str) -> Result<(), String> {
    if text.is_empty() || is_part(text) {
        return Ok(());
    }
    Err(format!(
        "{} is not the value of a label: up to 63 letters, digits, `-`, `_` and `.`, a letter or \
         digit at both ends",
        quote(text)
    ))
}

/// Checks the name of a port of a container (RFC 6335, section 5.1).
///
/// # Errors
/// It is none; what would be right.
pub(in super::super) fn port_name(text: &str) -> Result<(), String> {
    let has_letter = text.bytes().any(|byte| byte.is_ascii_lowercase());
    if text.len() <= 15 && is_word(text) && has_letter && !text.contains("--") {
        return Ok(());
    }
    let remedy = if text.parse::<u16>().is_ok() {
        "write the number without quotes"
    } else {
        "up to 15 small letters, digits and single `-`, not at the ends, for example http, or a \
         number from 1 to 65535"
    };
    Err(format!(
        "{} is not the name of a port: {remedy}",
        quote(text)
    ))
}

/// Reads an address of this family, or of any.
///
/// # Errors
/// It is none; what would be right.
pub(in super::super) fn address(text: &str, family: Option<Family>) -> Result<IpAddr, String> {
    let refuse = |why: String| Err(format!("{} {why}", quote(text)));
    let Ok(address) = text.parse::<IpAddr>() else {
        return refuse(no_address(text, family));
    };
    let canonical = address.to_canonical();
    if canonical != address {
        return refuse(format!(
            "is an IPv4 address in the form of IPv6: write {canonical}"
        ));
    }
    match family {
        Some(family) if Family::of(address) != family => {
            refuse(format!("is not an {family} address"))
        }
        Some(_) | None => Ok(address),
    }
}

/// Why this is no address, and what would be right.
fn no_address(text: &str, family: Option<Family>) -> String {
    if let Some(address) = without_zeros(text) {
        return format!(
            "has leading zeros, with which programs disagree what number it is: write {address}"
        );
    }
    let end = text.find(['/', '%']).unwrap_or(text.len());
    let start = text.get(..end).unwrap_or_default().trim();
    let bare = start.trim_start_matches('[').trim_end_matches(']');
    let with_port = text.parse::<SocketAddr>().map(|socket| socket.ip());
    let alone = with_port.ok().or_else(|| bare.parse().ok());
    match (alone, family) {
        (Some(address), _) => format!("is not an address alone: write {address}"),
        (None, None) => "is not an IP address, such as 192.0.2.1 or 2001:db8::1".to_owned(),
        (None, Some(Family::V4)) => "is not an IPv4 address, such as 192.0.2.1".to_owned(),
        (None, Some(Family::V6)) => "is not an IPv6 address, such as 2001:db8::1".to_owned(),
    }
}

/// An IPv4 address that was written with leading zeros, without them.
fn without_zeros(text: &str) -> Option<IpAddr> {
    let numbers = text.split('.').map(|part| {
        let digits = part.trim_start_matches('0');
        match (part, digits) {
            ("", _) => "",
            (_, "") => "0",
            (_, digits) => digits,
        }
    });
    let shorter = numbers.collect::<Vec<_>>().join(".");
    let address = shorter.parse::<IpAddr>().ok()?;
    (shorter != text && address.is_ipv4()).then_some(address)
}

/// Checks that an address can be that of an endpoint.
///
/// # Errors
/// No other host reaches it.
pub(in super::super) fn endpoint(address: IpAddr) -> Result<(), String> {
    let is_link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || matches!(v4.octets(), [224, 0, 0, _]),
        IpAddr::V6(v6) => {
            let [first, ..] = v6.segments();
            first & 0xffc0 == 0xfe80 || first & 0xff0f == 0xff02
        }
    };
    let what = if address.is_unspecified() {
        "stands for no address"
    } else if address.is_loopback() {
        "is an address that every host has for itself"
    } else if is_link_local {
        "is an address of one link only"
    } else {
        return Ok(());
    };
    Err(format!(
        "{address} {what}: write the address by which the nodes reach the endpoint"
    ))
}

/// Checks a block of addresses.
///
/// # Errors
/// It is none; what would be right.
pub(in super::super) fn cidr(text: &str) -> Result<(), String> {
    let refuse = |why: String| Err(format!("{} is not a CIDR: {why}", quote(text)));
    let Some((start, length)) = text.trim().split_once('/') else {
        return refuse(match text.parse().map(Family::of) {
            Ok(family) => format!("write {text}/{} if you mean just it", family.bits()),
            Err(_) => "write for example 192.0.2.0/24 or 2001:db8::/64".to_owned(),
        });
    };
    let family = match address(start, None) {
        Ok(address) => Family::of(address),
        Err(message) => return refuse(message),
    };
    let is_number = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    let is_canonical = length == "0" || !length.starts_with('0');
    let length = length
        .parse::<u8>()
        .ok()
        .filter(|_| is_number && is_canonical);
    if length.is_some_and(|length| length <= family.bits()) {
        return Ok(());
    }
    refuse(format!(
        "the prefix length of {family} is 0 to {}",
        family.bits()
    ))
}
