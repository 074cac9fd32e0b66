//! From what is written to a configuration: the rules that concern several parts of it, whatever
//! format it has.
//!
//! Objects are judged one after the other, in the order of the draft, each beside those before it that
//! are right. What is wrong refuses its object, not the others.

use std::collections::hash_map::{Entry, HashMap};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::rc::Rc;
use std::sync::Arc;

use super::community::CommunityError;
use super::draft::{CommunityAlias, Draft, PeerDraft, PoolDraft, SecretDraft};
use super::error::{ConfigError, ConfigErrors, Refused, quote};
use super::place::{Located, Place, Texts};
use super::{Community, Config, Peer, PoolName, Protocol, pool};

mod advertisement;
mod finish;
mod overlap;
mod password;
mod pools;
#[cfg(test)]
mod tests;

use pools::Pools;

/// What came of a draft.
#[derive(Clone, Debug, Default)]
pub struct Assembled {
    /// What the objects that are right make up.
    pub config: Config,
    /// What is wrong with the others, which are left out.
    pub refused: Refused,
    /// What is not wrong, but probably meant otherwise.
    pub notes: Vec<ConfigError>,
}

impl Assembled {
    /// The configuration, if nothing is wrong.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the places.
    pub fn whole(self) -> Result<Config, ConfigErrors> {
        if self.refused.is_empty() {
            Ok(self.config)
        } else {
            Err(self.refused.all())
        }
    }
}

/// Makes a configuration of what is written, for a binary with these backends.
pub fn assemble(mut draft: Draft, backends: &[&'static str]) -> Assembled {
    let mut review = Review {
        texts: std::mem::take(&mut draft.texts),
        refused: std::mem::take(&mut draft.errors),
        notes: Vec::new(),
        communities: BTreeMap::new(),
        backends,
    };
    review.name_communities(std::mem::take(&mut draft.communities));
    review.check_pools(&draft.pools);
    review.check_peers(&mut draft);
    let layer2 = std::mem::take(&mut draft.l2_advertisements);
    let bgp = std::mem::take(&mut draft.bgp_advertisements);
    let written = layer2.iter().map(|one| &one.place);
    let written = written.chain(bgp.iter().map(|one| &one.place));
    let written: BTreeSet<Arc<str>> = written.map(|place| place.object.clone()).collect();
    // What is refused counts for itself alone, so that all is told that is wrong with it.
    for pool in &mut draft.pools {
        let object = &*pool.place.object;
        if review.refused.contains(object) && !written.contains(object) {
            pool.hollow();
        }
    }
    let mut pools = Pools::of(draft.pools.iter());
    let peers = draft.peers.iter();
    let peers = peers.filter_map(|draft| Some(draft.peer.as_ref()?.name.clone()));
    let layer2 = review.l2_advertisements(layer2, &mut pools);
    let bgp = review.bgp_advertisements(bgp, &mut pools, &peers.collect());
    review.finish(draft, layer2, bgp)
}

/// What is being found wrong.
struct Review<'a> {
    texts: Texts,
    refused: Refused,
    notes: Vec<ConfigError>,
    /// `None` for a value that was refused.
    communities: BTreeMap<Rc<str>, (Option<Community>, Place)>,
    backends: &'a [&'static str],
}

impl Review<'_> {
    fn refuse(&mut self, place: &Place, message: &impl ToString) {
        let texts = &self.texts;
        self.refused
            .push_with(&place.object, || texts.error(place, message.to_string()));
    }

    /// What is told beside what is wrong.
    fn note(&mut self, place: &Place, message: impl Into<String>) {
        self.notes.push(self.texts.error(place, message));
    }

    /// Refuses an object that needs a protocol for which there is no backend.
    fn check_protocol(&mut self, place: &Place, protocol: Protocol) {
        if let Err(error) = pool::protocol(protocol.name(), self.backends) {
            self.refuse(place, &error);
        }
    }

    /// Takes in the names of communities.
    fn name_communities(&mut self, aliases: Vec<CommunityAlias>) {
        for CommunityAlias { name, value } in aliases {
            let Located { value: name, place } = name;
            match self.communities.get(&name) {
                Some((_, earlier)) => {
                    let message = format!(
                        "{} already exists: {} has a community of that name, choose another one",
                        quote(&name),
                        self.texts.seen_from(earlier, &place),
                    );
                    self.refuse(&place, &message);
                }
                None => drop(self.communities.insert(name, (value, place))),
            }
        }
    }

    /// The community of this value or name.
    fn community(&mut self, written: &Located<String>) -> Option<Community> {
        let text = written.value.as_str();
        let named = self.communities.get(text);
        let named = named.filter(|(_, place)| {
            place.object == written.place.object || !self.refused.contains(&place.object)
        });
        let community = match named {
            Some((community, _)) => return *community,
            None if text.contains(':') => text.parse(),
            None => Err(CommunityError::UnknownName(text.to_owned())),
        };
        if let Err(error @ CommunityError::UnknownName(_)) = &community {
            let known = format!(
                "invalid community format: {text}\ninvalid community {text:?} in BGP advertisement"
            );
            let (texts, place) = (&self.texts, &written.place);
            self.refused.push_with(&place.object, || {
                texts.error(place, error.to_string()).known_as(known)
            });
            return None;
        }
        community
            .map_err(|error| self.refuse(&written.place, &error))
            .ok()
    }

    fn check_pools(&mut self, pools: &[PoolDraft]) {
        for pool in pools {
            self.check_families(pool);
        }
        self.unique("pool", pools.iter().filter_map(|pool| pool.name.as_ref()));
        overlap::refuse(pools, &self.texts, &mut self.refused);
    }

    /// Checks that the protocol that a pool names announces the addresses of every entry.
    fn check_families(&mut self, pool: &PoolDraft) {
        let Some(protocol) = pool.protocol else {
            return;
        };
        for entry in &pool.addresses {
            if let Err(error) = pool::check_family(protocol, &entry.value, self.backends) {
                let message = format!("{}: {error}", quote(&entry.value.text));
                self.refuse(&entry.place, &message);
            }
        }
    }

    /// Checks peers with what they refer to, and gives them their passwords.
    fn check_peers(&mut self, draft: &mut Draft) {
        let profiles = draft.bfd_profiles.iter();
        self.unique("BFD profile", profiles.clone());
        let profiles: BTreeSet<&str> = profiles.map(|profile| profile.value.as_str()).collect();
        let secrets: BTreeMap<&str, &SecretDraft> = draft
            .secrets
            .iter()
            .map(|secret| (secret.name.as_str(), secret))
            .collect();
        for peer in &mut draft.peers {
            self.check_protocol(&peer.place, Protocol::Bgp);
            self.check_bfd_profile(peer, &profiles);
            self.set_password(peer, &secrets);
        }
        self.unique_peers(&draft.peers);
    }

    /// Checks that what a peer refers to is there.
    fn check_bfd_profile(&mut self, peer: &PeerDraft, profiles: &BTreeSet<&str>) {
        let Some(Located { value, place }) = &peer.bfd_profile else {
            return;
        };
        if !profiles.contains(value.as_str()) {
            let known = format!(
                "peer {} referencing non existing bfd profile {value}",
                peer.name()
            );
            let message = format!("there is no BFD profile {}", quote(value));
            let texts = &self.texts;
            self.refused.push_with(&place.object, || {
                texts.error(place, message).known_as(known)
            });
        }
    }

    /// Refuses the names (of what `kind` says) that an earlier one equals.
    fn unique<'d>(&mut self, kind: &str, names: impl Iterator<Item = &'d Located<PoolName>>) {
        for (later, earlier) in repeated(names, |name| name.value.clone()) {
            let message = format!(
                "{} already exists: {} has a {kind} of that name, choose another one",
                quote(&later.value),
                self.texts.seen_from(&earlier.place, &later.place),
            );
            self.refuse(&later.place, &message);
        }
    }

    /// Refuses the peers that are in no setting different from an earlier one. Peers with the same
    /// address are otherwise allowed; they are sessions with different nodes, for instance.
    fn unique_peers(&mut self, peers: &[PeerDraft]) {
        // As in MetalLB, where not given means false.
        let settings = |(peer, _): &(&Peer, &Place)| Peer {
            ebgp_multihop: Some(peer.ebgp_multihop.unwrap_or(false)),
            ..Peer::clone(peer)
        };
        let peers = peers.iter();
        let peers = peers.filter_map(|draft| Some((draft.peer.as_ref()?, &draft.place)));
        for ((later, place), (_, earlier)) in repeated(peers, settings) {
            let message = format!(
                "this peer {} already exists: the one at {} has the same settings, remove one",
                later.address,
                self.texts.seen_from(earlier, place),
            );
            self.refuse(place, &message);
        }
    }
}

/// The items whose key an earlier one has, each with the first of these.
fn repeated<T: Copy, K: Eq + Hash>(
    items: impl Iterator<Item = T>,
    key: impl Fn(&T) -> K,
) -> Vec<(T, T)> {
    let mut first: HashMap<K, T> = HashMap::new();
    let mut repeated = Vec::new();
    for item in items {
        match first.entry(key(&item)) {
            Entry::Occupied(earlier) => repeated.push((item, *earlier.get())),
            Entry::Vacant(vacant) => drop(vacant.insert(item)),
        }
    }
    repeated
}
