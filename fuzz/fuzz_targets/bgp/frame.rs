//! Whatever a peer may send behind a marker.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let octets = [&[0xff; 16], input].concat();
    carillon_fuzz::check(&octets, carillon_fuzz::context(0xff));
});
