//! A set of IPv4 addresses in a form that a program of the kernel's can search.

#[cfg(test)]
mod tests;

/// Addresses by blocks of 32, one bit for each; what is alike in blocks that follow each other is
/// there once.
///
/// If that were too much, a bit stands for 2, 4, 8 … addresses, and the set holds some that were not
/// asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocks {
    scale: u32,
    runs: Vec<Run>,
}

/// Blocks with the same bits, up to the next run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The number of the first: the address without its `5 + scale` last bits.
    pub first: u32,
    /// The lowest bit is for the lowest addresses of the block.
    pub bits: u32,
}

impl Blocks {
    /// A set that holds all of these, which ascend, in at most so many runs but at least three.
    pub fn within(addresses: &[u32], most: usize) -> Self {
        let scaled = |scale| Self {
            scale,
            runs: runs(addresses, scale),
        };
        let mut all = (0..=27).map(scaled);
        let fitting = all.find(|blocks| blocks.runs.len() <= most.max(3));
        // With the last scale there is one block, and so one run.
        fitting.unwrap_or_else(|| scaled(27))
    }

    /// How many addresses share a bit, as a power of two.
    pub fn scale(&self) -> u32 {
        self.scale
    }

    /// Its runs, of which the first begins with block 0.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }
}

fn runs(addresses: &[u32], scale: u32) -> Vec<Run> {
    let mut runs = vec![Run { first: 0, bits: 0 }];
    let mut add = |first: u32, bits: u32| match runs.last_mut() {
        Some(last) if last.bits == bits => {}
        Some(last) if last.first == first => last.bits = bits,
        Some(_) | None => runs.push(Run { first, bits }),
    };
    let mut blocks = addresses.chunk_by(|one, other| one >> scale >> 5 == other >> scale >> 5);
    let mut next = 0;
    let mut is_end = false;
    for block in &mut blocks {
        let Some(number) = block.first().map(|address| address >> scale >> 5) else {
            continue;
        };
        if number > next {
            add(next, 0);
        }
        let bit = |address: &u32| 1_u32 << (address >> scale & 31);
        add(number, block.iter().map(bit).fold(0, |sum, bit| sum | bit));
        is_end = number == u32::MAX >> scale >> 5;
        next = number.saturating_add(1);
    }
    if !is_end {
        add(next, 0);
    }
    runs
}
