use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::config::draft::{AddressEntry, PeerDraft, PoolDraft, SecretDraft};
use crate::config::place::{Located, Path, Place};
use crate::config::{Config, Password, Peer, address};
use crate::testing;

/// A pool of this object, made at some time, with these addresses.
#[derive(Clone, Debug, PartialEq)]
struct Pool {
    object: &'static str,
    created: &'static str,
    addresses: String,
}

impl Version for Pool {
    fn draft(&self, _: &[&'static str]) -> Result<Draft, ConfigErrors> {
        let place = Place {
            object: self.object.into(),
            path: Path::default(),
            at: None,
        };
        let located = |value| Located {
            value,
            place: place.clone(),
        };
        let entry = AddressEntry {
            pool: self.object.into(),
            text: self.addresses.clone(),
            blocks: address::parse(&self.addresses).unwrap(),
        };
        let pool = PoolDraft {
            name: Some(Located {
                value: self.object.into(),
                place: place.clone(),
            }),
            addresses: vec![located(entry)],
            ..PoolDraft::at(place.clone())
        };
        Ok(Draft {
            pools: vec![pool],
            ..Draft::default()
        })
    }

    fn created(&self) -> &str {
        self.created
    }
}

fn pool(object: &'static str, addresses: &str) -> Pool {
    Pool {
        object,
        created: "",
        addresses: addresses.to_owned(),
    }
}

/// The pools in force with their addresses, and those refused.
fn outcome(objects: &mut Objects<&'static str, Pool>) -> (Vec<String>, Vec<String>) {
    let judged = objects.assemble(|_| true, &["bgp"]);
    let pools = judged.assembled.config.pools.values();
    let pools = pools.filter(|pool| !pool.blocks.is_empty());
    let pools = pools.map(|pool| format!("{} {}", pool.name, pool.blocks[0]));
    let refused = judged.assembled.refused.iter().map(|(object, _)| {
        let keeps = judged.keeps_last.contains(object);
        format!("{object}{}", if keeps { " keeps last" } else { "" })
    });
    (pools.collect(), refused.collect())
}

#[test]
fn what_is_in_force_stays_and_what_is_new_gives_way() {
    let mut objects = Objects::default();
    objects.set("b", pool("b", "10.0.0.0/24"));
    assert_eq!(outcome(&mut objects).0, ["b 10.0.0.0/24"]);
    // Though it comes before it by name.
    objects.set("a", pool("a", "10.0.0.0/30"));
    let (pools, refused) = outcome(&mut objects);
    assert_eq!((pools.len(), refused), (1, vec!["a".to_owned()]));
    objects.remove(&"b");
    assert_eq!(outcome(&mut objects).0, ["a 10.0.0.0/30"]);
}

#[test]
fn the_last_good_version_of_what_is_refused_stays() {
    let mut objects = Objects::default();
    objects.set("a", pool("a", "10.0.0.0/24"));
    objects.set("b", pool("b", "10.0.1.0/24"));
    outcome(&mut objects);
    objects.set("a", pool("a", "10.0.1.0/30"));
    // Another wants what `a` would have given up.
    objects.set("c", pool("c", "10.0.0.0/30"));
    let (pools, refused) = outcome(&mut objects);
    assert_eq!(pools, ["a 10.0.0.0/24", "b 10.0.1.0/24"]);
    assert_eq!(refused, ["a keeps last", "c"]);
    objects.remove(&"b");
    let (pools, refused) = outcome(&mut objects);
    assert_eq!(pools, ["a 10.0.1.0/30", "c 10.0.0.0/30"]);
    assert!(refused.is_empty());
}

#[test]
fn of_new_objects_the_older_one_comes_first() {
    let mut objects = Objects::default();
    let at = |created, pool| Pool { created, ..pool };
    objects.set("a", at("2026-01-02T00:00:00Z", pool("a", "10.0.0.0/24")));
    objects.set("b", at("2026-01-01T00:00:00Z", pool("b", "10.0.0.0/24")));
    let (pools, refused) = outcome(&mut objects);
    assert_eq!(
        (pools, refused),
        (vec!["b 10.0.0.0/24".to_owned()], vec!["a".to_owned()])
    );
}

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

proptest! {
    /// Whatever came before, objects that are all right make up what a fresh start makes of them; and
    /// none that is in force goes because of what came later.
    #[test]
    fn histories_end_as_a_fresh_start(
        steps in prop::collection::vec((0..5_usize, prop::option::of(0..12_u8)), 1..30),
    ) {
        let mut objects = Objects::default();
        let mut before: BTreeMap<&str, String> = BTreeMap::new();
        for (name, start) in steps {
            let name = NAMES[name];
            match start {
                Some(start) => objects.set(name, pool(name, &format!("10.0.0.{start}-10.0.0.{}", start + 2))),
                None => objects.remove(&name),
            }
            let judged = objects.assemble(|_| true, &["bgp"]);
            let Config { pools, .. } = &judged.assembled.config;
            for other in before.keys().filter(|other| **other != name) {
                let still = pools.get(*other).is_some_and(|pool| !pool.blocks.is_empty());
                prop_assert!(still, "{other} went when {name} changed");
            }
            let mut fresh = Objects(objects.0.clone());
            for versions in fresh.0.values_mut() {
                versions.in_force = None;
            }
            if judged.assembled.refused.is_empty() {
                let fresh = fresh.assemble(|_| true, &["bgp"]);
                prop_assert_eq!(&fresh.assembled.config, &judged.assembled.config);
            }
            let names = pools.values().filter(|pool| !pool.blocks.is_empty());
            let names: Rc<[String]> = names.map(|pool| pool.name.to_string()).collect();
            before = NAMES.into_iter().filter(|name| names.iter().any(|known| known == name))
                .map(|name| (name, String::new())).collect();
        }
    }
}

/// An object that is in force while the one that it refers to, if any, is right.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    Peer(&'static str),
    Secret(&'static str),
}

impl Version for (&'static str, Part) {
    fn draft(&self, _: &[&'static str]) -> Result<Draft, ConfigErrors> {
        let place = Place {
            object: self.0.into(),
            path: Path::default(),
            at: None,
        };
        let mut draft = Draft::default();
        match &self.1 {
            Part::Peer(secret) => draft.peers.push(PeerDraft {
                peer: Some(Peer {
                    name: self.0.into(),
                    ..testing::peer(&format!("192.0.2.{}", self.0.as_bytes()[0]), 64512)
                }),
                password_secret: Some(Located {
                    value: (*secret).to_owned(),
                    place: place.clone(),
                }),
                bfd_profile: None,
                place,
            }),
            Part::Secret(password) => draft.secrets.push(SecretDraft {
                key: self.0.to_owned(),
                name: self.0.into(),
                kind: "kubernetes.io/basic-auth".to_owned(),
                password: Some(Password((*password).to_owned())).filter(|_| !password.is_empty()),
            }),
        }
        Ok(draft)
    }

    fn created(&self) -> &'static str {
        ""
    }

    fn is_referred_to(&self) -> bool {
        matches!(self.1, Part::Secret(_))
    }
}

/// What an object refers to is gone, or is of no use any more: it goes on with what that said last,
/// others follow what is new, and without one that needs it, it is forgotten.
#[test]
fn what_is_in_force_outlives_what_it_refers_to() {
    let mut objects: Objects<&str, (&str, Part)> = Objects::default();
    let mut set = |changes: &[(&'static str, Option<Part>)]| {
        for (name, part) in changes {
            match part {
                Some(part) => objects.set(name, (name, part.clone())),
                None => objects.remove(name),
            }
        }
        let judged = objects.assemble(|_| true, &["bgp"]);
        let peers = judged.assembled.config.bgp.peers.iter();
        let peers =
            peers.map(|peer| format!("{} {}", peer.name, peer.password.as_ref().unwrap().0));
        let refused = judged.assembled.refused.iter().map(|(object, _)| {
            let keeps = judged.keeps_last.contains(object);
            format!("{object}{}", if keeps { " keeps last" } else { "" })
        });
        let here = objects.keys().count();
        (peers.collect::<Vec<_>>(), refused.collect::<Vec<_>>(), here)
    };
    let (one, other) = (Some(Part::Secret("1")), Some(Part::Secret("2")));
    set(&[
        ("p", Some(Part::Peer("s"))),
        ("q", Some(Part::Peer("t"))),
        ("s", one.clone()),
        ("t", other),
    ]);
    let goes_on = vec!["p 1".to_owned(), "q 3".to_owned()];
    let told = vec!["p keeps last".to_owned()];
    for useless in [None, Some(Part::Secret(""))] {
        let here = 3 + usize::from(useless.is_some());
        let found = set(&[("s", useless), ("t", Some(Part::Secret("3")))]);
        assert_eq!(found, (goes_on.clone(), told.clone(), here));
        assert_eq!(set(&[]), (goes_on.clone(), told.clone(), here), "it lasts");
        // One that is new has nothing to go on with.
        let (peers, refused, _) = set(&[("r", Some(Part::Peer("s")))]);
        assert_eq!((peers.len(), refused.len()), (2, 2), "{refused:?}");
        assert!(set(&[("r", None), ("s", one.clone())]).1.is_empty());
    }
    set(&[("s", None)]);
    assert_eq!(set(&[("p", None)]).0, ["q 3"]);
    let (peers, refused, _) = set(&[("p", Some(Part::Peer("s")))]);
    assert_eq!(
        (&*peers, &*refused),
        (&["q 3".to_owned()][..], &["p".to_owned()][..])
    );
}
