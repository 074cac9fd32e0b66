//! Octets that come piece by piece, and may never end.

/// How many octets are kept at most. An object has at most 1.5 MiB in etcd, which JSON may make six
/// times as long.
const MOST: usize = 8 << 20;
/// How much is kept of the beginning and of the end of what is longer.
const ENDS: usize = 64 << 10;

/// The octets that came: all of them, or the beginning and the end.
#[derive(Debug, Default)]
pub(crate) struct Clip {
    octets: Vec<u8>,
    is_cut: bool,
}

impl Clip {
    /// Adds what comes next.
    pub(crate) fn push(&mut self, more: &[u8]) {
        self.octets.extend_from_slice(more);
        if self.octets.len() > MOST {
            self.is_cut = true;
            self.octets.drain(ENDS..self.octets.len() - ENDS);
        }
    }

    /// What is kept.
    pub(crate) fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Something in the middle is missing.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Begins anew. The room of what was long is given back.
    pub(crate) fn clear(&mut self) {
        if self.octets.capacity() > 2 * ENDS {
            self.octets = Vec::new();
        }
        self.octets.clear();
        self.is_cut = false;
    }
}
