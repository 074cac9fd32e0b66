//! Whatever octets come in: for fuzz targets and properties.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::record::{AnyKey, Value};
use super::testing::{Network, address, settings};
use super::wire::{self, Message, Plain, Records};
use super::{Keys, MemberId, Sealer};

/// The secret of the members here.
const SECRET: &[u8] = b"correct horse battery staple";

/// Two members, of which the first is told octets.
#[derive(Debug)]
pub struct Listener {
    network: Network,
    sealer: Sealer,
    rng: StdRng,
    counter: u64,
}

impl Listener {
    /// Two members that know each other; `None` cannot be.
    pub fn new() -> Option<Self> {
        let keys = Keys::new(SECRET, None).ok()?;
        let mut network = Network::new(1);
        for number in 1..=2 {
            network.start(settings(number, 1000), &keys, &[address(1)]);
        }
        network.run(Duration::from_secs(1));
        Some(Self {
            network,
            sealer: Sealer::new(keys, "test".to_owned()),
            rng: StdRng::seed_from_u64(1),
            counter: 100_000,
        })
    }

    /// Tells the first member these octets in each way in which they can come: as a datagram, as what
    /// somebody with the secret says, and as what the second member says: as a message, as one of
    /// foca, and as records of either version. Returns what the first member sends.
    pub fn hear(&mut self, octets: &[u8]) -> usize {
        let sent = self.sent();
        self.deliver(9, octets.to_vec());
        self.say(9, octets);
        let member = self.network.hosts.get(&address(1));
        let member = member.and_then(|host| host.member.as_ref());
        let tokens = member.map(|member| member.sessions.shown());
        for token in tokens.into_iter().flatten() {
            self.say_with(token, octets);
            for message in messages(octets) {
                self.say_with(token, &wire::encode(&message));
            }
        }
        self.network.run(Duration::from_millis(50));
        self.sent() - sent
    }

    fn sent(&self) -> usize {
        let host = self.network.hosts.get(&address(1));
        host.map_or(0, |host| host.datagrams)
    }

    fn say_with(&mut self, token: u64, message: &[u8]) {
        self.counter += 1;
        let head = [token.to_le_bytes().as_slice(), &wire::encode(&self.counter)].concat();
        self.say(2, &[&head, message].concat());
    }

    fn say(&mut self, from: u8, plaintext: &[u8]) {
        if let Some(datagram) = self.sealer.seal(&mut self.rng, plaintext) {
            self.deliver(from, datagram);
        }
    }

    fn deliver(&mut self, from: u8, datagram: Vec<u8>) {
        self.network.inject(address(from), address(1), datagram);
    }
}

/// Messages with these octets in them.
fn messages(octets: &[u8]) -> [Message; 3] {
    let member = MemberId {
        address: address(2),
        generation: 1000,
    };
    let records = Records {
        member,
        after: 0,
        to: u64::MAX >> 1,
        latest: u64::MAX >> 1,
        floor: 0,
        last: true,
        items: octets.to_vec(),
    };
    [
        Message::Swim(octets.to_vec()),
        Message::Records(records.clone()),
        Message::ReducedRecords(records),
    ]
}

/// Reads octets as what is inside the seal, and as records; what is understood must be the same when
/// it is written and read again.
///
/// # Panics
/// It is not.
pub fn read(octets: &[u8]) {
    if let Some(Plain::Said {
        token,
        counter,
        message: Some(message),
    }) = wire::decode(octets)
    {
        let again = wire::decode(&wire::encode_plain(token, counter, &message));
        let again = match again {
            Some(Plain::Said { message, .. }) => message,
            Some(Plain::Hello(_)) | None => None,
        };
        let _ = message.for_version(1);
        assert_eq!(again, Some(message));
    }
    if let Some(key) = AnyKey::decode(octets) {
        assert_eq!(AnyKey::decode(&key.encode()), Some(key));
    }
    for message in messages(octets) {
        let (Message::Records(records) | Message::ReducedRecords(records)) = message else {
            continue;
        };
        read_records(&records);
    }
}

fn read_records(records: &Records) {
    let decoded = [records.decode(), records.decode_reduced()];
    for record in decoded.into_iter().flatten().flatten() {
        let (Some(key), Some(octets)) = (record.key.known(), record.value) else {
            continue;
        };
        if let Some(value) = Value::decode(key, &octets) {
            assert_eq!(Value::decode(key, &value.encode()), Some(value));
        }
    }
    if records.decode().is_some() {
        let reduced = records.reduce();
        assert!(reduced.is_some_and(|reduced| reduced.decode_reduced().is_some()));
    }
}
