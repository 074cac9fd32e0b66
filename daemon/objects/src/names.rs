//! Names that occur again and again: of objects in their keys, of services in their slices, of
//! nodes.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use carillon_core::service::{ServiceFacts, ServiceKey};

use super::{Object, ObjectKey};

/// The names of one source, each of which is kept once.
#[derive(Debug, Default)]
pub struct Names {
    keys: HashSet<ServiceKey>,
    nodes: HashSet<Arc<str>>,
    /// What Services are but for their names and addresses.
    facts: HashSet<Arc<ServiceFacts>>,
    /// Lists of nodes.
    lists: HashSet<Arc<[Arc<str>]>>,
}

impl Names {
    /// Makes all names in the object and its key those that are known already.
    pub fn share(&mut self, key: &mut ObjectKey, object: &mut Object) {
        unify(&mut self.keys, &mut key.name);
        match object {
            Object::Service(service) => {
                unify(&mut self.keys, &mut service.key);
                unify(&mut self.facts, service.facts_mut());
            }
            Object::EndpointSlice(Some(slice)) => {
                unify(&mut self.keys, &mut slice.key);
                unify(&mut self.keys, &mut slice.service);
                for nodes in [&mut slice.nodes, &mut slice.ready] {
                    // They have just been read, and nobody else has them.
                    for node in Arc::get_mut(nodes).into_iter().flatten() {
                        unify(&mut self.nodes, node);
                    }
                    unify(&mut self.lists, nodes);
                }
            }
            Object::EndpointSlice(None)
            | Object::Namespace(_)
            | Object::Node(_)
            | Object::NodeLabels(_)
            | Object::Pod(_)
            | Object::MetallbPod(_)
            | Object::Setting(_)
            | Object::Report(_) => {}
        }
    }

    /// Makes the name in a key one that is known already.
    pub fn share_key(&mut self, key: &mut ObjectKey) {
        unify(&mut self.keys, &mut key.name);
    }

    /// How many names these are.
    pub fn count(&self) -> usize {
        self.keys.len() + self.nodes.len() + self.facts.len() + self.lists.len()
    }
}

fn unify<T: Clone + Eq + Hash>(known: &mut HashSet<T>, name: &mut T) {
    match known.get(name) {
        Some(same) => *name = same.clone(),
        None => drop(known.insert(name.clone())),
    }
}
