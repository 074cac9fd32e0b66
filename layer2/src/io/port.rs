//! One interface: its socket if it has one, and what happened on it.

use std::io;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use carillon_core::interface::Interface;
use carillon_core::mark::Mark;

use super::counters::Counters;
use super::drain::Drain;
use super::groups::Groups;
use super::socket::{PacketSocket, explain};
use crate::coverage::Coverage;
use crate::filter::Filter;
use crate::message::{Message, Saying};
use crate::protocol::{Link, Protocol};
use crate::span::Span;

/// The wait before a port that failed is opened again; it doubles up to the second.
const RETRY: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];
/// What is said of a port that has opened but takes nothing away.
const STUCK: &str = "frames do not leave the interface: for 500 ms its transmit queue has not moved; look \
     at its driver, at pause frames from the switch (ethtool -a) and at its queueing discipline (tc qdisc)";
/// More than any frame has that is understood.
pub(super) const LONGEST_FRAME: usize = 2048;

/// A port.
pub(super) struct Port<P> {
    pub(super) interface: Interface,
    /// What is said on it; `None` while it is closed.
    open: Option<Open>,
    /// A socket whose frames do not leave the interface: when they have, it is opened anew.
    stuck: Option<PacketSocket>,
    retry_at: Option<Instant>,
    backoff: Duration,
    /// Since when it has been open or closed.
    pub(super) since: Instant,
    pub(super) last_error: Option<String>,
    pub(super) counters: Counters,
    protocol: PhantomData<P>,
}

struct Open {
    link: Link,
    socket: PacketSocket,
    groups: Groups,
    drain: Drain,
    /// What was sent since the queue was looked at: whether an announcement was among it.
    sent: Option<bool>,
}

impl<P: Protocol> Port<P> {
    /// A closed one.
    pub(super) fn new(interface: Interface, now: Instant) -> Self {
        Self {
            interface,
            open: None,
            stuck: None,
            retry_at: None,
            backoff: RETRY[0],
            since: now,
            last_error: None,
            counters: Counters::default(),
            protocol: PhantomData,
        }
    }

    /// Opens it.
    pub(super) fn open(&mut self, spans: &[Span], now: Instant) -> Result<(), String> {
        self.retry_at = None;
        let link = P::link(&self.interface)?;
        let queued = self.stuck.as_ref().map(PacketSocket::queued);
        if queued.is_some_and(|queued| queued.is_ok_and(|queued| queued > 0)) {
            self.retry_at = Some(now + RETRY[0]);
            return Err(STUCK.to_owned());
        }
        self.stuck = None;
        let index = self.interface.index;
        let filter = filter_of::<P>(link, spans);
        let opened = PacketSocket::open(index, P::ETHERTYPE, &filter);
        let socket = opened.map_err(|error| {
            self.retry_later(now);
            explain(&error)
        })?;
        self.open = Some(Open {
            link,
            socket,
            groups: Groups::new(index),
            drain: Drain::default(),
            sent: None,
        });
        self.since = now;
        self.last_error = None;
        Ok(())
    }

    fn retry_later(&mut self, now: Instant) {
        self.retry_at = Some(now + self.backoff);
        self.backoff = (self.backoff * 2).min(RETRY[1]);
    }

    /// Closes it, because of an error if one is given; whether that is news.
    pub(super) fn close(&mut self, error: Option<String>, now: Instant) -> bool {
        let was_open = self.open.take().is_some();
        if was_open {
            self.since = now;
            self.retry_at = None;
            if error.is_some() {
                self.retry_later(now);
            }
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

    /// When there is something to do for it while it is open.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let open = self.open.as_ref()?;
        let times = [open.drain.due(now), open.groups.due()];
        times.into_iter().flatten().min()
    }

    /// Lets only frames in that concern these addresses.
    pub(super) fn filter(&mut self, spans: &[Span]) -> Result<(), String> {
        let Some(open) = &self.open else {
            return Ok(());
        };
        let filter = filter_of::<P>(open.link, spans);
        open.socket.filter(&filter).map_err(|error| explain(&error))
    }

    /// The same with another way of saying it; whether the kernel takes that.
    pub(super) fn narrow(&mut self, addresses: &Coverage) -> bool {
        self.open.as_ref().is_none_or(|open| {
            let filter = P::filter(open.link.mac, addresses);
            open.socket.filter(&filter).is_ok()
        })
    }

    /// Looks whether frames leave the interface: before more are sent, or, where some were, after.
    ///
    /// # Errors
    /// They have not for a while.
    pub(super) fn look(&mut self, now: Instant) -> Result<(), String> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        if open.sent.is_none() && open.drain.is_empty() {
            return Ok(());
        }
        let queued = |open: &Open| open.socket.queued().map_err(|error| explain(&error));
        let level = queued(open)?;
        if let Some(is_announcement) = open.sent.take() {
            open.drain.sent(level, is_announcement, now);
        } else {
            open.drain.look(level, now);
            open.socket.flush().map_err(|error| explain(&error))?;
            open.drain.sent(queued(open)?, false, now);
        }
        if open.drain.is_empty() {
            self.backoff = RETRY[0];
        } else if open.drain.is_stuck(now)
            && let Some(mut open) = self.open.take()
        {
            open.socket.retire();
            self.stuck = Some(open.socket);
            self.since = now;
            self.retry_later(now);
            return Err(STUCK.to_owned());
        }
        Ok(())
    }

    /// See [`PacketSocket::poll_ready`].
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.open {
            Some(open) => open.socket.poll_ready(cx),
            None => Poll::Pending,
        }
    }

    /// Hands at most `most` received frames, as far as they say something, to `hear`; how many there
    /// were.
    pub(super) fn receive(
        &mut self,
        most: usize,
        mut hear: impl FnMut(Message),
    ) -> Result<usize, String> {
        let Some(open) = &self.open else {
            return Ok(0);
        };
        let mut buffer = [0; LONGEST_FRAME];
        for count in 0..most {
            let received = open.socket.receive(&mut buffer);
            let Some(length) = received.map_err(|error| explain(&error))? else {
                return Ok(count);
            };
            if let Some(message) = buffer.get(..length).and_then(P::decode) {
                hear(message);
            }
        }
        Ok(most)
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
        let is_announcement = matches!(saying, Saying::Announcement(_));
        open.sent = Some(is_announcement || open.sent == Some(true));
        self.counters.said(saying);
        result.map_err(|error| explain(&error))
    }

    /// Whether all that was announced is on the wire, as far as it goes there at all.
    pub(super) fn is_flushed(&self) -> bool {
        let open = self.open.as_ref();
        open.is_none_or(|open| open.sent.is_none() && open.drain.is_flushed())
    }

    /// Lets questions for a VIP in.
    pub(super) fn listen(&mut self, vip: IpAddr, now: Instant) {
        if let (Some(open), Some(group)) = (&mut self.open, P::group(vip)) {
            open.groups.join(group, now);
        }
    }

    /// Tries again what could not be had.
    pub(super) fn join_again(&mut self, now: Instant) {
        if let Some(open) = &mut self.open {
            open.groups.join_again(now);
        }
    }

    /// Whether questions for all VIPs can come in.
    pub(super) fn hears_all(&self) -> bool {
        let groups = self.open.as_ref().and_then(|open| open.groups.trouble());
        groups.is_none()
    }

    /// What does not work at the moment, or last did not.
    pub(super) fn trouble(&self) -> Option<String> {
        let groups = self.open.as_ref().and_then(|open| open.groups.trouble());
        groups.or_else(|| self.last_error.clone())
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
        P::filter(link.mac, &Coverage::Spans(spans.to_vec()))
    }
}
