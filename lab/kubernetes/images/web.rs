//! The application: a web server that answers with its pod's name and address.

use std::net::TcpListener;

#[path = "../../src/web.rs"]
mod web;

// Part of every libc; this program is built without crates.
unsafe extern "C" {
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
    fn _exit(status: i32) -> !;
}

const SIGTERM: i32 = 15;

extern "C" fn end(_: i32) {
    // SAFETY: it takes any status, and may be called in a signal handler.
    unsafe { _exit(0) }
}

fn main() -> std::io::Result<()> {
    // The first process of a container gets only the signals that it asks for.
    // SAFETY: the handler only calls what a handler may call.
    unsafe { signal(SIGTERM, end) };
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
    web::serve(&TcpListener::bind("0.0.0.0:80")?, name.trim_end())
}
