//! Members by what they are recognised by on a segment: this is looked up for each frame that counts.

use std::collections::BTreeMap;

use crate::interface::MacAddress;
use crate::mark::Mark;
use crate::membership::MemberId;

use super::eligibility::Members;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Index {
    stations: BTreeMap<MacAddress, Vec<MemberId>>,
    /// Of those that are live.
    marks: BTreeMap<Mark, MemberId>,
}

impl Index {
    pub(super) fn of(members: &Members) -> Self {
        let mut index = Self::default();
        for (id, member) in members.iter() {
            for interface in member.interfaces.values() {
                index.stations.entry(interface.mac).or_default().push(id);
            }
            if member.is_live() {
                let mark = Mark::of(&member.name(), id.generation);
                index.marks.entry(mark).or_insert(id);
            }
        }
        index
    }

    /// Those that have an interface with this Ethernet address.
    pub(super) fn with_station(&self, station: MacAddress) -> impl Iterator<Item = MemberId> {
        let members = self.stations.get(&station).into_iter().flatten();
        members.copied()
    }

    /// The live one whose packets carry this mark.
    pub(super) fn with_mark(&self, mark: Mark) -> Option<MemberId> {
        self.marks.get(&mark).copied()
    }
}
