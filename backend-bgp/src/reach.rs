//! Which VIPs reach a peer with its routes.

use carillon_core::address::Family;
use carillon_core::announcement::{Announcement, Announcements};
use imbl::ordmap::DiffItem;

use crate::packet::FamilySet;

/// The VIPs that a table of routes is for, also those of each family alone: what a peer takes of them.
/// Where these are all VIPs that are announced, it is the map of all, and no other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vips {
    /// All that are announced, to whomever.
    announced: Announcements,
    all: Announcements,
    ipv4: Announcements,
    ipv6: Announcements,
}

impl Vips {
    /// Follows to what is announced now; the cost is that of the difference. The table is for those
    /// that it `has` routes for.
    pub(crate) fn follow(
        &mut self,
        announced: &Announcements,
        has_all: bool,
        has: impl Fn(&Announcement) -> bool,
    ) {
        // IPv4 comes before IPv6.
        let ends = [announced.get_min(), announced.get_max()];
        let ends = ends.map(|end| end.map(|(vip, _)| Family::of(*vip)));
        for (part, family) in [
            (&mut self.all, None),
            (&mut self.ipv4, Some(Family::V4)),
            (&mut self.ipv6, Some(Family::V6)),
        ] {
            if has_all && (family.is_none() || ends == [family; 2]) {
                *part = announced.clone();
                continue;
            }
            if family.is_some() && !ends.contains(&family) {
                *part = Announcements::new();
                continue;
            }
            let is_of_part = |vip, why| family.is_none_or(|it| it == Family::of(vip)) && has(why);
            for change in self.announced.diff(announced) {
                match change {
                    DiffItem::Add(vip, why)
                    | DiffItem::Update {
                        new: (vip, why), ..
                    } => {
                        if is_of_part(*vip, why) {
                            part.insert(*vip, why.clone());
                        } else {
                            part.remove(vip);
                        }
                    }
                    DiffItem::Remove(vip, _) => drop(part.remove(vip)),
                }
            }
        }
        self.announced = announced.clone();
    }

    /// Those of these families.
    pub(crate) fn of(&self, families: FamilySet) -> Announcements {
        let [ipv4, ipv6] = [Family::V4, Family::V6].map(|family| families.contains(family));
        match (ipv4, ipv6) {
            (true, true) => self.all.clone(),
            (true, false) => self.ipv4.clone(),
            (false, true) => self.ipv6.clone(),
            (false, false) => Announcements::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;

    use carillon_core::testing::announcement;
    use proptest::prelude::*;

    use super::*;

    /// VIPs that are announced for one reason or another.
    fn map(vips: impl IntoIterator<Item = (IpAddr, bool)>) -> Announcements {
        let whys = [false, true].map(|is_told| Arc::new(announcement(&is_told.to_string())));
        let why = |is_told: bool| whys[usize::from(is_told)].clone();
        let vips = vips.into_iter();
        vips.map(|(vip, is_told)| (vip, why(is_told))).collect()
    }

    fn vip() -> impl Strategy<Value = IpAddr> {
        (any::<bool>(), 0..20_u8).prop_map(|(is_ipv4, last)| {
            if is_ipv4 {
                IpAddr::from([192, 0, 2, last])
            } else {
                IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()])
            }
        })
    }

    proptest! {
        #[test]
        fn each_part_has_those_of_its_family_that_have_routes(
            sets in prop::collection::vec(prop::collection::btree_map(vip(), any::<bool>(), 0..10), 1..10)
        ) {
            let mut vips = Vips::default();
            for set in sets {
                let announced = map(set.iter().map(|(vip, is_told)| (*vip, *is_told)));
                let has_all = set.values().all(|is_told| *is_told);
                vips.follow(&announced, has_all, |why| &*why.pool == "true");
                for families in [vec![], vec![Family::V4], vec![Family::V6], vec![Family::V4, Family::V6]] {
                    let told = set.iter().filter(|(_, is_told)| **is_told);
                    let told = told.map(|(vip, is_told)| (*vip, *is_told));
                    let expected = map(told.filter(|(vip, _)| families.contains(&Family::of(*vip))));
                    let found = vips.of(families.iter().copied().collect());
                    prop_assert_eq!(found, expected);
                }
            }
        }
    }

    #[test]
    fn what_is_announced_to_all_is_one_map() {
        let all = map((0..100).map(|last| (IpAddr::from([192, 0, 2, last]), true)));
        let mut vips = Vips::default();
        vips.follow(&all, true, |_| true);
        for families in [vec![Family::V4], vec![Family::V4, Family::V6]] {
            assert!(vips.of(FamilySet::from_iter(families)).ptr_eq(&all));
        }
    }
}
