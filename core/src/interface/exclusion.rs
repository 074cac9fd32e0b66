//! The interfaces on which nothing is announced, whatever else: MetalLB's
//! `announcedInterfacesToExclude`.

use std::fmt;

use regex_lite::Regex;
use serde::Deserialize;

/// What MetalLB's manifests exclude: interfaces of containers and overlays.
const DEFAULT: [&str; 14] = [
    "^docker.*",
    "^cbr.*",
    "^dummy.*",
    "^virbr.*",
    "^lxcbr.*",
    "^veth.*",
    "^lo$",
    "^cali.*",
    "^tunl.*",
    "^flannel.*",
    "^kube-ipvs.*",
    "^cni.*",
    "^nodelocaldns.*",
    "^lxc.*",
];

/// Patterns of interface names, any of which excludes.
#[derive(Clone, Debug)]
pub struct Exclusion(Vec<Regex>);

/// Why a list of patterns is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExclusionError {
    /// The text is not the YAML that is expected.
    #[error("{0}")]
    Yaml(String),
    /// A pattern is no regular expression.
    #[error(
        "announcedInterfacesToExclude[{index}]: {pattern:?} is not a regular expression: {reason}"
    )]
    Pattern {
        /// Its place in the list.
        index: usize,
        /// As written.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, rename = "announcedInterfacesToExclude")]
    excluded: Vec<String>,
}

impl Exclusion {
    /// Reads the text behind the key `excludel2.yaml`; an empty one excludes nothing.
    ///
    /// # Errors
    /// It is not as MetalLB wants it; the user must mend it, what was read before stays in force.
    pub fn parse(text: &str) -> Result<Self, ExclusionError> {
        let document: Option<Document> = serde_saphyr::from_str(text)
            .map_err(|error| ExclusionError::Yaml(error.without_snippet().to_string()))?;
        let patterns = document.map(|document| document.excluded);
        Self::of(&patterns.unwrap_or_default())
    }

    fn of<S: AsRef<str>>(patterns: &[S]) -> Result<Self, ExclusionError> {
        let compile = |(index, pattern): (usize, &S)| {
            Regex::new(pattern.as_ref()).map_err(|error| ExclusionError::Pattern {
                index,
                pattern: pattern.as_ref().to_owned(),
                reason: error.to_string(),
            })
        };
        let patterns: Result<_, _> = patterns.iter().enumerate().map(compile).collect();
        Ok(Self(patterns?))
    }

    /// The first pattern that matches a name.
    pub fn matching(&self, name: &str) -> Option<&str> {
        let mut patterns = self.0.iter();
        patterns
            .find(|pattern| pattern.is_match(name))
            .map(Regex::as_str)
    }
}

/// Interfaces of containers and overlays, as MetalLB's manifests have them.
impl Default for Exclusion {
    fn default() -> Self {
        // A pattern that is wrong here excludes nothing; the tests try them all.
        Self::of(&DEFAULT).unwrap_or(Self(Vec::new()))
    }
}

impl PartialEq for Exclusion {
    fn eq(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.0.iter(), other.0.iter());
        mine.map(Regex::as_str).eq(theirs.map(Regex::as_str))
    }
}

impl Eq for Exclusion {}

/// As users write it.
impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let patterns: Vec<&str> = self.0.iter().map(Regex::as_str).collect();
        f.write_str(&patterns.join(", "))
    }
}
