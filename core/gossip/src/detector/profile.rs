//! How fast a loss is found.

use std::time::Duration;

/// How fast the loss of a member that has VIPs is found, and at which price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// How often such a member says to two others that it is there.
    pub heartbeat: Duration,
    /// After how much silence it is lost.
    pub deadline: Duration,
    /// How late a heartbeat may be before the member is probed.
    pub grace: Duration,
    /// How often it is probed then.
    pub spacing: Duration,
}

impl Profile {
    /// For everybody: neither a stall of 300 ms nor a loss of every tenth datagram makes a member
    /// seem lost, and less than 3 kB/s are sent.
    pub const fn standard() -> Self {
        Self {
            heartbeat: Duration::from_millis(80),
            deadline: Duration::from_millis(395),
            grace: Duration::from_millis(12),
            spacing: Duration::from_millis(25),
        }
    }

    /// For those who pay with datagrams, and whose hosts never stall: a member is lost after little
    /// more than two of these intervals without a sign of life.
    pub fn fast(heartbeat: Duration) -> Self {
        let heartbeat = heartbeat.max(Duration::from_millis(5));
        let deadline = 2 * heartbeat + (heartbeat / 20).max(Duration::from_millis(4));
        let grace = (heartbeat / 8).max(Duration::from_millis(2));
        Self {
            heartbeat,
            deadline,
            grace,
            spacing: deadline.saturating_sub(heartbeat + grace) / 5,
        }
    }
}
