//! What is inside the seal: messages, and the records in them.
#![no_main]

use carillon_gossip::octets::read;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| read(input));
