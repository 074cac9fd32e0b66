//! Any octets as an object of an API server, whole or with octets missing in the middle.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Some((choice, json)) = input.split_first() {
        carillon_fuzz::check_object(*choice, json);
    }
});
