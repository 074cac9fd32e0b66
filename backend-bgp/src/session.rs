//! One BGP session with one peer, without its socket: state machine, timers, codec and Adj-RIB-Out.
//!
//! ```text
//!  ┌────┐ ── handle_input: Connected, Received, Written, Closed … ──▶ ┌─────────┐
//!  │ io │ ◀─ poll_event: Connect, Disconnect, Up, Down ────────────── │ Session │ ◀─ Routes, Stop
//!  └────┘ ◀─ poll_transmit: octets; poll_timeout: deadline ────────── └─────────┘
//! ```
//!
//! Its owner tells it everything that happens, with the time, and then asks for events, octets and
//! the next deadline until there is nothing more.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_core::config::Peer;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::adj_rib_out::AdjRibOut;
use crate::export::Routes;
use crate::fsm::{self, Action, Cause, State};
use crate::packet::message::put_keepalive;
use crate::packet::{Capabilities, Notification, Reason};
use crate::timer::{Backoff, SHORTEST_KEEPALIVE, Timer, TimerTable, jitter};

use agreement::Agreement;
pub(crate) use agreement::router_id_of;
use connection::Connection;
use counters::Counters;
pub(crate) use event::{Event, Input};
pub(crate) use reason::name_of;
use trouble::Trouble;

mod agreement;
mod connection;
mod counters;
mod event;
mod reach;
mod reason;
mod receive;
mod status;
#[cfg(test)]
mod tests;
mod transmit;
mod trouble;

/// How long TCP may take to connect, unless attempts are to follow each other sooner.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait for the peer's OPEN: "a HoldTimer value of 4 minutes is suggested" (RFC 4271
/// section 8.2.2).
const OPEN_TIMEOUT: Duration = Duration::from_secs(240);
/// How long the last withdrawals may take when a session is stopped.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(4);

/// One BGP session.
#[derive(Debug)]
pub(crate) struct Session {
    peer: Arc<Peer>,
    /// The BGP identifier where neither the configuration nor the connection has one.
    fallback_router_id: Ipv4Addr,
    state: State,
    since: Instant,
    /// The state before that, and how long it was the state.
    before: (State, Duration),
    timers: TimerTable,
    backoff: Backoff,
    rng: StdRng,
    /// The next OPEN is without capabilities, for the peer has refused the last because of them.
    plain: bool,
    /// The one that the state is about, from OpenSent on.
    connection: Option<Connection>,
    rib: AdjRibOut,
    /// The last words, once the session is no longer wanted.
    farewell: Option<Notification>,
    events: VecDeque<Event>,
    trouble: Trouble,
    counters: Counters,
}

impl Session {
    /// A session that waits for [`Input::Start`].
    pub(crate) fn new(
        peer: Arc<Peer>,
        fallback_router_id: Ipv4Addr,
        seed: u64,
        now: Instant,
    ) -> Self {
        Self {
            peer,
            fallback_router_id,
            state: State::Idle,
            since: now,
            before: (State::Idle, Duration::ZERO),
            timers: TimerTable::default(),
            backoff: Backoff::default(),
            rng: StdRng::seed_from_u64(seed),
            plain: false,
            connection: None,
            rib: AdjRibOut::default(),
            farewell: None,
            events: VecDeque::new(),
            trouble: Trouble::default(),
            counters: Counters::default(),
        }
    }

    /// Takes note of what happened.
    pub(crate) fn handle_input(&mut self, input: Input<'_>, now: Instant) {
        match input {
            Input::Start if self.farewell.is_none() => self.fire(fsm::Event::Start, now),
            Input::Stop(notification) => self.stop(notification, now),
            Input::Routes(routes) if self.farewell.is_none() => self.rib.set(routes),
            Input::Start | Input::Routes(_) => {}
            Input::Peer(peer) => self.set_peer(peer, now),
            Input::Connected(local) => self.connected(local, now),
            Input::ConnectFailed(error) => {
                let reason = reason::connect_failed(&self.peer, &error);
                self.lose(fsm::Event::TcpFailed, reason, now);
            }
            Input::Closed(error) => {
                let reason = self.closed(error.as_ref(), now);
                self.lose(fsm::Event::TcpFailed, reason, now);
            }
            Input::Received(octets) => self.receive(octets, now),
            Input::Written(count) => self.wrote(count, now),
            Input::Acknowledged => {
                if let Some(connection) = &mut self.connection {
                    connection.acknowledged();
                }
            }
        }
    }

    /// Acts on every deadline that has passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.expire(now) {
            match timer {
                Timer::ConnectRetry if self.state == State::Connect => {
                    let reason = reason::connect_timeout(&self.peer, self.connect_timeout());
                    self.lose(fsm::Event::ConnectRetryExpired, reason, now);
                }
                Timer::ConnectRetry => self.fire(fsm::Event::ConnectRetryExpired, now),
                Timer::Hold => {
                    let reason = reason::hold_expired(self.state, self.hold_time());
                    let reason = reason + self.ttl_hint(now);
                    self.lose(fsm::Event::HoldExpired, reason, now);
                }
                Timer::Keepalive => self.fire(fsm::Event::KeepaliveExpired, now),
                Timer::SendHold => {
                    let reason = reason::send_hold_expired(self.send_hold_time());
                    self.lose(fsm::Event::SendHoldExpired, reason, now);
                }
                Timer::Drain => self.fire(fsm::Event::Stop, now),
            }
        }
    }

    /// When [`Self::handle_timeout`] is to be called, unless something else changes it before.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The next event.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether the peer has everything that it is to know, or there is no peer to know it.
    pub(crate) fn is_settled(&mut self) -> bool {
        self.state != State::Established
            || self
                .connection
                .as_ref()
                .is_none_or(Connection::is_delivered)
                && self.rib.next().is_none()
    }

    /// Whether the session was stopped, and perhaps is still saying its last words.
    pub(crate) fn is_stopped(&self) -> bool {
        self.farewell.is_some()
    }

    /// Whether the session was stopped and has said its last words.
    pub(crate) fn is_finished(&self) -> bool {
        self.farewell.is_some() && self.state == State::Idle
    }

    fn stop(&mut self, notification: Notification, now: Instant) {
        if self.farewell.is_some() {
            return;
        }
        self.farewell = Some(notification);
        if self.state == State::Established {
            self.rib.set(Routes::new());
            self.timers.arm(Timer::Drain, now + DRAIN_TIMEOUT);
        } else {
            self.fire(fsm::Event::Stop, now);
        }
    }

    /// Takes over settings that need no other session. The next KEEPALIVE and the next attempt to connect
    /// may come sooner, but are not put off, however often the settings change.
    fn set_peer(&mut self, peer: Arc<Peer>, now: Instant) {
        self.peer = peer;
        let keepalive = self.interval(Timer::Keepalive);
        let connect = if self.state == State::Connect {
            self.connect_timeout()
        } else {
            self.peer.connect_time.unwrap_or(Backoff::MAX)
        };
        for (timer, longest) in [
            (Timer::Keepalive, keepalive),
            (Timer::ConnectRetry, Some(connect)),
        ] {
            if let Some((due, longest)) = self.timers.deadline(timer).zip(longest) {
                self.timers.arm(timer, due.min(now + longest));
            }
        }
    }

    fn connected(&mut self, local: SocketAddr, now: Instant) {
        if self.state != State::Connect {
            return;
        }
        let local = local.ip().to_canonical();
        let Some(mut agreement) = Agreement::new(&self.peer, local, self.fallback_router_id) else {
            self.lose(fsm::Event::TcpFailed, reason::no_next_hop(local), now);
            return;
        };
        if std::mem::take(&mut self.plain) {
            agreement.ours.capabilities = Capabilities::default();
        }
        self.connection = Some(Connection::new(agreement));
        self.fire(fsm::Event::TcpConnected, now);
    }

    /// An event that ends the connection, or the attempt at one; what comes after the end is no
    /// news.
    fn lose(&mut self, event: fsm::Event, reason: String, now: Instant) {
        use fsm::Event::{ConnectRetryExpired, TcpFailed};
        let before = self.state;
        if fsm::next(before, event).0 == before {
            return;
        }
        let established = before == State::Established;
        let is_cause = established || !matches!(event, TcpFailed | ConnectRetryExpired);
        self.fire(event, now);
        let news = self.trouble.lost(&reason, is_cause, now);
        let (peer, state) = (self.name(), self.state);
        if established {
            tracing::warn!(peer, %state, reason, "BGP session lost");
        } else if news {
            tracing::warn!(peer, %state, reason, "BGP session cannot be established");
        } else {
            tracing::debug!(peer, %state, reason, "BGP session still not established");
            return;
        }
        self.events.push_back(Event::Down(reason));
    }

    /// Lets the state machine take an event, and does what it says.
    fn fire(&mut self, event: fsm::Event, now: Instant) {
        let was_established = self.state == State::Established;
        let (state, actions) = fsm::next(self.state, event);
        if state != self.state {
            let peer = self.name();
            tracing::debug!(peer, state = %state, from = %self.state, ?event, "BGP state");
            self.before = (self.state, now - self.since);
            self.state = state;
            self.since = now;
        }
        for action in actions {
            self.act(*action, now);
        }
        if let (fsm::Event::Stop, true, Some(reason)) = (event, was_established, &self.farewell) {
            self.events.push_back(Event::Down(reason.to_string()));
        }
        // A connection that broke while it was being wound up is not made again.
        if self.farewell.is_some() && !matches!(self.state, State::Idle | State::Established) {
            self.fire(fsm::Event::Stop, now);
        }
    }

    fn act(&mut self, action: Action, now: Instant) {
        match action {
            Action::Connect => self.events.push_back(Event::Connect),
            Action::Disconnect => self.disconnect(),
            Action::SendOpen => self.send(Connection::send_open),
            Action::SendKeepalive => self.send(|connection| connection.send(put_keepalive)),
            Action::Notify(cause) => self.notify(cause),
            Action::Arm(timer) => self.arm(timer, now),
            Action::Disarm(timer) => self.timers.disarm(timer),
            Action::Announce => self.announce(),
            Action::Resend => {
                let connection = self.connection.as_mut();
                if let Some(family) = connection.and_then(|c| c.requested.take()) {
                    self.rib.refresh(family);
                }
            }
        }
    }

    fn disconnect(&mut self) {
        let connection = self.connection.take();
        let unsent = connection.map(|connection| connection.unwritten().to_vec());
        self.timers.clear();
        self.rib.stop();
        let unsent = unsent.unwrap_or_default();
        self.events.push_back(Event::Disconnect(unsent));
    }

    fn notify(&mut self, cause: Cause) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        let notification = match cause {
            Cause::Message => connection.complaint.take(),
            Cause::Stop => self.farewell.clone(),
            Cause::HoldExpired => Some(Notification::new(Reason::HoldTimerExpired)),
            Cause::SendHoldExpired => Some(Notification::new(Reason::SendHoldTimerExpired)),
            Cause::Unexpected(state) => Some(reason::unexpected_in(state, connection.at_hand)),
        };
        if let Some(notification) = notification {
            let peer = self.name();
            tracing::debug!(peer, reason = %notification, "NOTIFICATION sent");
            self.send(|connection| connection.send(|out| notification.encode(out)));
        }
    }

    fn arm(&mut self, timer: Timer, now: Instant) {
        match self.interval(timer) {
            Some(interval) => self.timers.arm(timer, now + interval),
            None => self.timers.disarm(timer),
        }
    }

    /// How long a timer that is started now runs, if it is of use at all.
    fn interval(&mut self, timer: Timer) -> Option<Duration> {
        match timer {
            Timer::ConnectRetry if self.state == State::Connect => Some(self.connect_timeout()),
            Timer::ConnectRetry => Some(self.wait_to_connect()),
            Timer::Hold if self.state == State::OpenSent => Some(OPEN_TIMEOUT),
            Timer::Hold => Some(self.hold_time()).filter(|time| !time.is_zero()),
            Timer::Keepalive => {
                let agreement = self.agreement();
                let interval = agreement.and_then(|a| a.keepalive_time(&self.peer));
                interval.map(|time| jitter(time, &mut self.rng).max(SHORTEST_KEEPALIVE))
            }
            Timer::SendHold => Some(self.send_hold_time()),
            Timer::Drain => Some(DRAIN_TIMEOUT),
        }
    }

    /// How long an attempt to connect may take.
    fn connect_timeout(&self) -> Duration {
        let configured = self.peer.connect_time;
        configured.map_or(CONNECT_TIMEOUT, |time| time.min(CONNECT_TIMEOUT))
    }

    /// How long to wait before the next attempt to connect. A configured time counts from the start of an
    /// attempt that failed.
    fn wait_to_connect(&mut self) -> Duration {
        let (before, lasted) = self.before;
        let established = (before == State::Established).then_some(lasted);
        let connecting = Some(lasted).filter(|_| before == State::Connect);
        let connecting = connecting.unwrap_or_default();
        match (self.backoff.wait(established), self.peer.connect_time) {
            (wait @ Backoff::AT_ONCE, _) | (wait, None) => jitter(wait, &mut self.rng),
            (_, Some(time)) => {
                let rest = jitter(time, &mut self.rng).saturating_sub(connecting);
                rest.max(Backoff::AT_ONCE)
            }
        }
    }

    fn agreement(&self) -> Option<&Agreement> {
        let connection = self.connection.as_ref();
        connection.map(|connection| &connection.agreement)
    }

    /// The negotiated hold time; before that, the proposed one.
    fn hold_time(&self) -> Duration {
        let agreed = self.agreement().and_then(Agreement::hold_time);
        agreed.unwrap_or(self.peer.hold_time)
    }

    /// "The larger of 8 minutes or 2 times the negotiated HoldTime" (RFC 9687 section 4).
    fn send_hold_time(&self) -> Duration {
        Duration::from_secs(8 * 60).max(2 * self.hold_time())
    }

    /// The peer's address, with the port where it is not BGP's own.
    pub(crate) fn name(&self) -> String {
        name_of(&self.peer)
    }
}
