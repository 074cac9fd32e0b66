//! The status of an IPAddressPool, which those daemons that give addresses write in turn.

use super::kind::{KindInfo, Purpose, Selection};
use super::manifest::Reader;
use super::metallb::GROUP;
use super::metallb::ip_address_pool::IpAddressPoolStatus;
use super::report::ReportObject;
use super::validate::format::Name;

/// The row of this kind.
pub(super) static KIND: KindInfo = KindInfo {
    name: "IPAddressPool",
    group: GROUP,
    version: "v1beta1",
    older_versions: &[],
    plural: "ipaddresspools",
    namespaced: true,
    names: Some(Name::Subdomain),
    in_files: false,
    purpose: Purpose::ControllerReport,
    selection: Selection::All,
    beside_configuration: true,
    reader: Reader::of::<ReportObject<Option<IpAddressPoolStatus>>>(),
};
