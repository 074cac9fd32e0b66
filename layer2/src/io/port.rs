//! One interface: its socket if it has one, and what happened on it.

use std::io;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use carillon_core::interface::Interface;
use carillon_core::mark::Mark;

use super::groups::Groups;
use super::socket::{PacketSocket, explain};
use crate::filter::Filter;
use crate::message::{Message, Saying};
use crate::protocol::{Link, Protocol};
use crate::span::Span;

/// The wait before a port that failed is opened again; it doubles up to the second.
const RETRY: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];
/// More than any frame has that is understood.
const LONGEST_FRAME: usize = 2048;

/// A port.
pub(super) struct Port<P> {
    pub(super) interface: Interface,
    /// What is said on it; `None` while it is closed.
    open: Option<Open>,
    retry_at: Option<Instant>,
    backoff: Duration,
    /// Since when it has been open or closed.
    pub(super) since: Instant,
    pub(super) last_error: Option<String>,
    pub(super) announcements: u64,
    pub(super) answers: u64,
    pub(super) probes: u64,
    pub(super) conflicts: u64,
    protocol: PhantomData<P>,
}

struct Open {
    link: Link,
    socket: PacketSocket,
    groups: Groups,
}

impl<P: Protocol> Port<P> {
    /// A closed one.
    pub(super) fn new(interface: Interface, now: Instant) -> Self {
        Self {
            interface,
            open: None,
            retry_at: None,
            backoff: RETRY[0],
            since: now,
            last_error: None,
            announcements: 0,
            answers: 0,
            probes: 0,
            conflicts: 0,
            protocol: PhantomData,
        }
    }

    /// Opens it.
    pub(super) fn open(&mut self, spans: &[Span], now: Instant) -> Result<(), String> {
        self.retry_at = None;
        let link = P::link(&self.interface)?;
        let index = self.interface.index;
        let filter = filter_of::<P>(link, spans);
        let opened = PacketSocket::open(index, P::ETHERTYPE, &filter);
        let socket = opened.map_err(|error| {
            self.retry_at = Some(now + self.backoff);
            self.backoff = (self.backoff * 2).min(RETRY[1]);
            explain(&error)
        })?;
        self.open = Some(Open {
            link,
            socket,
            groups: Groups::new(index),
        });
        self.since = now;
        self.backoff = RETRY[0];
        self.last_error = None;
        Ok(())
    }

    /// Closes it, because of an error if one is given; whether that is news.
    pub(super) fn close(&mut self, error: Option<String>, now: Instant) -> bool {
        let was_open = self.open.take().is_some();
        if was_open {
            self.since = now;
            self.retry_at = error.is_some().then(|| now + self.backoff);
        }
        let is_news = was_open || error != self.last_error;
        if error.is_some() {
            self.last_error = error;
        }
        is_news
    }

    /// Whether it is as this interface needs it: nothing would be gained by opening it anew.
    pub(super) fn fits(&self, interface: &Interface) -> bool {
        let wanted = P::link(interface);
        match &self.open {
            Some(open) => wanted.is_ok_and(|link| link == open.link),
            None => wanted == P::link(&self.interface),
        }
    }

    /// What is said on it comes from here; `None` while it is closed.
    pub(super) fn link(&self) -> Option<Link> {
        self.open.as_ref().map(|open| open.link)
    }

    /// When [`Self::open`] is to be tried again.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Lets only frames in that concern these addresses.
    pub(super) fn filter(&mut self, spans: &[Span]) -> Result<(), String> {
        let Some(open) = &self.open else {
            return Ok(());
        };
        let filter = filter_of::<P>(open.link, spans);
        open.socket.filter(&filter).map_err(|error| explain(&error))
    }

    /// See [`PacketSocket::poll_ready`].
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.open {
            Some(open) => open.socket.poll_ready(cx),
            None => Poll::Pending,
        }
    }

    /// Hands at most `most` received frames, as far as they say something, to `hear`.
    pub(super) fn receive(
        &mut self,
        most: usize,
        mut hear: impl FnMut(Message),
    ) -> Result<(), String> {
        let Some(open) = &self.open else {
            return Ok(());
        };
        let mut buffer = [0; LONGEST_FRAME];
        for _ in 0..most {
            let received = open.socket.receive(&mut buffer);
            let Some(length) = received.map_err(|error| explain(&error))? else {
                break;
            };
            if let Some(message) = buffer.get(..length).and_then(P::decode) {
                hear(message);
            }
        }
        Ok(())
    }

    /// Says something.
    pub(super) fn say(&mut self, saying: Saying, mark: Mark) -> Result<(), String> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let mut result = Ok(());
        P::encode(saying, open.link, mark, &mut |frame| {
            if result.is_ok() {
                result = open.socket.send(frame);
            }
        });
        match saying {
            Saying::Announcement(_) => self.announcements += 1,
            Saying::Answer(_) => self.answers += 1,
            Saying::Probe(_) => self.probes += 1,
        }
        result.map_err(|error| explain(&error))
    }

    /// Writes what waits.
    pub(super) fn flush(&mut self) -> Result<(), String> {
        match &mut self.open {
            Some(open) => open.socket.flush().map_err(|error| explain(&error)),
            None => Ok(()),
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_flushed(&self) -> bool {
        let open = self.open.as_ref();
        open.is_none_or(|open| open.socket.is_flushed())
    }

    /// Lets questions for a VIP in.
    pub(super) fn listen(&mut self, vip: IpAddr) -> Result<(), String> {
        let (Some(open), Some(group)) = (&mut self.open, P::group(vip)) else {
            return Ok(());
        };
        let joined = open.groups.join(group);
        joined.map_err(|error| format!("cannot join the multicast group {group}: {error}"))
    }

    /// Lets them in no more.
    pub(super) fn ignore(&mut self, vip: IpAddr) {
        if let (Some(open), Some(group)) = (&mut self.open, P::group(vip)) {
            open.groups.leave(group);
        }
    }
}

fn filter_of<P: Protocol>(link: Link, spans: &[Span]) -> Filter {
    if spans.is_empty() {
        Filter::nothing()
    } else {
        P::filter(link.mac, spans)
    }
}
