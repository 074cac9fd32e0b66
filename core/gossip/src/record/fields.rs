//! Values as octets: a list of fields.
//!
//! ```text
//!  number (varint) | length (varint) | content
//! ```
//!
//! A number means the same for ever. A field may come several times where there may be several; of
//! others the first counts. A flag is there, without content, or is not.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{Claim, Impediment, Interface, Key, Named, Node, Request, Value};
use crate::MacAddress;
use crate::MemberId;
use crate::wire::encode;

/// The fields of [`Node`], beside those of [`Impediment`].
mod node {
    pub(super) const NAME: u64 = 1;
    pub(super) const IPV4: u64 = 2;
    pub(super) const IPV6: u64 = 3;
    pub(super) const IS_READY: u64 = 4;
    pub(super) const CAPABILITIES: u64 = 7;
}

/// The fields of [`Interface`].
mod interface {
    pub(super) const MAC: u64 = 1;
    /// One for each subnet.
    pub(super) const SUBNET: u64 = 2;
    /// One for each address.
    pub(super) const HOST: u64 = 3;
    pub(super) const NAME: u64 = 4;
    /// This and the next come with a name only.
    pub(super) const IPV4: u64 = 5;
    pub(super) const IPV6: u64 = 6;
}

/// The fields of [`Claim`].
mod claim {
    pub(super) const TERM: u64 = 1;
    pub(super) const SUCCESSOR: u64 = 2;
}

/// The fields of [`Request`].
mod request {
    pub(super) const TO: u64 = 1;
    pub(super) const TERM: u64 = 2;
}

impl Value {
    /// As octets.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut fields = Writer::default();
        match self {
            Self::Node(node) => node.put(&mut fields),
            Self::Interface(interface) => interface.put(&mut fields),
            Self::Claim(claim) => claim.put(&mut fields),
            Self::Request(request) => request.put(&mut fields),
        }
        fields.0
    }

    /// What these octets say under this key; `None` if it is not understood.
    pub(crate) fn decode(key: Key, octets: &[u8]) -> Option<Self> {
        let fields = read(octets)?;
        Some(match key {
            Key::Node => Self::Node(Node::get(&fields)?),
            Key::Interface(_) => Self::Interface(Interface::get(&fields)?),
            Key::Claim(_) => Self::Claim(Claim::get(&fields)?),
            Key::Request(_) => Self::Request(Request::get(&fields)?),
        })
    }
}

impl Node {
    fn put(&self, fields: &mut Writer) {
        fields.put(node::NAME, self.name.as_bytes());
        let flags = [
            (node::IPV4, self.ipv4),
            (node::IPV6, self.ipv6),
            (node::IS_READY, self.is_ready),
        ];
        let flags = flags.into_iter().filter(|(_, is_set)| *is_set);
        let flags = flags.map(|(number, _)| number);
        let impediments = self.impediments.iter().map(|one| one.number());
        for number in flags.chain(impediments) {
            fields.put(number, &[]);
        }
        if self.capabilities != 0 {
            fields.put_value(node::CAPABILITIES, &self.capabilities);
        }
    }

    fn get(fields: &[Field<'_>]) -> Option<Self> {
        let has = |number| first(fields, number).is_some();
        let name = std::str::from_utf8(first(fields, node::NAME)?).ok()?;
        let capabilities = optional(fields, node::CAPABILITIES).ok()?;
        let impediments = Impediment::ALL.iter().copied();
        Some(Self {
            name: Arc::from(name),
            ipv4: has(node::IPV4),
            ipv6: has(node::IPV6),
            is_ready: has(node::IS_READY),
            impediments: impediments.filter(|one| has(one.number())).collect(),
            capabilities: capabilities.unwrap_or_default(),
        })
    }
}

impl Interface {
    fn put(&self, fields: &mut Writer) {
        fields.put(interface::MAC, &self.mac.0);
        for subnet in &self.subnets {
            fields.put_value(interface::SUBNET, subnet);
        }
        for host in &self.hosts {
            fields.put_value(interface::HOST, host);
        }
        if let Some(named) = &self.named {
            fields.put(interface::NAME, named.name.as_bytes());
            let flags = [(interface::IPV4, named.ipv4), (interface::IPV6, named.ipv6)];
            for (number, _) in flags.into_iter().filter(|(_, is_set)| *is_set) {
                fields.put(number, &[]);
            }
        }
    }

    fn get(fields: &[Field<'_>]) -> Option<Self> {
        let mac = first(fields, interface::MAC)?;
        let has = |number| first(fields, number).is_some();
        let named = |name| {
            Some(Named {
                name: std::str::from_utf8(name).ok()?.into(),
                ipv4: has(interface::IPV4),
                ipv6: has(interface::IPV6),
            })
        };
        Some(Self {
            mac: MacAddress(mac.try_into().ok()?),
            subnets: all::<IpNet>(fields, interface::SUBNET)?,
            hosts: all::<IpAddr>(fields, interface::HOST)?,
            named: first(fields, interface::NAME).and_then(named),
        })
    }
}

impl Claim {
    fn put(&self, fields: &mut Writer) {
        fields.put_value(claim::TERM, &self.term);
        if let Some(successor) = &self.successor {
            fields.put_value(claim::SUCCESSOR, successor);
        }
    }

    fn get(fields: &[Field<'_>]) -> Option<Self> {
        Some(Self {
            term: required(fields, claim::TERM)?,
            successor: optional::<MemberId>(fields, claim::SUCCESSOR).ok()?,
        })
    }
}

impl Request {
    fn put(&self, fields: &mut Writer) {
        fields.put_value(request::TO, &self.to);
        fields.put_value(request::TERM, &self.term);
    }

    fn get(fields: &[Field<'_>]) -> Option<Self> {
        Some(Self {
            to: required(fields, request::TO)?,
            term: required(fields, request::TERM)?,
        })
    }
}

#[derive(Debug, Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn put(&mut self, number: u64, content: &[u8]) {
        self.0.extend(encode(&(number, content)));
    }

    fn put_value(&mut self, number: u64, value: &impl Serialize) {
        self.put(number, &encode(value));
    }
}

/// Its number and its content.
type Field<'a> = (u64, &'a [u8]);

/// All fields, those that are not known as well; `None` if these octets are no list of fields.
fn read(mut octets: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut fields = Vec::new();
    while !octets.is_empty() {
        let (field, rest) = postcard::take_from_bytes(octets).ok()?;
        fields.push(field);
        octets = rest;
    }
    Some(fields)
}

fn first<'a>(fields: &[Field<'a>], number: u64) -> Option<&'a [u8]> {
    let mut fields = fields.iter();
    let field = fields.find(|(other, _)| *other == number);
    field.map(|(_, content)| *content)
}

/// A field that may be absent.
fn optional<'a, T: Deserialize<'a>>(
    fields: &[Field<'a>],
    number: u64,
) -> Result<Option<T>, postcard::Error> {
    first(fields, number).map(postcard::from_bytes).transpose()
}

/// A field that must be there; `None` if it is not, or is not understood.
fn required<'a, T: Deserialize<'a>>(fields: &[Field<'a>], number: u64) -> Option<T> {
    optional(fields, number).ok()?
}

/// All fields of a number; `None` if one of them is not understood.
fn all<'a, T: Deserialize<'a>>(fields: &[Field<'a>], number: u64) -> Option<Vec<T>> {
    let fields = fields.iter().filter(|(other, _)| *other == number);
    let values = fields.map(|(_, content)| postcard::from_bytes(content).ok());
    values.collect()
}
