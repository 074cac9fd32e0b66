use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn member(port: u16) -> MemberId {
    MemberId {
        address: ([192, 0, 2, 1], port).into(),
        generation: 1,
    }
}

proptest! {
    /// However the members have come and gone, the watchers are the first of those that are there.
    #[test]
    fn the_first_of_the_order_watch(steps in prop::collection::vec((2_u16..12, any::<bool>()), 1..60)) {
        let me = member(1);
        let mut detector = Detector::new(me, Profile::standard());
        detector.set_owner(true, &std::iter::empty());
        let mut alive = BTreeSet::new();
        for batch in steps.chunks(3) {
            let mut changes = Vec::new();
            for (port, comes) in batch {
                let one = member(*port);
                if *comes && alive.insert(one) {
                    changes.push(Change::Up(one));
                } else if !comes && alive.remove(&one) {
                    changes.push(Change::Down(one));
                }
            }
            detector.handle_changes(&changes, &alive.iter().copied());
            let mut order: Vec<_> = alive.iter().map(|one| (rank(me, *one), *one)).collect();
            order.sort_unstable();
            let first: Vec<_> = order.into_iter().map(|(_, one)| one).take(WATCHERS).collect();
            prop_assert_eq!(&detector.watchers, &first);
        }
    }
}
