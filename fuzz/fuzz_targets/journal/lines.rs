//! Any octets as a journal of addresses: a line is understood or refused, and what is understood is
//! written as it was read.
#![no_main]

use carillon_source_files::journal::line;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|journal: &[u8]| {
    for text in journal.split(|octet| *octet == b'\n') {
        match line::parse(text) {
            Ok(Some((service, given))) => {
                let mut written = Vec::new();
                line::write(&mut written, &service, &given);
                assert_eq!(line::parse(&written), Ok(Some((service, given))));
            }
            Ok(None) => {}
            Err(error) => assert!(error.len() < 1024),
        }
    }
});
