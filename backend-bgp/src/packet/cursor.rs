//! Reading and patching octets without the possibility of a panic.

/// Takes octets from the front of a slice; `None` where there are too few, and then nothing is
/// taken.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All that has not been taken yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A field that begins with its own length in one octet.
    pub(super) fn field8(&mut self) -> Option<&'a [u8]> {
        let mut ahead = self.clone();
        let length = ahead.u8()?;
        let field = ahead.take(length.into())?;
        *self = ahead;
        Some(field)
    }

    /// A field that begins with its own length in two octets.
    pub(super) fn field16(&mut self) -> Option<&'a [u8]> {
        let mut ahead = self.clone();
        let length = ahead.u16()?;
        let field = ahead.take(length.into())?;
        *self = ahead;
        Some(field)
    }
}

/// Appends what `body` writes, preceded by its length in one octet. Callers keep it below 256.
pub(super) fn put_field8(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.push(0);
    body(out);
    let length = out.len() - at - 1;
    if let Some(slot) = out.get_mut(at) {
        *slot = u8::try_from(length).unwrap_or(u8::MAX);
    }
}

/// Appends what `body` writes, preceded by its length in two octets. Callers keep it below
/// 65536.
pub(super) fn put_field16(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend([0, 0]);
    body(out);
    let length = out.len() - at - 2;
    patch_u16(out, at, length);
}

/// Writes a 2-octet length over the placeholder at `at`. A length that does not fit in it is the
/// caller's mistake.
pub(super) fn patch_u16(out: &mut [u8], at: usize, length: usize) {
    if let Some(slot) = out.get_mut(at..at + 2) {
        slot.copy_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    }
}
