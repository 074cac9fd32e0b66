//! The end of a container's first process, which gets only the signals that it asks for.

// Part of every libc; the images' programs are built without crates.
unsafe extern "C" {
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
    fn _exit(status: i32) -> !;
}

const SIGTERM: i32 = 15;

extern "C" fn end(_: i32) {
    // SAFETY: it takes any status, and may be called in a signal handler.
    unsafe { _exit(0) }
}

/// Lets SIGTERM end this process.
pub fn on_sigterm() {
    // SAFETY: the handler only calls what a handler may call.
    unsafe { signal(SIGTERM, end) };
}
