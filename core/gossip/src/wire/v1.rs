//! Records as version 1 of the protocol has them: bare structures, in which nothing can be added.
//! What version 1 cannot say is left out for its members.
//!
//! These types are frozen.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{Record, Records, encode};
use crate::MacAddress;
use crate::MemberId;
use crate::record::{self, AnyKey, Impediment, Octets};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Key {
    Node,
    Interface(u32),
    Claim(IpAddr),
    Request(IpAddr),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Value {
    Node(Node),
    Interface(Interface),
    Claim(Claim),
    Request(Request),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Node {
    name: Arc<str>,
    ipv4: bool,
    ipv6: bool,
    is_ready: bool,
    is_draining: bool,
    is_excluded: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Interface {
    mac: MacAddress,
    subnets: Vec<IpNet>,
    hosts: Vec<IpAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    term: u64,
    successor: Option<MemberId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Request {
    to: MemberId,
    term: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Item {
    step: u64,
    key: Key,
    content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Content {
    /// That of the item before it.
    Same,
    Value(Value),
    Withdrawn,
}

/// For a member of version 1; `None` if the records are malformed.
pub(super) fn reduce(records: &Records) -> Option<Records> {
    let mut items = Vec::new();
    let mut version = records.after;
    let mut before = None;
    for record in super::decode_items(&records.items, records.after)? {
        let Some(key) = record.key.known() else {
            continue;
        };
        let value = record.value.and_then(|octets| {
            let value = record::Value::decode(key, &octets);
            value.map(Value::from)
        });
        let content = value.map_or(Content::Withdrawn, Content::Value);
        let is_same = before.as_ref() == Some(&content);
        let item = Item {
            step: record.version - version,
            key: key.into(),
            content: if is_same {
                Content::Same
            } else {
                content.clone()
            },
        };
        items.extend(encode(&item));
        version = record.version;
        before = Some(content);
    }
    Some(Records {
        items,
        ..records.clone()
    })
}

/// Those of a member of version 1; `None` if they are malformed.
pub(super) fn decode_items(mut octets: &[u8], after: u64) -> Option<Vec<Record>> {
    let mut records = Vec::new();
    let mut version = after;
    let mut before: Option<Option<Octets>> = None;
    while !octets.is_empty() {
        let (item, rest) = postcard::take_from_bytes::<Item>(octets).ok()?;
        let value = match item.content {
            Content::Same => before?,
            Content::Value(value) => Some(record::Value::from(value).encode().into()),
            Content::Withdrawn => None,
        };
        version = super::next(version, item.step)?;
        before = Some(value.clone());
        records.push(Record {
            version,
            key: AnyKey::Known(item.key.into()),
            value,
        });
        octets = rest;
    }
    Some(records)
}

impl From<record::Key> for Key {
    fn from(key: record::Key) -> Self {
        match key {
            record::Key::Node => Self::Node,
            record::Key::Interface(index) => Self::Interface(index),
            record::Key::Claim(vip) => Self::Claim(vip),
            record::Key::Request(vip) => Self::Request(vip),
        }
    }
}

impl From<Key> for record::Key {
    fn from(key: Key) -> Self {
        match key {
            Key::Node => Self::Node,
            Key::Interface(index) => Self::Interface(index),
            Key::Claim(vip) => Self::Claim(vip),
            Key::Request(vip) => Self::Request(vip),
        }
    }
}

impl From<record::Value> for Value {
    fn from(value: record::Value) -> Self {
        match value {
            record::Value::Node(node) => Self::Node(Node {
                name: node.name,
                ipv4: node.ipv4,
                ipv6: node.ipv6,
                is_ready: node.is_ready,
                is_draining: node.impediments.contains(&Impediment::Draining),
                is_excluded: node.impediments.contains(&Impediment::Excluded),
            }),
            record::Value::Interface(interface) => Self::Interface(Interface {
                mac: interface.mac,
                subnets: interface.subnets,
                hosts: interface.hosts,
            }),
            record::Value::Claim(claim) => Self::Claim(Claim {
                term: claim.term,
                successor: claim.successor,
            }),
            record::Value::Request(request) => Self::Request(Request {
                to: request.to,
                term: request.term,
            }),
        }
    }
}

impl From<Value> for record::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Node(node) => Self::Node(record::Node {
                name: node.name,
                ipv4: node.ipv4,
                ipv6: node.ipv6,
                is_ready: node.is_ready,
                impediments: impediments(node.is_draining, node.is_excluded),
                capabilities: 0,
            }),
            Value::Interface(interface) => Self::Interface(record::Interface {
                mac: interface.mac,
                subnets: interface.subnets,
                hosts: interface.hosts,
                named: None,
            }),
            Value::Claim(claim) => Self::Claim(record::Claim {
                term: claim.term,
                successor: claim.successor,
            }),
            Value::Request(request) => Self::Request(record::Request {
                to: request.to,
                term: request.term,
            }),
        }
    }
}

fn impediments(is_draining: bool, is_excluded: bool) -> BTreeSet<Impediment> {
    let all = [
        (Impediment::Draining, is_draining),
        (Impediment::Excluded, is_excluded),
    ];
    let given = all.into_iter().filter(|(_, is_so)| *is_so);
    given.map(|(one, _)| one).collect()
}
