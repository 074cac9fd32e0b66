//! Programs for the kernel's packet filter (classic BPF), which run on whole Ethernet frames.
//!
//! A filter is a list of conditions; each is a load, comparisons, and a return that drops the frame
//! if none of them held.

use carillon_core::interface::MacAddress;

use crate::blocks::{Blocks, Run};

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
const JUMP_BITS: u16 = 0x45;
const JUMP: u16 = 0x05;
/// Loads the operand itself.
const LOAD_CONSTANT: u16 = 0x00;
const SHIFT_RIGHT: u16 = 0x74;
const AND: u16 = 0x54;
/// By the index register.
const SHIFT_RIGHT_BY_INDEX: u16 = 0x7c;
/// Copies the accumulator to the index register.
const TO_INDEX: u16 = 0x07;
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

    /// Demands that the four octets at one of two offsets are an address of a set.
    pub fn word_among(mut self, offsets: [u32; 2], blocks: &Blocks) -> Self {
        let tree = tree(blocks.runs());
        let length = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let part = length(PRELUDE + tree.len() + TEST);
        for (rest, offset) in (0..2).rev().zip(offsets) {
            self.split_address(offset, blocks.scale());
            for (place, step) in tree.iter().enumerate() {
                let to_test = length(tree.len() - place - 1);
                match *step {
                    Step::Do(instruction) => self.0.push(instruction),
                    Step::Test => self.push(JUMP, 0, 0, to_test),
                    Step::Miss => self.push(JUMP, 0, 0, to_test + length(TEST)),
                }
            }
            self.push(SHIFT_RIGHT_BY_INDEX, 0, 0, 0);
            self.push(JUMP_BITS, 0, 1, 1);
            self.push(JUMP, 0, 0, rest * part + 1);
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

    /// Puts the number of an address's block into the accumulator, and that of its bit into the index.
    fn split_address(&mut self, offset: u32, scale: u32) {
        self.push(LOAD_WORD, 0, 0, offset);
        self.push(SHIFT_RIGHT, 0, 0, scale);
        self.push(AND, 0, 0, 31);
        self.push(TO_INDEX, 0, 0, 0);
        self.push(LOAD_WORD, 0, 0, offset);
        match scale + 5 {
            // So far cannot be shifted.
            32.. => self.push(AND, 0, 0, 0),
            bits => self.push(SHIFT_RIGHT, 0, 0, bits),
        }
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

/// The lengths of what stands before and behind the tree of a search.
const PRELUDE: usize = 6;
const TEST: usize = 3;

/// A step of the search for a block: a tree of comparisons, at whose ends are the bits of blocks.
#[derive(Clone, Copy)]
enum Step {
    Do(Instruction),
    /// To the test of the bit.
    Test,
    /// To the end, for there is no such address.
    Miss,
}

fn tree(runs: &[Run]) -> Vec<Step> {
    let step = |code, if_true, if_false, operand| {
        Step::Do(Instruction {
            code,
            if_true,
            if_false,
            operand,
        })
    };
    let (left, right) = runs.split_at(runs.len() / 2);
    match (left, right) {
        ([], [] | [Run { bits: 0, .. }]) => vec![Step::Miss],
        ([], [run, ..]) => vec![step(LOAD_CONSTANT, 0, 0, run.bits), Step::Test],
        (_, []) => tree(left),
        (_, [run, ..]) => {
            let (left, right) = (tree(left), tree(right));
            let mut steps = match (u8::try_from(left.len()), u32::try_from(left.len())) {
                (Ok(over), _) => vec![step(JUMP_AT_LEAST, over, 0, run.first)],
                (Err(_), over) => vec![
                    step(JUMP_AT_LEAST, 0, 1, run.first),
                    step(JUMP, 0, 0, over.unwrap_or(u32::MAX)),
                ],
            };
            steps.extend(left);
            steps.extend(right);
            steps
        }
    }
}
