//! The body of an UPDATE message.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| carillon_fuzz::decode(2, input));
