//! Any octets as a file of Kubernetes objects.
#![no_main]

use carillon_core::yaml;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    if let Ok(text) = yaml::decode(octets.to_vec()) {
        carillon_fuzz::check_objects(&text);
    }
});
