use super::*;

/// Runs a program as the kernel does; a load beyond the end drops the frame.
fn passes(filter: &Filter, packet_type: u8, frame: &[u8]) -> bool {
    let program: Vec<Instruction> = filter.program().collect();
    let mut accumulator = 0;
    let mut at = 0;
    loop {
        let instruction = program[at];
        at += 1;
        let octets = |count: usize| {
            let start = instruction.operand as usize;
            let octets = frame.get(start..start + count)?;
            Some(
                octets
                    .iter()
                    .fold(0, |sum, octet| sum << 8 | u32::from(*octet)),
            )
        };
        let loaded = match instruction.code {
            LOAD_BYTE if instruction.operand == PACKET_TYPE => Some(u32::from(packet_type)),
            LOAD_BYTE => octets(1),
            LOAD_HALF => octets(2),
            LOAD_WORD => octets(4),
            RETURN => return instruction.operand != 0,
            compare => {
                let holds = match compare {
                    JUMP_EQUAL => accumulator == instruction.operand,
                    JUMP_GREATER => accumulator > instruction.operand,
                    JUMP_AT_LEAST => accumulator >= instruction.operand,
                    other => panic!("unknown code {other:#x}"),
                };
                at += usize::from(if holds {
                    instruction.if_true
                } else {
                    instruction.if_false
                });
                continue;
            }
        };
        match loaded {
            Some(value) => accumulator = value,
            None => return false,
        }
    }
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
fn one_of_two_words_has_to_be_within_the_bounds() {
    let filter = Filter::new().word_within([0, 4], 10, 20);
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
