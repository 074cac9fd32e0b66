//! Names that occur again and again: of namespaces, nodes, and services in their slices.

use std::collections::HashSet;
use std::sync::Arc;

use carillon_core::service::ServiceKey;

use super::{Object, ObjectKey};

/// The names of one file, each of which is kept once.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<Arc<str>>);

impl Names {
    /// Makes all names in the object and its key those that are known already.
    pub(super) fn share(&mut self, key: &mut ObjectKey, object: &mut Object) {
        self.unify(&mut key.namespace);
        self.unify(&mut key.name);
        match object {
            Object::Service(service) => self.unify_key(&mut service.key),
            Object::EndpointSlice(Some(slice)) => {
                self.unify_key(&mut slice.key);
                self.unify_key(&mut slice.service);
                let nodes = slice.endpoints.iter_mut().filter_map(|e| e.node.as_mut());
                nodes.for_each(|node| self.unify(node));
            }
            Object::EndpointSlice(None) | Object::Node(_) | Object::Config(_) => {}
        }
    }

    fn unify_key(&mut self, key: &mut ServiceKey) {
        self.unify(&mut key.namespace);
        self.unify(&mut key.name);
    }

    fn unify(&mut self, name: &mut Arc<str>) {
        match self.0.get(name) {
            Some(known) => *name = known.clone(),
            None => drop(self.0.insert(name.clone())),
        }
    }
}
