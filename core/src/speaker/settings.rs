//! What the speaker is set to.

use crate::node::ExcludeLabel;

/// What the user has set of a speaker for as long as it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The class of the Services that it announces; `None` for those without one.
    pub class: Option<String>,
    /// Which nodes announce nothing.
    pub exclude_label: ExcludeLabel,
}
