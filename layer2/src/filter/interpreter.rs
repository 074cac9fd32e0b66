//! The kernel's part, for tests.

use super::{
    Filter, JUMP_AT_LEAST, JUMP_EQUAL, JUMP_GREATER, LOAD_BYTE, LOAD_HALF, LOAD_WORD, PACKET_TYPE,
    RETURN,
};

impl Filter {
    /// Whether the kernel lets a frame of this packet type (0: for this host) through.
    ///
    /// # Panics
    /// If the program is not one that the kernel would take.
    pub fn passes(&self, packet_type: u8, frame: &[u8]) -> bool {
        let mut program = self.program();
        let mut accumulator = 0;
        while let Some(instruction) = program.next() {
            let operand = instruction.operand;
            let loaded = match instruction.code {
                LOAD_BYTE if operand == PACKET_TYPE => Some(u32::from(packet_type)),
                LOAD_BYTE => load(frame, operand, 1),
                LOAD_HALF => load(frame, operand, 2),
                LOAD_WORD => load(frame, operand, 4),
                RETURN => return operand != 0,
                compare => {
                    let skip = if holds(compare, accumulator, operand) {
                        instruction.if_true
                    } else {
                        instruction.if_false
                    };
                    for _ in 0..skip {
                        assert!(program.next().is_some(), "a jump out of the program");
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
        matches!(compare, JUMP_EQUAL | JUMP_GREATER | JUMP_AT_LEAST),
        "an unknown instruction"
    );
    match compare {
        JUMP_EQUAL => accumulator == operand,
        JUMP_GREATER => accumulator > operand,
        _ => accumulator >= operand,
    }
}
