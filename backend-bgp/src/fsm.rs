//! The finite state machine of a session (RFC 4271 section 8), for a speaker that only dials.
//!
//! ```text
//!            Start            TCP up                Open                 Keepalive
//!   ┌──────┐ ─────▶ ┌─────────┐ ─────▶ ┌──────────┐ ────▶ ┌─────────────┐ ───────▶ ┌─────────────┐
//!   │ Idle │        │ Connect │        │ OpenSent │       │ OpenConfirm │          │ Established │
//!   └──────┘        └─────────┘        └──────────┘       └─────────────┘          └─────────────┘
//!      ▲               │    ▲               │                    │                         │
//!      │       TCP down│    │ retry timer   │ anything that ends the connection            │
//!      │               ▼    │               ▼                    ▼                         ▼
//!      │            ┌────────────────────────────────────────────────────────────────────────┐
//!      │            │ Active: waits for the retry timer                                      │
//!      │            └────────────────────────────────────────────────────────────────────────┘
//!      └──── Stop, from every state
//! ```
//!
//! RFC 4271 uses Active for listening. This speaker never listens, so Active is the state of
//! waiting for the next attempt, and it takes the place of Idle with its restart timer: Idle means
//! that the session is not wanted.
//!
//! The machine is a table, [`next`]: what it holds is a [`State`] and nothing else. Facts that
//! belong to an event, such as the NOTIFICATION that a malformed message calls for, stay with the
//! session.

use std::fmt;

use crate::timer::Timer;

#[cfg(test)]
mod tests;

/// The states of RFC 4271 section 8.2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not wanted: before the start, and after a stop.
    Idle,
    /// TCP is connecting.
    Connect,
    /// Waiting for the next attempt.
    Active,
    /// Our OPEN is sent, theirs is awaited.
    OpenSent,
    /// Both OPENs are accepted, their KEEPALIVE is awaited.
    OpenConfirm,
    /// Routes are exchanged.
    Established,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What can happen; the numbers are those of RFC 4271 section 8.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// 1: the session is wanted.
    Start,
    /// 2: the session is no longer wanted, and all that was to be sent before is sent.
    Stop,
    /// 9: the time to connect, or to wait for the next attempt, is over.
    ConnectRetryExpired,
    /// 10: the peer has been silent for the hold time.
    HoldExpired,
    /// 11: it is time to send a KEEPALIVE.
    KeepaliveExpired,
    /// 29 (RFC 9687): the peer has not taken our bytes for the send hold time.
    SendHoldExpired,
    /// 16: TCP is connected.
    TcpConnected,
    /// 18: TCP could not connect, or the connection ended.
    TcpFailed,
    /// 19: an OPEN that we accept.
    Open,
    /// 21: a header that is not one.
    HeaderError,
    /// 22: an OPEN that we cannot accept.
    OpenError,
    /// 24 and 25: a NOTIFICATION.
    Notification,
    /// 26: a KEEPALIVE.
    Keepalive,
    /// 27: an UPDATE.
    Update,
    /// 28: an UPDATE that must end the session (RFC 7606 leaves few).
    UpdateError,
    /// A ROUTE-REFRESH (RFC 2918), which has no number.
    RouteRefresh,
}

/// What a session does in response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Begin to connect.
    Connect,
    /// Close the connection after what has been written to it, and stop all timers.
    Disconnect,
    /// Send our OPEN.
    SendOpen,
    /// Send a KEEPALIVE.
    SendKeepalive,
    /// Send a NOTIFICATION.
    Notify(Cause),
    /// Start a timer, anew if it runs.
    Arm(Timer),
    /// Stop a timer.
    Disarm(Timer),
    /// Begin to send routes.
    Announce,
    /// Send the routes of the requested family again.
    Resend,
}

/// What a NOTIFICATION that we send is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The error found in the message received, code 1, 2 or 3.
    Message,
    /// Hold Timer Expired, code 4.
    HoldExpired,
    /// A message that has no place in this state, code 5 with the subcode of RFC 6608.
    Unexpected(State),
    /// Cease, code 6, for the reason of the stop.
    Stop,
    /// Send Hold Timer Expired, code 8 (RFC 9687).
    SendHoldExpired,
}

const NOTHING: &[Action] = &[];
const WAIT: &[Action] = &[Action::Disconnect, Action::Arm(Timer::ConnectRetry)];
const KEEPALIVE: &[Action] = &[Action::SendKeepalive, Action::Arm(Timer::Keepalive)];
const STOP: &[Action] = &[Action::Notify(Cause::Stop), Action::Disconnect];

/// A NOTIFICATION, and then the wait for the next attempt.
macro_rules! notify {
    ($cause:expr) => {
        &[
            Action::Notify($cause),
            Action::Disconnect,
            Action::Arm(Timer::ConnectRetry),
        ]
    };
}

/// What to do, and the state after it.
pub(crate) fn next(state: State, event: Event) -> (State, &'static [Action]) {
    match state {
        State::Idle => idle(event),
        State::Connect => connect(event),
        State::Active => active(event),
        State::OpenSent => open_sent(event),
        State::OpenConfirm => open_confirm(event),
        State::Established => established(event),
    }
}

fn idle(event: Event) -> (State, &'static [Action]) {
    match event {
        Event::Start => (
            State::Connect,
            &[Action::Connect, Action::Arm(Timer::ConnectRetry)],
        ),
        Event::Stop
        | Event::ConnectRetryExpired
        | Event::HoldExpired
        | Event::KeepaliveExpired
        | Event::SendHoldExpired
        | Event::TcpConnected
        | Event::TcpFailed
        | Event::Open
        | Event::HeaderError
        | Event::OpenError
        | Event::Notification
        | Event::Keepalive
        | Event::Update
        | Event::UpdateError
        | Event::RouteRefresh => (State::Idle, NOTHING),
    }
}

fn connect(event: Event) -> (State, &'static [Action]) {
    match event {
        Event::TcpConnected => (
            State::OpenSent,
            &[
                Action::Disarm(Timer::ConnectRetry),
                Action::SendOpen,
                Action::Arm(Timer::Hold),
            ],
        ),
        Event::TcpFailed | Event::ConnectRetryExpired => (State::Active, WAIT),
        Event::Stop => (State::Idle, &[Action::Disconnect]),
        Event::Start
        | Event::HoldExpired
        | Event::KeepaliveExpired
        | Event::SendHoldExpired
        | Event::Open
        | Event::HeaderError
        | Event::OpenError
        | Event::Notification
        | Event::Keepalive
        | Event::Update
        | Event::UpdateError
        | Event::RouteRefresh => (State::Connect, NOTHING),
    }
}

fn active(event: Event) -> (State, &'static [Action]) {
    match event {
        Event::ConnectRetryExpired => (
            State::Connect,
            &[Action::Connect, Action::Arm(Timer::ConnectRetry)],
        ),
        Event::Stop => (State::Idle, &[Action::Disconnect]),
        Event::Start
        | Event::HoldExpired
        | Event::KeepaliveExpired
        | Event::SendHoldExpired
        | Event::TcpConnected
        | Event::TcpFailed
        | Event::Open
        | Event::HeaderError
        | Event::OpenError
        | Event::Notification
        | Event::Keepalive
        | Event::Update
        | Event::UpdateError
        | Event::RouteRefresh => (State::Active, NOTHING),
    }
}

fn open_sent(event: Event) -> (State, &'static [Action]) {
    match event {
        Event::Open => (
            State::OpenConfirm,
            &[
                Action::SendKeepalive,
                Action::Arm(Timer::Keepalive),
                Action::Arm(Timer::Hold),
            ],
        ),
        Event::HeaderError | Event::OpenError => (State::Active, notify!(Cause::Message)),
        Event::HoldExpired => (State::Active, notify!(Cause::HoldExpired)),
        Event::SendHoldExpired => (State::Active, notify!(Cause::SendHoldExpired)),
        Event::Keepalive | Event::Update | Event::UpdateError | Event::RouteRefresh => {
            (State::Active, notify!(Cause::Unexpected(State::OpenSent)))
        }
        Event::TcpFailed | Event::Notification => (State::Active, WAIT),
        Event::Stop => (State::Idle, STOP),
        Event::Start
        | Event::ConnectRetryExpired
        | Event::KeepaliveExpired
        | Event::TcpConnected => (State::OpenSent, NOTHING),
    }
}

fn open_confirm(event: Event) -> (State, &'static [Action]) {
    match event {
        Event::Keepalive => (
            State::Established,
            &[Action::Arm(Timer::Hold), Action::Announce],
        ),
        Event::KeepaliveExpired => (State::OpenConfirm, KEEPALIVE),
        Event::HeaderError | Event::OpenError => (State::Active, notify!(Cause::Message)),
        Event::HoldExpired => (State::Active, notify!(Cause::HoldExpired)),
        Event::SendHoldExpired => (State::Active, notify!(Cause::SendHoldExpired)),
        Event::Open | Event::Update | Event::UpdateError | Event::RouteRefresh => (
            State::Active,
            notify!(Cause::Unexpected(State::OpenConfirm)),
        ),
        Event::TcpFailed | Event::Notification => (State::Active, WAIT),
        Event::Stop => (State::Idle, STOP),
        Event::Start | Event::ConnectRetryExpired | Event::TcpConnected => {
            (State::OpenConfirm, NOTHING)
        }
    }
}

fn established(event: Event) -> (State, &'static [Action]) {
    match event {
        Event::Keepalive | Event::Update => (State::Established, &[Action::Arm(Timer::Hold)]),
        Event::RouteRefresh => (
            State::Established,
            &[Action::Arm(Timer::Hold), Action::Resend],
        ),
        Event::KeepaliveExpired => (State::Established, KEEPALIVE),
        Event::HeaderError | Event::UpdateError => (State::Active, notify!(Cause::Message)),
        Event::HoldExpired => (State::Active, notify!(Cause::HoldExpired)),
        Event::SendHoldExpired => (State::Active, notify!(Cause::SendHoldExpired)),
        Event::Open | Event::OpenError => (
            State::Active,
            notify!(Cause::Unexpected(State::Established)),
        ),
        Event::TcpFailed | Event::Notification => (State::Active, WAIT),
        Event::Stop => (State::Idle, STOP),
        Event::Start | Event::ConnectRetryExpired | Event::TcpConnected => {
            (State::Established, NOTHING)
        }
    }
}
