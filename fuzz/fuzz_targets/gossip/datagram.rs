//! What another daemon, or anybody, sends to a daemon.
#![no_main]

use std::cell::RefCell;

use carillon_gossip::octets::Listener;
use libfuzzer_sys::fuzz_target;

/// How many inputs one member hears before the next takes its place.
const LIFE: u32 = 100;

thread_local! {
    static LISTENER: RefCell<(u32, Option<Listener>)> = const { RefCell::new((0, None)) };
}

fuzz_target!(|input: &[u8]| {
    LISTENER.with_borrow_mut(|(age, listener)| {
        *age += 1;
        if *age > LIFE {
            *age = 0;
            *listener = None;
        }
        let listener = listener.get_or_insert_with(|| Listener::new().unwrap());
        assert!(listener.hear(input) < 1000);
    });
});
