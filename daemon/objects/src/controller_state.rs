//! The ConfigurationState of those daemons that give addresses, which write it in turn.

use super::configuration_state::ConfigurationStatus;
use super::kind::{KindInfo, Purpose, Selection};
use super::manifest::Reader;
use super::metallb::GROUP;
use super::report::ReportObject;
use super::validate::format::Name;

/// The row of this kind.
pub(super) static KIND: KindInfo = KindInfo {
    name: "ConfigurationState",
    group: GROUP,
    version: "v1beta1",
    older_versions: &[],
    plural: "configurationstates",
    namespaced: true,
    names: Some(Name::Subdomain),
    in_files: false,
    purpose: Purpose::ControllerReport,
    selection: Selection::StateOfController,
    beside_configuration: true,
    reader: Reader::of::<ReportObject<ConfigurationStatus>>(),
};
