//! Kubernetes label selectors.

use std::collections::BTreeSet;

use crate::config::error::quote;
use crate::labels::Labels;

#[cfg(test)]
mod tests;

/// A label selector: all terms must hold; without terms it matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selector {
    /// The terms, joined by AND.
    pub requirements: Vec<Requirement>,
}

/// One term of a selector.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    /// The label key.
    pub key: String,
    /// What must hold for it.
    pub operator: Operator,
}

/// The operators of Kubernetes selectors.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// The label is present with one of these values.
    In(BTreeSet<String>),
    /// The label is absent, or its value is none of these.
    NotIn(BTreeSet<String>),
    /// The label is present.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

impl Selector {
    /// Whether the labels satisfy every term.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.requirements.iter().all(|requirement| {
            let value = labels.get(&requirement.key);
            match &requirement.operator {
                Operator::In(values) => value.is_some_and(|value| values.contains(value)),
                Operator::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
                Operator::Exists => value.is_some(),
                Operator::DoesNotExist => value.is_none(),
            }
        })
    }
}

/// Why a text cannot be part of a selector (the API server's rules for labels).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// Not a label key.
    #[error(
        "{} is not a label key: it is letters, digits, \"-\", \"_\" and \".\", at most 63, with an \
         optional DNS name and \"/\" before it, for example kubernetes.io/hostname",
        quote(.0)
    )]
    Key(String),
    /// Not a label value.
    #[error(
        "{} is not a label value: it is letters, digits, \"-\", \"_\" and \".\", at most 63, with \
         a letter or digit at both ends",
        quote(.0)
    )]
    Value(String),
    /// Not an operator.
    #[error("{} is not an operator: write In, NotIn, Exists or DoesNotExist", quote(.0))]
    UnknownOperator(String),
    /// `In` or `NotIn` without values.
    #[error("the operator {0} needs at least one value")]
    NoValues(String),
    /// `Exists` or `DoesNotExist` with values.
    #[error("the operator {0} takes no values: remove them, or write In or NotIn")]
    Values(String),
}

impl Operator {
    /// The operator of that name (`In`, `NotIn`, `Exists`, `DoesNotExist`) with its values.
    ///
    /// # Errors
    /// There is none of that name, or it does not go with these values.
    pub fn new(name: &str, values: BTreeSet<String>) -> Result<Self, SelectorError> {
        match (name, values.is_empty()) {
            ("In", false) => Ok(Self::In(values)),
            ("NotIn", false) => Ok(Self::NotIn(values)),
            ("Exists", true) => Ok(Self::Exists),
            ("DoesNotExist", true) => Ok(Self::DoesNotExist),
            ("In" | "NotIn", true) => Err(SelectorError::NoValues(name.to_owned())),
            ("Exists" | "DoesNotExist", false) => Err(SelectorError::Values(name.to_owned())),
            _ => Err(SelectorError::UnknownOperator(name.to_owned())),
        }
    }
}

/// Checks a label key: a name with an optional prefix, `kubernetes.io/hostname`.
///
/// # Errors
/// It is none.
pub fn check_key(key: &str) -> Result<(), SelectorError> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if is_name(name) && prefix.is_none_or(is_dns_name) {
        Ok(())
    } else {
        Err(SelectorError::Key(key.to_owned()))
    }
}

/// Checks a label value, which may be empty.
///
/// # Errors
/// It is none.
pub fn check_value(value: &str) -> Result<(), SelectorError> {
    if value.is_empty() || is_name(value) {
        Ok(())
    } else {
        Err(SelectorError::Value(value.to_owned()))
    }
}

fn is_name(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.len() <= 63
        && text.bytes().all(is_inner)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
}

/// A DNS subdomain, RFC 1123, as Kubernetes checks it.
fn is_dns_name(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(is_inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}
