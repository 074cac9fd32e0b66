//! Channels that may end: that is told once, and then they are forgotten, for one that has ended would
//! always have something to say.

use std::future::pending;

use tokio::sync::{mpsc, watch};

/// What comes next; `None` if the channel has just ended. Can be given up at any time.
pub(super) async fn receive<T>(channel: &mut Option<mpsc::Receiver<T>>) -> Option<T> {
    let next = match channel {
        Some(channel) => channel.recv().await,
        None => pending().await,
    };
    if next.is_none() {
        *channel = None;
    }
    next
}

/// Waits until there is something new to see; `None` if the channel has just ended. Can be given up at
/// any time.
pub(super) async fn changed<T>(channel: &mut Option<watch::Receiver<T>>) -> Option<()> {
    let next = match channel {
        Some(channel) => channel.changed().await.ok(),
        None => pending().await,
    };
    if next.is_none() {
        *channel = None;
    }
    next
}
