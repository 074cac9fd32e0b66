//! The memory that freed objects leave behind.
//!
//! glibc keeps a heap for each thread, and what one thread has allocated and another frees stays in
//! the first one's: a third of the daemon's memory was that. Other C libraries have one heap.

#[cfg(target_env = "gnu")]
use nix::libc;

/// Has all threads share one heap. To be called before there are any.
pub(crate) fn share() {
    #[cfg(target_env = "gnu")]
    {
        #[expect(unsafe_code, reason = "no crate wraps this function")]
        // SAFETY: it takes two numbers, and there is no other thread that would allocate meanwhile.
        let _set = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    }
}

/// Gives pages without objects back to the system.
pub(crate) fn trim() {
    #[cfg(target_env = "gnu")]
    {
        #[expect(unsafe_code, reason = "no crate wraps this function")]
        // SAFETY: it takes a number, and may be called by any thread.
        let _trimmed = unsafe { libc::malloc_trim(0) };
    }
}
