//! Nobody without the secret can say or read anything.
//!
//! ```text
//!  version (1) | key (4) | nonce (24) | XChaCha20-Poly1305 of the plaintext | tag (16)
//! ```
//!
//! Version, key and the cluster's name are authenticated, too.

use carillon_seal::{Cipher, NONCE, TAG};
use hkdf::Hkdf;
use rand::RngExt;
use rand::rngs::StdRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::status::Dropped;

/// The version of this envelope.
const VERSION: u8 = 1;
/// The octets before the nonce.
const HEAD: usize = 5;
/// What sealing adds.
pub(crate) const OVERHEAD: usize = HEAD + NONCE + TAG;
/// The shortest secret that is accepted.
const SHORTEST: usize = 16;
/// The shortest that can have come from 16 random octets: these in Base64.
const RANDOM: usize = 22;

/// A secret that does not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is easily guessed.
    #[error(
        "the gossip key has {0} octets, but at least {SHORTEST} are needed; \
         `openssl rand -base64 32` makes a good one"
    )]
    TooShort(usize),
}

/// What the members of a cluster share: one secret, or two while one takes the place of the other.
#[derive(Clone)]
pub struct Keys {
    primary: SealingKey,
    secondary: Option<SealingKey>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids = std::iter::once(&self.primary).chain(&self.secondary);
        f.debug_list()
            .entries(ids.map(|key| u32::from_be_bytes(key.id)))
            .finish()
    }
}

#[derive(Clone)]
struct SealingKey {
    id: [u8; 4],
    cipher: Cipher,
}

impl Keys {
    /// Seals with the first secret; opens what is sealed with either. To change the secret of a
    /// running cluster, give the new one to all members as second, then as first, and then drop the
    /// old one.
    ///
    /// # Errors
    /// A secret is too short.
    pub fn new(primary: &[u8], secondary: Option<&[u8]>) -> Result<Self, KeyError> {
        Ok(Self {
            primary: SealingKey::new(primary)?,
            secondary: secondary.map(SealingKey::new).transpose()?,
        })
    }

    /// Whether this secret looks like words, which can be guessed by whoever has recorded a datagram.
    pub fn is_guessable(secret: &[u8]) -> bool {
        let has = |is_such: fn(&u8) -> bool| secret.iter().any(is_such);
        let has_cases = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
        let is_binary = !secret.is_ascii();
        secret.len() < RANDOM && !is_binary || !has(u8::is_ascii_digit) && !has_cases && !is_binary
    }

    fn find(&self, id: [u8; 4]) -> Option<&SealingKey> {
        let mut keys = std::iter::once(&self.primary).chain(&self.secondary);
        keys.find(|key| key.id == id)
    }
}

impl SealingKey {
    fn new(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < SHORTEST {
            return Err(KeyError::TooShort(secret.len()));
        }
        let too_short = |_| KeyError::TooShort(secret.len());
        let hkdf = Hkdf::<Sha256>::new(Some(b"carillon gossip"), secret);
        let mut key = Zeroizing::new([0; 32]);
        hkdf.expand(b"key", key.as_mut()).map_err(too_short)?;
        let mut id = [0; 4];
        hkdf.expand(b"id", &mut id).map_err(too_short)?;
        let cipher = Cipher::new(&key);
        Ok(Self { id, cipher })
    }
}

/// Seals and opens the datagrams of one cluster.
#[derive(Debug)]
pub(crate) struct Sealer {
    pub(crate) keys: Keys,
    cluster: String,
}

impl Sealer {
    pub(crate) fn new(keys: Keys, cluster: String) -> Self {
        Self { keys, cluster }
    }

    fn authenticated(&self, head: &[u8]) -> Vec<u8> {
        [head, self.cluster.as_bytes()].concat()
    }

    /// `None` cannot happen: no plaintext here comes near the limit of the cipher.
    pub(crate) fn seal(&self, rng: &mut StdRng, plaintext: &[u8]) -> Option<Vec<u8>> {
        let key = &self.keys.primary;
        let mut datagram = Vec::with_capacity(plaintext.len() + OVERHEAD);
        datagram.push(VERSION);
        datagram.extend(key.id);
        let aad = self.authenticated(&datagram);
        let nonce: [u8; NONCE] = rng.random();
        let sealed = key.cipher.seal(nonce, &aad, plaintext)?;
        datagram.extend(nonce);
        datagram.extend(sealed);
        Some(datagram)
    }

    pub(crate) fn open(&self, datagram: &[u8]) -> Result<Vec<u8>, Dropped> {
        let (head, rest) = datagram
            .split_first_chunk::<HEAD>()
            .ok_or(Dropped::TooShort)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(Dropped::TooShort)?;
        let [version, id @ ..] = *head;
        if version != VERSION {
            return Err(Dropped::Version);
        }
        let key = self.keys.find(id).ok_or(Dropped::Key)?;
        let opened = key.cipher.open(*nonce, &self.authenticated(head), sealed);
        opened.ok_or(Dropped::Forged)
    }
}
