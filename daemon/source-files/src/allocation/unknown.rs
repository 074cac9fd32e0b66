//! What could not be read of the files.

use std::collections::BTreeSet;

use carillon_core::service::ServiceKey;

use carillon_objects::source::Problems;

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Unknown {
    /// These services may be other than they seem.
    pub(super) services: BTreeSet<ServiceKey>,
    /// Any service may be in it.
    pub(super) any: bool,
}

impl Unknown {
    /// What these problems leave unknown.
    pub(super) fn of(problems: &Problems) -> Self {
        let objects = problems.objects.iter();
        let keys = objects.filter_map(|problem| problem.object.as_ref());
        let mut objects = problems.objects.iter();
        Self {
            services: keys.map(|key| key.name.clone()).collect(),
            any: !problems.unreachable.is_empty()
                || problems.omitted > 0
                || objects.any(|problem| problem.object.is_none()),
        }
    }
}
