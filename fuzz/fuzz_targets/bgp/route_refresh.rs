//! The body of a ROUTE-REFRESH message.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| carillon_fuzz::decode(5, input));
