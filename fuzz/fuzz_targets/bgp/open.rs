//! The body of an OPEN message.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| carillon_fuzz::decode(1, input));
