//! The passwords of peers that are in Secrets.

use std::collections::BTreeMap;

use super::Review;
use crate::config::Password;
use crate::config::draft::{PeerDraft, SecretDraft};
use crate::config::error::quote;
use crate::config::peer::{self, PeerError};
use crate::config::place::Located;

/// The type of a Secret that may have the password of a peer.
const BASIC_AUTH: &str = "kubernetes.io/basic-auth";

/// Why a Secret is of no use. Trying again does not help before it changes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum SecretError<'a> {
    #[error("there is no Secret {} in the namespace of the configuration", quote(.0))]
    Missing(&'a str),
    #[error("the Secret {} has the type {}: make one of type {BASIC_AUTH}", .0, quote(.1))]
    Type(&'a str, &'a str),
    #[error("the Secret {0} has no text under the key \"password\": write the password there")]
    NoPassword(&'a str),
    #[error("the Secret {0} cannot be used: {1}")]
    Unusable(&'a str, PeerError),
}

impl SecretError<'_> {
    /// How MetalLB says it, of the peer of this name, in this namespace.
    fn known_as(&self, peer: &str, namespace: &str) -> Option<String> {
        let (cause, space) = match self {
            Self::Missing(_) => (
                format!("secret ref not found for peer config {namespace:?}/{peer:?}"),
                "",
            ),
            Self::Type(key, _) => {
                let (namespace, name) = key.split_once('/').unwrap_or_default();
                let secret = format!("{namespace:?}/{name:?}");
                let cause =
                    format!("secret type mismatch on {secret}, type {BASIC_AUTH:?} is expected");
                (cause, " ")
            }
            Self::NoPassword(_) | Self::Unusable(..) => return None,
        };
        Some(format!(
            "parsing peer {peer} {cause}{space}\nfailed to parse peer {peer} password secret"
        ))
    }
}

impl Review<'_> {
    /// Gives a peer the password that is in the Secret it refers to.
    pub(super) fn set_password(
        &mut self,
        peer: &mut PeerDraft,
        secrets: &BTreeMap<&str, &SecretDraft>,
    ) {
        let Some(Located { value, place }) = &peer.password_secret else {
            return;
        };
        let error = match password(value, secrets.get(value.as_str()).copied()) {
            Ok(password) => {
                if let Some(peer) = &mut peer.peer {
                    peer.password = Some(password);
                }
                return;
            }
            Err(error) => error,
        };
        let object = place.object.split_once(' ').unwrap_or_default().1;
        let namespace = object.split_once('/').unwrap_or_default().0;
        let known = error.known_as(peer.name(), namespace);
        let texts = &self.texts;
        self.refused.push_with(&place.object, || {
            let error = texts.error(place, error.to_string());
            match known {
                Some(known) => error.known_as(known),
                None => error,
            }
        });
    }
}

fn password<'a>(
    name: &'a str,
    secret: Option<&'a SecretDraft>,
) -> Result<Password, SecretError<'a>> {
    let secret = secret.ok_or(SecretError::Missing(name))?;
    let key = secret.key.as_str();
    if secret.kind != BASIC_AUTH {
        return Err(SecretError::Type(key, &secret.kind));
    }
    let password = secret.password.as_ref();
    let password = password.ok_or(SecretError::NoPassword(key))?;
    peer::check_password(&password.0).map_err(|error| SecretError::Unusable(key, error))?;
    Ok(password.clone())
}
