//! Any octets as the text of a configuration: what is wrong has a place and fits on a line.
#![no_main]

use carillon_core::config::legacy;
use carillon_core::config::origin::Origin;
use carillon_core::yaml;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let Ok(text) = yaml::decode(octets.to_vec()) else {
        return;
    };
    let Err(errors) = legacy::parse(&text, &Origin::whole("f"), &["bgp", "arp", "ndp"]) else {
        return;
    };
    assert!(!errors.is_empty());
    for error in &errors {
        let at = error.location.spot.expect("a text").position;
        assert!(at.line >= 1 && at.column >= 1);
        assert!(!error.to_string().chars().any(char::is_control), "{error}");
    }
});
