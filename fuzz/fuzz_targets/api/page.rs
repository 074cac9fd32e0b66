//! Any octets as a list of an API server, in pieces of any length.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let [choice, length, list @ ..] = input {
        carillon_fuzz::check_page(*choice, usize::from(*length), list);
    }
});
