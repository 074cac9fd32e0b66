//! Any octets as a received Ethernet frame; what asks is answered, and the answer is understood.
#![no_main]

use std::net::Ipv6Addr;

use carillon_backend_ndp::packet;
use carillon_fuzz::answer_to;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frame: &[u8]| {
    if let Some(question) = packet::decode(frame).and_then(|message| message.question) {
        answer_to(question, packet::decode, |saying, mac, mark, send| {
            packet::encode(saying, (mac, Ipv6Addr::LOCALHOST), mark, send);
        });
    }
});
