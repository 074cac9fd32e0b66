//! The pools that an advertisement is for.

use carillon_core::config::draft::PoolSelection;

use super::selector::{self, LabelSelector};
use super::{ObjectAt, Problems, spec};

/// The pools with these names, and those that one of these selectors matches.
pub(super) fn read(
    names: &[String],
    selectors: &[LabelSelector],
    at: &ObjectAt<'_>,
    problems: &mut Problems,
) -> PoolSelection {
    let path = spec("ipAddressPools");
    problems.unique(&path, names);
    let names = names.iter().enumerate();
    let names = names.map(|(n, name)| at.locate(name.as_str().into(), path.clone().item(n)));
    PoolSelection {
        names: names.collect(),
        selectors: selector::locate_list(selectors, &spec("ipAddressPoolSelectors"), at, problems),
    }
}
