//! Programs for the kernel's packet filter (classic BPF), which run on whole Ethernet frames.
//!
//! A filter is a list of conditions; each is a load, comparisons, and a return that drops the frame
//! if none of them held.

use carillon_core::interface::MacAddress;

#[cfg(any(test, feature = "testing"))]
mod interpreter;
#[cfg(test)]
mod tests;

/// Loads of one, two or four octets into the accumulator.
const LOAD_BYTE: u16 = 0x30;
const LOAD_HALF: u16 = 0x28;
const LOAD_WORD: u16 = 0x20;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER: u16 = 0x25;
const JUMP_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;
/// Where a load finds who a frame is for, in the kernel's view: `SKF_AD_OFF + SKF_AD_PKTTYPE`.
const PACKET_TYPE: u32 = 0xffff_f004;
/// More than any frame has.
const WHOLE: u32 = 0x0004_0000;

/// One instruction, as `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What to do.
    pub code: u16,
    /// How many instructions to skip if a comparison holds.
    pub if_true: u8,
    /// How many to skip if it does not.
    pub if_false: u8,
    /// The operand.
    pub operand: u32,
}

/// A program for the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter(Vec<Instruction>);

impl Default for Filter {
    fn default() -> Self {
        Self::new()
    }
}

impl Filter {
    /// Lets everything through that is for this node or for many: neither what the interface picks
    /// up of others (promiscuous mode, a VLAN that this node is not in) nor what is sent.
    pub fn new() -> Self {
        let mut filter = Self(Vec::new());
        filter.one_of(LOAD_BYTE, PACKET_TYPE, &[0, 1, 2]);
        filter
    }

    /// Lets nothing through.
    pub fn nothing() -> Self {
        let mut filter = Self(Vec::new());
        filter.push(RETURN, 0, 0, 0);
        filter
    }

    /// Demands that the octet at `offset` is one of `values`.
    pub fn byte(mut self, offset: u32, values: &[u8]) -> Self {
        let values: Vec<u32> = values.iter().copied().map(u32::from).collect();
        self.one_of(LOAD_BYTE, offset, &values);
        self
    }

    /// Demands that the two octets at `offset` are one of `values`.
    pub fn half(mut self, offset: u32, values: &[u16]) -> Self {
        let values: Vec<u32> = values.iter().copied().map(u32::from).collect();
        self.one_of(LOAD_HALF, offset, &values);
        self
    }

    /// Demands that the four octets at `offset` are this.
    pub fn word(mut self, offset: u32, value: u32) -> Self {
        self.one_of(LOAD_WORD, offset, &[value]);
        self
    }

    /// Demands that another Ethernet address than this is at `offset`.
    pub fn not_mac(mut self, offset: u32, mac: MacAddress) -> Self {
        let value = |octets: &[u8]| {
            octets
                .iter()
                .fold(0, |sum, octet| sum << 8 | u32::from(*octet))
        };
        let (high, low) = mac.0.split_at(4);
        self.push(LOAD_WORD, 0, 0, offset);
        self.push(JUMP_EQUAL, 0, 3, value(high));
        self.push(LOAD_HALF, 0, 0, offset + 4);
        self.push(JUMP_EQUAL, 0, 1, value(low));
        self.push(RETURN, 0, 0, 0);
        self
    }

    /// Demands that the four octets at one of two offsets are within one of these bounds, which are
    /// ascending and at most [`crate::span::MOST`].
    pub fn word_within(mut self, offsets: [u32; 2], bounds: &[(u32, u32)]) -> Self {
        let per_word = 1 + 2 * bounds.len();
        let end = offsets.len() * per_word;
        let jump = |from: usize, to: usize| u8::try_from(to - from - 1).unwrap_or(u8::MAX);
        for (word, offset) in offsets.into_iter().enumerate() {
            let start = word * per_word;
            self.push(LOAD_WORD, 0, 0, offset);
            for (place, (least, most)) in bounds.iter().enumerate() {
                let at = start + 1 + 2 * place;
                // What is less than this is less than all that follow.
                self.push(JUMP_AT_LEAST, 0, jump(at, start + per_word), *least);
                self.push(JUMP_GREATER, 0, jump(at + 1, end + 1), *most);
            }
        }
        self.push(RETURN, 0, 0, 0);
        self
    }

    /// The finished program.
    pub fn program(&self) -> impl Iterator<Item = Instruction> {
        let accept = Instruction {
            code: RETURN,
            if_true: 0,
            if_false: 0,
            operand: WHOLE,
        };
        self.0.iter().copied().chain([accept])
    }

    fn one_of(&mut self, load: u16, offset: u32, values: &[u32]) {
        self.push(load, 0, 0, offset);
        let mut over = u8::try_from(values.len()).unwrap_or(u8::MAX);
        for value in values {
            self.push(JUMP_EQUAL, over, 0, *value);
            over = over.saturating_sub(1);
        }
        self.push(RETURN, 0, 0, 0);
    }

    fn push(&mut self, code: u16, if_true: u8, if_false: u8, operand: u32) {
        self.0.push(Instruction {
            code,
            if_true,
            if_false,
            operand,
        });
    }
}
