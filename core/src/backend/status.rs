//! What a backend says of itself and its neighbours when it is asked.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

/// How much of its state a backend is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// All but the routes.
    Counters,
    /// Also every route of every neighbour.
    Routes,
}

/// The state of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendStatus {
    /// [`Caps::name`](super::Caps::name).
    pub backend: &'static str,
    /// Its neighbours, in configuration order.
    pub neighbors: Vec<NeighborStatus>,
}

/// One neighbour to which a backend announces: a BGP peer, for instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeighborStatus {
    /// Its address, with the port where that is not the protocol's own.
    pub name: String,
    /// The protocol's own name of the state, for example `Established`.
    pub state: String,
    /// How long it has been in that state.
    pub since: Duration,
    /// What is worth showing of it, in this order.
    pub facts: Vec<Fact>,
    /// What went wrong last, if anything did.
    pub last_error: Option<String>,
    /// Whether it has been told everything that is wished; never while it cannot be reached.
    pub in_sync: bool,
    /// How many prefixes are announced to it now.
    pub prefixes: usize,
    /// These, if [`Detail::Routes`] are asked for.
    pub announced: Vec<Route>,
}

impl NeighborStatus {
    /// What is counted of it.
    pub fn counters(&self) -> impl Iterator<Item = Counter> {
        let facts = self.facts.iter();
        facts.filter_map(|fact| match fact.value {
            Value::Counter(counter) => Some(counter),
            Value::Text(_) => None,
        })
    }
}

/// A fact worth showing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it is about, for people: `remote AS`.
    pub label: &'static str,
    /// How it is: `64512`.
    pub value: Value,
}

/// What is known of the subject of a [`Fact`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// In words.
    Text(String),
    /// As a total.
    Counter(Counter),
}

/// A total that only grows, until a session of other settings, or another interface, begins with 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// For machines, in lower case and underscores: it stays the same when the label changes.
    pub name: &'static str,
    /// How many.
    pub value: u64,
}

impl Fact {
    /// A fact in words.
    pub fn text(label: &'static str, text: impl Into<String>) -> Self {
        let value = Value::Text(text.into());
        Self { label, value }
    }

    /// A total, with the [`Counter::name`].
    pub fn counter(label: &'static str, name: &'static str, value: u64) -> Self {
        let value = Value::Counter(Counter { name, value });
        Self { label, value }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Counter(counter) => counter.value.fmt(f),
        }
    }
}

/// One announced prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The prefix.
    pub prefix: IpNet,
    /// Its attributes in the protocol's own words, for example `next hop 192.168.7.13, local
    /// preference 100`.
    pub attributes: Arc<str>,
}
