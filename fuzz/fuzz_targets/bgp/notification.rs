//! The body of a NOTIFICATION message.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| carillon_fuzz::decode(3, input));
