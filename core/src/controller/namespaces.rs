//! Namespaces, whose labels decide which pools are for their services.
//!
//! While a pool in force selects namespaces and they are not known yet, nothing is given or taken: the
//! books follow what services publish, as those of a controller that does not lead.

use std::ops::Bound;

use arcstr::ArcStr;

use super::Controller;
use crate::labels::Labels;
use crate::service::ServiceKey;

impl Controller {
    /// Takes note of the labels of a namespace; `None`: it is gone. Its services are reviewed if other
    /// pools are for them now.
    pub(super) fn set_namespace(&mut self, name: &ArcStr, labels: Option<&Labels>) {
        if !self.books.set_namespace(name, labels) {
            return;
        }
        let first = ServiceKey::new(name, "");
        let from = (Bound::Included(&first), Bound::Unbounded);
        let keys = self.services.range(from).map(|(key, _)| key);
        let keys = keys.take_while(|key| key.namespace() == name).cloned();
        for key in keys.collect::<Vec<_>>() {
            self.mark(key);
        }
    }

    /// Takes note that all namespaces are known.
    pub(super) fn know_namespaces(&mut self) {
        let awaited = self.awaits_namespaces();
        self.knows_namespaces = true;
        if awaited {
            for key in self.services.keys().cloned().collect::<Vec<_>>() {
                self.mark(key);
            }
        }
    }

    /// Whether namespaces have to be known before anything can be decided.
    pub(super) fn awaits_namespaces(&self) -> bool {
        !self.knows_namespaces && self.books.selects_namespaces()
    }
}
