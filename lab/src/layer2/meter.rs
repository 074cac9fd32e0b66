//! What a protocol costs on the network.

use std::ops::Sub;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::host::Host;

/// Counts what a host sends of one protocol.
pub struct Meter {
    host: Host,
}

/// What was sent up to a moment, or between two.
#[derive(Clone, Copy, Debug)]
pub struct Traffic {
    at: Instant,
    /// Since then; zero for what was sent up to a moment.
    pub time: Duration,
    /// Packets.
    pub packets: f64,
    /// Their bytes with IP headers.
    pub bytes: f64,
}

impl Meter {
    /// Counts the packets that a match of nftables describes: `udp dport 7480`.
    pub fn start(host: &Host, what: &str) -> Result<Self> {
        host.nft(&format!(
            "table inet traffic {{
    counter sent {{ }}
    chain out {{
        type filter hook output priority 0
        {what} counter name sent
    }}
}}
"
        ))?;
        Ok(Self { host: host.clone() })
    }

    /// The count.
    pub fn read(&self) -> Result<Traffic> {
        let json = self.host.run("nft", ["-j", "list", "counters"])?;
        let at = Instant::now();
        let json: Value = serde_json::from_str(&json)?;
        let objects = json
            .get("nftables")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let mut counters = objects.filter_map(|object| object.get("counter"));
        let counter = counters.next().context("no counter")?;
        let figure = |key: &str| {
            counter
                .get(key)
                .and_then(Value::as_f64)
                .context("no figure")
        };
        Ok(Traffic {
            at,
            time: Duration::ZERO,
            packets: figure("packets")?,
            bytes: figure("bytes")?,
        })
    }
}

impl Sub for Traffic {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            at: self.at,
            time: self.at - earlier.at,
            packets: self.packets - earlier.packets,
            bytes: self.bytes - earlier.bytes,
        }
    }
}

impl Traffic {
    /// Packets and bytes in a second.
    pub fn rates(&self) -> (f64, f64) {
        let seconds = self.time.as_secs_f64();
        (self.packets / seconds, self.bytes / seconds)
    }
}
