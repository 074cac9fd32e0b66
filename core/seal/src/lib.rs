//! XChaCha20-Poly1305, without generics: code that is generic is compiled, and optimised or not, with
//! the package that uses it, and a simulator of many members does little else than this.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305, XNonce};

/// How long a nonce is.
pub const NONCE: usize = 24;
/// By how many octets what is sealed is longer.
pub const TAG: usize = 16;

/// The cipher with a key, which is wiped from memory in the end.
#[derive(Clone)]
pub struct Cipher(XChaCha20Poly1305);

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cipher")
    }
}

impl Cipher {
    /// With this key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(&Key::from(*key)))
    }

    /// Encrypts, and authenticates `aad` as well; `None` if the message is longer than the cipher
    /// allows, some 256 GB.
    pub fn seal(&self, nonce: [u8; NONCE], aad: &[u8], message: &[u8]) -> Option<Vec<u8>> {
        let payload = Payload { msg: message, aad };
        self.0.encrypt(&XNonce::from(nonce), payload).ok()
    }

    /// Decrypts; `None` if anything is not as it was sealed.
    pub fn open(&self, nonce: [u8; NONCE], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let payload = Payload { msg: sealed, aad };
        self.0.decrypt(&XNonce::from(nonce), payload).ok()
    }
}
