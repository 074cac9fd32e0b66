//! The hash FNV-1a: fast, and the same in all daemons and versions. No help against who chooses what is
//! hashed.

#[cfg(test)]
mod tests;

/// The hash of 32 bits.
pub fn fnv32(octets: &[u8]) -> u32 {
    octets.iter().fold(0x811c_9dc5, |hash, octet| {
        (hash ^ u32::from(*octet)).wrapping_mul(0x0100_0193)
    })
}

/// The hash of 64 bits.
pub fn fnv64(octets: &[u8]) -> u64 {
    octets.iter().fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
