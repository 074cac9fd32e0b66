use proptest::prelude::*;

use super::*;

fn contains(blocks: &Blocks, address: u32) -> bool {
    let number = address >> blocks.scale >> 5;
    let run = blocks.runs.iter().rev().find(|run| run.first <= number);
    run.is_some_and(|run| run.bits >> (address >> blocks.scale & 31) & 1 == 1)
}

#[test]
fn what_repeats_itself_takes_no_room() {
    let every_other: Vec<u32> = (0..10_000).map(|number| 0x0a07_8000 + 2 * number).collect();
    let blocks = Blocks::within(&every_other, 700);
    assert_eq!((blocks.scale, blocks.runs.len()), (0, 3));
    let all: Vec<u32> = (0x0a07_8000..0x0a07_c000).collect();
    assert_eq!(Blocks::within(&all, 700).runs.len(), 3);
}

#[test]
fn the_ends_of_the_range_are_no_traps() {
    for all in [vec![0], vec![u32::MAX], vec![0, u32::MAX], vec![]] {
        for most in [0, 700] {
            let blocks = Blocks::within(&all, most);
            assert!(all.iter().all(|one| contains(&blocks, *one)), "{blocks:?}");
        }
        let blocks = Blocks::within(&all, 700);
        assert!(!contains(&blocks, 1) && !contains(&blocks, u32::MAX - 1));
    }
}

proptest! {
    #[test]
    fn it_holds_what_it_is_made_of_and_no_more_if_there_is_room(
        numbers in prop::collection::btree_set(0_u32..40_000, 0..300),
        spread in prop::sample::select(vec![1_u32, 2, 3, 1000, 104_729]),
        most in prop::sample::select(vec![3_usize, 10, 100, 1000]),
    ) {
        let mut all: Vec<u32> = numbers.iter().map(|number| number.wrapping_mul(spread)).collect();
        all.sort_unstable();
        all.dedup();
        let blocks = Blocks::within(&all, most);
        prop_assert!(blocks.runs.len() <= most);
        prop_assert_eq!(blocks.runs[0].first, 0);
        for pair in blocks.runs.windows(2) {
            prop_assert!(pair[0].first < pair[1].first && pair[0].bits != pair[1].bits);
        }
        for one in &all {
            prop_assert!(contains(&blocks, *one));
        }
        for one in all.iter().flat_map(|one| [one.wrapping_sub(1), one.wrapping_add(1), one ^ 64]) {
            let is_near = all.iter().any(|other| other >> blocks.scale == one >> blocks.scale);
            prop_assert_eq!(contains(&blocks, one), is_near);
        }
    }
}
