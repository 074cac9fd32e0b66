//! The kernel's part, for tests.

use super::{
    AND, Filter, JUMP, JUMP_AT_LEAST, JUMP_BITS, JUMP_EQUAL, JUMP_GREATER, LOAD_BYTE,
    LOAD_CONSTANT, LOAD_HALF, LOAD_WORD, PACKET_TYPE, RETURN, SHIFT_RIGHT, SHIFT_RIGHT_BY_INDEX,
    TO_INDEX,
};

impl Filter {
    /// Whether the kernel lets a frame of this packet type (0: for this host) through.
    ///
    /// # Panics
    /// If the program is not one that the kernel would take.
    pub fn passes(&self, packet_type: u8, frame: &[u8]) -> bool {
        let mut program = self.program();
        let (mut accumulator, mut index) = (0_u32, 0_u32);
        while let Some(instruction) = program.next() {
            let operand = instruction.operand;
            let loaded = match instruction.code {
                LOAD_BYTE if operand == PACKET_TYPE => Some(u32::from(packet_type)),
                LOAD_BYTE => load(frame, operand, 1),
                LOAD_HALF => load(frame, operand, 2),
                LOAD_WORD => load(frame, operand, 4),
                LOAD_CONSTANT => Some(operand),
                SHIFT_RIGHT => {
                    assert!(operand < 32, "the kernel takes no such shift");
                    Some(accumulator >> operand)
                }
                SHIFT_RIGHT_BY_INDEX => Some(accumulator >> index),
                AND => Some(accumulator & operand),
                TO_INDEX => {
                    index = accumulator;
                    continue;
                }
                RETURN => return operand != 0,
                jump => {
                    let skip = if jump == JUMP {
                        operand
                    } else if holds(jump, accumulator, operand) {
                        instruction.if_true.into()
                    } else {
                        instruction.if_false.into()
                    };
                    if let Some(last) = usize::try_from(skip).unwrap_or(usize::MAX).checked_sub(1) {
                        assert!(program.nth(last).is_some(), "a jump out of the program");
                    }
                    continue;
                }
            };
            // A load beyond the end drops the frame.
            let Some(value) = loaded else {
                return false;
            };
            accumulator = value;
        }
        false
    }
}

fn load(frame: &[u8], offset: u32, count: usize) -> Option<u32> {
    let start = usize::try_from(offset).ok()?;
    let octets = frame.get(start..start.checked_add(count)?)?;
    let value = octets.iter();
    Some(value.fold(0, |sum, octet| sum << 8 | u32::from(*octet)))
}

fn holds(compare: u16, accumulator: u32, operand: u32) -> bool {
    assert!(
        matches!(
            compare,
            JUMP_EQUAL | JUMP_GREATER | JUMP_AT_LEAST | JUMP_BITS
        ),
        "an unknown instruction"
    );
    match compare {
        JUMP_EQUAL => accumulator == operand,
        JUMP_GREATER => accumulator > operand,
        JUMP_BITS => accumulator & operand != 0,
        _ => accumulator >= operand,
    }
}
