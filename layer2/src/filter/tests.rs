use proptest::prelude::*;

use super::*;

fn passes(filter: &Filter, packet_type: u8, frame: &[u8]) -> bool {
    filter.passes(packet_type, frame)
}

#[test]
fn the_codes_are_those_of_the_kernel() {
    let code = |parts: [u32; 3]| u16::try_from(parts.iter().sum::<u32>()).unwrap();
    assert_eq!(LOAD_BYTE, code([libc::BPF_LD, libc::BPF_B, libc::BPF_ABS]));
    assert_eq!(LOAD_HALF, code([libc::BPF_LD, libc::BPF_H, libc::BPF_ABS]));
    assert_eq!(LOAD_WORD, code([libc::BPF_LD, libc::BPF_W, libc::BPF_ABS]));
    assert_eq!(
        JUMP_EQUAL,
        code([libc::BPF_JMP, libc::BPF_JEQ, libc::BPF_K])
    );
    assert_eq!(
        JUMP_GREATER,
        code([libc::BPF_JMP, libc::BPF_JGT, libc::BPF_K])
    );
    assert_eq!(
        JUMP_AT_LEAST,
        code([libc::BPF_JMP, libc::BPF_JGE, libc::BPF_K])
    );
    let jump = |kind| code([libc::BPF_JMP, kind, libc::BPF_K]);
    assert_eq!(
        (JUMP_BITS, JUMP),
        (jump(libc::BPF_JSET), jump(libc::BPF_JA))
    );
    assert_eq!(
        LOAD_CONSTANT,
        code([libc::BPF_LD, libc::BPF_IMM, libc::BPF_W])
    );
    let compute = |what, by| code([libc::BPF_ALU, what, by]);
    assert_eq!(SHIFT_RIGHT, compute(libc::BPF_RSH, libc::BPF_K));
    assert_eq!(SHIFT_RIGHT_BY_INDEX, compute(libc::BPF_RSH, libc::BPF_X));
    assert_eq!(AND, compute(libc::BPF_AND, libc::BPF_K));
    // BPF_TAX is 0.
    assert_eq!(TO_INDEX, code([libc::BPF_MISC, 0, 0]));
    assert_eq!(RETURN, code([libc::BPF_RET, libc::BPF_K, 0]));
    assert_eq!(
        PACKET_TYPE,
        (libc::SKF_AD_OFF + libc::SKF_AD_PKTTYPE).cast_unsigned()
    );
}

#[test]
fn frames_of_others_and_our_own_do_not_pass() {
    let filter = Filter::new();
    let passing: Vec<u8> = (0..8).filter(|kind| passes(&filter, *kind, &[])).collect();
    // Host, broadcast, multicast; not other host, outgoing, loopback.
    assert_eq!(passing, [0, 1, 2]);
}

#[test]
fn values_are_alternatives_and_conditions_add_up() {
    let filter = Filter::new().byte(0, &[1, 2]).half(1, &[0x0304]).word(3, 5);
    assert!(passes(&filter, 0, &[1, 3, 4, 0, 0, 0, 5]));
    assert!(passes(&filter, 0, &[2, 3, 4, 0, 0, 0, 5]));
    assert!(!passes(&filter, 0, &[3, 3, 4, 0, 0, 0, 5]));
    assert!(!passes(&filter, 0, &[1, 3, 5, 0, 0, 0, 5]));
    assert!(!passes(&filter, 0, &[1, 3, 4, 1, 0, 0, 5]));
    assert!(!passes(&filter, 0, &[1, 3, 4, 0, 0, 0]), "too short");
}

#[test]
fn one_mac_is_kept_out() {
    let filter = Filter::new().not_mac(1, MacAddress([2, 3, 4, 5, 6, 7]));
    assert!(!passes(&filter, 0, &[0, 2, 3, 4, 5, 6, 7]));
    for other in [[1, 3, 4, 5, 6, 7], [2, 3, 4, 5, 6, 8], [2, 3, 4, 5, 0, 7]] {
        let frame: Vec<u8> = [0].into_iter().chain(other).collect();
        assert!(passes(&filter, 0, &frame), "{other:?}");
    }
}

#[test]
fn one_of_two_words_has_to_be_within_some_bounds() {
    let filter = Filter::new().word_within([0, 4], &[(10, 20)]);
    let passing = |first: u32, second: u32| {
        let frame = [first.to_be_bytes(), second.to_be_bytes()].concat();
        passes(&filter, 0, &frame)
    };
    for inside in [10, 15, 20] {
        for outside in [0, 9, 21, u32::MAX] {
            assert!(passing(inside, outside) && passing(outside, inside));
            assert!(!passing(outside, outside));
        }
        assert!(passing(inside, inside));
    }
}

#[test]
fn as_many_bounds_as_there_may_be_are_told_apart() {
    let most = u32::try_from(crate::span::MOST).unwrap();
    let bounds: Vec<_> = (1..=most).map(|one| (10 * one, 10 * one + 4)).collect();
    let filter = Filter::new().word_within([0, 4], &bounds);
    for value in 0..10 * most + 20 {
        let is_inside = value >= 10 && value < 10 * most + 5 && value % 10 <= 4;
        for words in [[value, 0], [0, value]] {
            let frame = words.map(u32::to_be_bytes).concat();
            assert_eq!(passes(&filter, 0, &frame), is_inside, "{words:?}");
        }
    }
}

/// The most instructions that a program for the kernel may have: `BPF_MAXINSNS`.
const LONGEST: usize = 4096;

proptest! {
    #[test]
    fn one_of_two_words_has_to_be_among_the_addresses(
        numbers in prop::collection::btree_set(0_u32..30_000, 0..600),
        spread in prop::sample::select(vec![1_u32, 2, 7, 33, 104_729]),
        most in prop::sample::select(vec![3_usize, 150, 700]),
        others in prop::collection::vec(any::<u32>(), 20),
    ) {
        let mut all: Vec<u32> = numbers.iter().map(|number| number.wrapping_mul(spread)).collect();
        all.sort_unstable();
        let blocks = Blocks::within(&all, most);
        let filter = Filter::new().word_among([0, 4], &blocks);
        prop_assert!(filter.program().count() <= LONGEST);
        let is_near = |word: u32| all.iter().any(|one| one >> blocks.scale() == word >> blocks.scale());
        let near = all.iter().flat_map(|one| [*one, one.wrapping_add(1), one ^ 0x20]);
        for word in near.chain(others).chain([0, u32::MAX]) {
            for (first, second) in [(word, 1 << 31 | 5), (1 << 31 | 5, word), (word, word)] {
                let frame = [first.to_be_bytes(), second.to_be_bytes()].concat();
                let expected = is_near(first) || is_near(second);
                prop_assert_eq!(passes(&filter, 0, &frame), expected, "{} {}", first, second);
            }
        }
    }
}
