//! Timers, retries, and the end of sessions.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use carillon_core::config::Peer;

use super::pair::{Pair, ebgp, hosts, ibgp, open};
use crate::fsm::State;
use crate::packet::message::put_keepalive;
use crate::packet::{Message, Notification, Open, Reason};
use crate::session::{Event, Input};

const SECOND: Duration = Duration::from_secs(1);

fn stop() -> Notification {
    Notification::with_communication(Reason::AdministrativeShutdown, "draining")
}

#[test]
fn dials_at_once_and_comes_up() {
    let mut pair = Pair::new(ebgp());
    pair.input(Input::Routes(hosts(3)));
    assert_eq!(pair.events, [], "nothing before the start");
    pair.input(Input::Start);
    assert_eq!(pair.events, [Event::Connect]);
    pair.establish();
    assert_eq!(pair.events, [Event::Connect, Event::Up]);
    assert_eq!(pair.table.len(), 3);
    let kinds: Vec<_> = pair.received.iter().map(std::mem::discriminant).collect();
    let expected = [
        Message::Open(open()),
        Message::Keepalive,
        Message::Update(crate::packet::Update::default()),
        Message::Update(crate::packet::Update::default()),
    ];
    assert_eq!(
        kinds,
        expected
            .iter()
            .map(std::mem::discriminant)
            .collect::<Vec<_>>()
    );
    assert!(
        matches!(pair.received.last(), Some(Message::Update(update)) if update.end_of_rib.is_some())
    );
}

#[test]
fn octets_may_come_one_by_one() {
    let mut pair = Pair::open_sent(ebgp());
    let mut octets = Vec::new();
    open().encode(&mut octets);
    put_keepalive(&mut octets);
    for octet in octets {
        pair.input(Input::Received(&[octet]));
    }
    assert_eq!(pair.session.state, State::Established);
}

#[test]
fn a_silent_router_is_given_up_after_the_hold_time() {
    let mut pair = Pair::established(ebgp());
    pair.live(180);
    pair.pass(Duration::from_secs(89));
    assert_eq!(pair.session.state, State::Established);
    pair.pass(SECOND);
    assert_eq!(pair.session.state, State::Active);
    assert_eq!(
        pair.notification(),
        Some(&Notification::new(Reason::HoldTimerExpired))
    );
    assert_eq!(
        pair.downs(),
        ["hold timer expired: nothing from the router for 90 s"]
    );
    assert!(
        pair.until_connect() <= Duration::from_millis(100),
        "retried at once"
    );
}

#[test]
fn keepalives_are_sent_with_jitter() {
    let mut peer = ebgp();
    peer.hold_time = 9 * SECOND;
    let mut pair = Pair::established(peer);
    let before = pair.keepalives();
    pair.live(300);
    let sent = pair.keepalives() - before;
    assert!(
        (300 / 3..=400 / 3).contains(&sent),
        "{sent} in 300 s, hold time 9 s"
    );
}

/// "KEEPALIVE messages MUST NOT be sent more frequently than one per second" (RFC 4271 section
/// 4.4).
#[test]
fn keepalives_are_a_second_apart_at_least() {
    let mut peer = ebgp();
    peer.hold_time = 3 * SECOND;
    let mut pair = Pair::established(peer);
    let before = pair.keepalives();
    pair.live(300);
    assert_eq!(pair.keepalives() - before, 300);
}

#[test]
fn a_configured_keepalive_time_cannot_be_more_than_a_third_of_the_hold_time() {
    for (configured, expected) in [(2, 150..=200), (40, 30..=40), (0, 300..=300)] {
        let mut peer = ebgp();
        (peer.hold_time, peer.keepalive_time) = (30 * SECOND, Some(configured * SECOND));
        let mut pair = Pair::established(peer);
        let before = pair.keepalives();
        pair.live(300);
        let sent = pair.keepalives() - before;
        assert!(
            expected.contains(&sent),
            "{sent} in 300 s, keepalive time {configured} s"
        );
    }
}

/// Settings that another session is not needed for.
#[test]
fn a_new_keepalive_time_counts_at_once_and_puts_no_keepalive_off() {
    let with_keepalive = |seconds| {
        Input::Peer(Arc::new(Peer {
            keepalive_time: Some(seconds * SECOND),
            ..ebgp()
        }))
    };
    let mut pair = Pair::established(ebgp());
    pair.input(with_keepalive(2));
    let before = pair.keepalives();
    pair.live(60);
    let sent = pair.keepalives() - before;
    assert!((30..=40).contains(&sent), "{sent} in 60 s");

    let before = pair.keepalives();
    for second in 0..60 {
        pair.input(with_keepalive(29 + second % 2));
        pair.live(1);
    }
    assert!(pair.keepalives() - before >= 2, "a change each second");
    assert_eq!(pair.downs(), Vec::<&str>::new());
    assert_eq!(pair.session.state, State::Established);

    let mut pair = Pair::open_sent(ebgp());
    pair.input(with_keepalive(2));
    pair.pass(9 * SECOND);
    assert_eq!(pair.keepalives(), 0, "not before the OPEN is answered");
}

#[test]
fn without_a_hold_time_nobody_has_to_speak() {
    let mut pair = Pair::open_sent(ebgp());
    pair.say(|out| {
        Open {
            hold_time: 0,
            ..open()
        }
        .encode(out);
    });
    pair.say(put_keepalive);
    let before = pair.keepalives();
    pair.pass(Duration::from_secs(86_400));
    assert_eq!(pair.session.state, State::Established);
    assert_eq!(pair.keepalives(), before);
    assert_eq!(pair.session.poll_timeout(), None);
}

#[test]
fn the_smaller_hold_time_counts() {
    let mut pair = Pair::open_sent(ebgp());
    pair.say(|out| {
        Open {
            hold_time: 3,
            ..open()
        }
        .encode(out);
    });
    pair.pass(3 * SECOND);
    assert_eq!(pair.session.state, State::Active);
    let silent =
        "the router sent no KEEPALIVE for 3 s after OPEN; does it drop packets for their TTL";
    assert!(
        pair.last_error().starts_with(silent),
        "{}",
        pair.last_error()
    );
}

#[test]
fn an_open_is_awaited_for_four_minutes() {
    let mut pair = Pair::open_sent(ebgp());
    pair.pass(239 * SECOND);
    assert_eq!(pair.session.state, State::OpenSent);
    pair.pass(SECOND);
    assert_eq!(
        pair.notification(),
        Some(&Notification::new(Reason::HoldTimerExpired))
    );
    assert_eq!(
        pair.last_error(),
        "the router accepted the connection but sent no OPEN"
    );
}

#[test]
fn a_router_that_does_not_read_is_given_up() {
    let mut pair = Pair::established(ebgp());
    pair.reads = false;
    pair.input(Input::Routes(hosts(1)));
    pair.live(8 * 60 - 1);
    assert_eq!(pair.session.state, State::Established);
    pair.read(1);
    pair.live(8 * 60 - 1);
    assert_eq!(
        pair.session.state,
        State::Established,
        "some of it was taken in between"
    );
    pair.live(2);
    assert_ne!(pair.session.state, State::Established);
    assert_eq!(
        pair.last_error(),
        "send hold timer expired: the router has read nothing for 480 s"
    );
    let Some(Event::Disconnect(unsent)) = pair
        .events
        .iter()
        .find(|e| matches!(e, Event::Disconnect(_)))
    else {
        panic!("not disconnected");
    };
    let mut expired = Vec::new();
    Notification::new(Reason::SendHoldTimerExpired).encode(&mut expired);
    assert!(unsent.ends_with(&expired));
}

#[test]
fn attempts_become_rare_and_the_reason_is_told_once() {
    let mut pair = Pair::new(ebgp());
    pair.input(Input::Start);
    for longest in [1, 2, 4, 8, 16, 30, 30] {
        pair.input(Input::ConnectFailed(
            io::ErrorKind::ConnectionRefused.into(),
        ));
        let waited = pair.until_connect();
        let longest = longest * SECOND;
        assert!(
            (longest.mul_f64(0.75)..=longest).contains(&waited),
            "{waited:?} of {longest:?}"
        );
    }
    assert_eq!(pair.downs(), Vec::<&str>::new());
    pair.input(Input::ConnectFailed(io::ErrorKind::HostUnreachable.into()));
    assert_eq!(pair.downs().len(), 1, "another reason");
    for kind in [
        io::ErrorKind::ConnectionRefused,
        io::ErrorKind::HostUnreachable,
    ] {
        pair.until_connect();
        pair.input(Input::ConnectFailed(kind.into()));
        assert_eq!(pair.downs(), Vec::<&str>::new(), "told before");
    }
}

fn with_connect_time(seconds: u64) -> Peer {
    Peer {
        connect_time: Some(Duration::from_secs(seconds)),
        ..ebgp()
    }
}

#[test]
fn a_configured_connect_time_is_the_longest_between_two_attempts() {
    for seconds in [1, 5, 60, 65_535] {
        let longest = Duration::from_secs(seconds);
        let mut pair = Pair::new(with_connect_time(seconds));
        pair.input(Input::Start);
        for _ in 0..8 {
            let refused = io::ErrorKind::ConnectionRefused.into();
            pair.input(Input::ConnectFailed(refused));
            let waited = pair.until_connect();
            let expected = longest.mul_f64(0.75)..=longest;
            assert!(expected.contains(&waited), "{waited:?} of {longest:?}");
        }
        // Nobody answers: an attempt takes a part of that time, at most ten seconds, or all of it.
        let takes = longest.min(10 * SECOND);
        pair.pass(takes);
        assert_eq!(pair.session.state, State::Active);
        let told = pair.last_error();
        let silent = format!("no answer from 192.168.7.10 within {} s", takes.as_secs());
        assert!(told.starts_with(&silent), "{told}");
        let waited = takes + pair.until_connect();
        let expected = longest.mul_f64(0.75)..=longest + Duration::from_millis(100);
        assert!(expected.contains(&waited), "{waited:?} of {longest:?}");
        // A session that has held is made anew at once all the same.
        pair.establish();
        pair.live(60);
        pair.input(Input::Closed(None));
        assert!(pair.until_connect() <= Duration::from_millis(100));
    }
}

#[test]
fn a_new_connect_time_counts_at_once_and_puts_no_attempt_off() {
    let mut pair = Pair::new(with_connect_time(65_535));
    pair.input(Input::Start);
    let refused = || Input::ConnectFailed(io::ErrorKind::ConnectionRefused.into());
    pair.input(refused());
    pair.input(Input::Peer(Arc::new(with_connect_time(2))));
    assert!(pair.until_connect() <= 2 * SECOND);
    pair.input(refused());
    pair.input(Input::Peer(Arc::new(with_connect_time(65_535))));
    assert!(pair.until_connect() <= 2 * SECOND);
    // That it is not given any more, too.
    pair.input(refused());
    pair.input(Input::Peer(Arc::new(ebgp())));
    assert!(pair.until_connect() <= 30 * SECOND);
    // And while it connects.
    pair.input(Input::Peer(Arc::new(with_connect_time(3))));
    pair.pass(3 * SECOND);
    assert_eq!(pair.session.state, State::Active);

    let mut pair = Pair::established(ebgp());
    pair.input(Input::Peer(Arc::new(with_connect_time(1))));
    pair.live(60);
    assert_eq!(pair.session.state, State::Established);
    assert_eq!(pair.downs(), Vec::<&str>::new());
}

/// BIRD accepts no connection for some time after it has said what is wrong.
#[test]
fn attempts_do_not_hide_what_is_wrong() {
    let mut pair = Pair::open_sent(ebgp());
    pair.say(|out| Notification::new(Reason::UnsupportedCapability).encode(out));
    let said = pair.last_error();
    for error in [None, Some(io::ErrorKind::ConnectionReset.into())] {
        pair.until_connect();
        pair.connect();
        pair.input(Input::Closed(error));
        let told = pair.last_error();
        assert!(
            told.starts_with("the router closed the connection before its OPEN")
                && told.ends_with(&said),
            "{told}"
        );
    }
    assert_eq!(pair.downs(), Vec::<&str>::new(), "told once");
}

#[test]
fn attempts_do_not_hide_why_the_session_was_lost() {
    let mut pair = Pair::established(ebgp());
    pair.say(|out| stop().encode(out));
    let said = "the router said: Cease, Administrative Shutdown (6/2): \"draining\"; the session is \
                shut down there";
    assert_eq!(pair.last_error(), said);
    pair.until_connect();
    pair.connect();
    pair.input(Input::Closed(None));
    let silent = "the router closed the connection before its OPEN";
    assert!(
        pair.last_error().starts_with(silent),
        "{}",
        pair.last_error()
    );
    assert!(pair.last_error().ends_with(said), "{}", pair.last_error());
    pair.until_connect();
    pair.establish();
    pair.pass(7 * SECOND);
    let told = pair.last_error();
    let (age, what) = told.split_once(" s ago: ").expect("it is old, and says so");
    assert_eq!(what, said);
    assert!((7..12).contains(&age.parse::<u32>().unwrap()), "{told}");
    pair.live(3 * 60);
    assert!(pair.last_error().starts_with("3 min ago: "));
}

/// Nearly every router refuses some connections while it starts.
#[test]
fn failed_attempts_are_forgotten_when_the_session_is_up() {
    let mut pair = Pair::new(ebgp());
    pair.input(Input::Start);
    pair.input(Input::ConnectFailed(
        io::ErrorKind::ConnectionRefused.into(),
    ));
    pair.until_connect();
    pair.connect();
    pair.input(Input::Closed(None));
    assert!(
        pair.last_error()
            .starts_with("the router closed the connection")
    );
    pair.until_connect();
    pair.establish();
    assert_eq!(pair.last_error(), "");
}

#[test]
fn the_last_words_wait_for_the_acknowledgement_of_the_withdrawals() {
    let mut pair = Pair::established(ebgp());
    pair.input(Input::Routes(hosts(3)));
    assert!(pair.session.is_settled());
    pair.acknowledges = false;
    pair.input(Input::Stop(stop()));
    assert_eq!(pair.table.len(), 0, "the withdrawals are written");
    assert_eq!(pair.notification(), None);
    assert!(!pair.session.is_settled() && !pair.session.is_finished());
    pair.input(Input::Acknowledged);
    assert_eq!(pair.notification(), Some(&stop()));
    assert!(pair.session.is_finished());

    let mut pair = Pair::established(ebgp());
    pair.input(Input::Routes(hosts(3)));
    pair.acknowledges = false;
    pair.input(Input::Stop(stop()));
    pair.pass(4 * SECOND);
    assert!(pair.session.is_finished(), "not for ever");
}

/// RFC 5082: the router has accepted the connection, and hears nothing that comes after it.
#[test]
fn silence_in_a_young_session_may_be_for_the_ttl() {
    let ttl = |peer: Peer, seconds: u64| {
        let mut pair = Pair::established(peer);
        pair.live(seconds);
        pair.pass(90 * SECOND);
        assert_ne!(pair.session.state, State::Established);
        let silent = "hold timer expired: nothing from the router for 90 s";
        let told = pair.last_error();
        assert!(told.starts_with(silent), "{told}");
        told[silent.len()..].to_owned()
    };
    let multihop = |ebgp_multihop| Peer {
        ebgp_multihop,
        ..ebgp()
    };
    assert!(ttl(multihop(None), 0).contains("RFC 5082)? With ebgpMultiHop: true"));
    assert!(ttl(multihop(Some(false)), 0).contains("RFC 5082)? With ebgpMultiHop: true"));
    assert!(ttl(ibgp(), 0).contains("turn that off there"));
    assert_eq!(ttl(multihop(Some(true)), 0), "");
    assert_eq!(ttl(multihop(None), 600), "", "it has heard us before");

    let mut pair = Pair::established(multihop(None));
    pair.say(|out| Notification::new(Reason::HoldTimerExpired).encode(out));
    assert!(
        pair.last_error().contains("RFC 5082"),
        "{}",
        pair.last_error()
    );
    let mut pair = Pair::established(multihop(None));
    pair.input(Input::Closed(Some(io::ErrorKind::TimedOut.into())));
    let told = pair.last_error();
    assert!(
        told.contains("has taken nothing") && told.contains("RFC 5082"),
        "{told}"
    );
}

#[test]
fn connecting_is_given_up_after_ten_seconds() {
    let mut pair = Pair::new(ebgp());
    pair.input(Input::Start);
    pair.pass(10 * SECOND);
    assert_eq!(pair.session.state, State::Active);
    assert!(pair.events.contains(&Event::Disconnect(Vec::new())));
    assert!(
        pair.last_error()
            .starts_with("no answer from 192.168.7.10 within 10 s")
    );
}

#[test]
fn a_router_that_accepts_and_drops_us_is_asked_less_and_less() {
    let mut pair = Pair::established(ebgp());
    let mut waits = Vec::new();
    for _ in 0..5 {
        pair.say(|out| Notification::new(Reason::MaximumPrefixes).encode(out));
        waits.push(pair.until_connect());
        pair.establish();
    }
    assert!(waits[0] <= Duration::from_millis(100));
    assert!(waits.is_sorted() && waits[4] >= 6 * SECOND, "{waits:?}");
    pair.live(60);
    pair.say(|out| Notification::new(Reason::MaximumPrefixes).encode(out));
    assert!(
        pair.until_connect() <= Duration::from_millis(100),
        "it held for a minute"
    );
}

#[test]
fn a_stop_withdraws_then_says_why() {
    let mut pair = Pair::established(ebgp());
    pair.input(Input::Routes(hosts(2000)));
    assert_eq!(pair.table.len(), 2000);
    pair.input(Input::Stop(stop()));
    assert!(pair.table.is_empty());
    assert_eq!(pair.received.last(), Some(&Message::Notification(stop())));
    assert!(pair.session.is_finished());
    assert_eq!(pair.session.poll_timeout(), None);
    pair.input(Input::Start);
    pair.input(Input::Routes(hosts(1)));
    assert_eq!(
        pair.session.state,
        State::Idle,
        "a stopped session does not come back"
    );
}

#[test]
fn a_stop_is_heard_in_every_state() {
    let mut idle = Pair::new(ebgp());
    idle.input(Input::Stop(stop()));
    assert!(idle.session.is_finished());

    let mut connecting = Pair::new(ebgp());
    connecting.input(Input::Start);
    connecting.input(Input::Stop(stop()));
    assert_eq!(
        connecting.events,
        [Event::Connect, Event::Disconnect(Vec::new())]
    );
    assert!(connecting.session.is_finished());

    for mut pair in [Pair::open_sent(ebgp()), Pair::open_confirm(ebgp())] {
        pair.input(Input::Stop(stop()));
        assert_eq!(pair.notification(), Some(&stop()));
        assert!(pair.session.is_finished());
    }
}

#[test]
fn a_stop_does_not_wait_long_for_a_router_that_does_not_read() {
    let mut pair = Pair::established(ebgp());
    pair.input(Input::Routes(hosts(100_000)));
    pair.reads = false;
    pair.input(Input::Stop(stop()));
    assert!(!pair.session.is_finished());
    pair.pass(4 * SECOND);
    assert!(pair.session.is_finished());
}

#[test]
fn a_connection_that_breaks_during_the_stop_is_not_made_again() {
    let mut pair = Pair::established(ebgp());
    pair.input(Input::Routes(hosts(100_000)));
    pair.reads = false;
    pair.input(Input::Stop(stop()));
    pair.input(Input::Closed(None));
    assert!(pair.session.is_finished());
    assert_eq!(pair.session.poll_timeout(), None);
}
