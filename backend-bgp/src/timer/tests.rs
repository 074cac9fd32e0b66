use carillon_core::testing::beginning;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn timers_expire_in_order_and_once() {
    let start = beginning();
    let mut table = TimerTable::default();
    assert_eq!(table.next(), None);
    table.arm(Timer::Hold, start + seconds(90));
    table.arm(Timer::Keepalive, start + seconds(30));
    table.arm(Timer::ConnectRetry, start + seconds(10));
    table.disarm(Timer::ConnectRetry);
    assert_eq!(table.next(), Some(start + seconds(30)));
    assert_eq!(table.expire(start + seconds(29)), None);
    assert_eq!(table.expire(start + seconds(100)), Some(Timer::Keepalive));
    assert_eq!(table.expire(start + seconds(100)), Some(Timer::Hold));
    assert_eq!(table.expire(start + seconds(100)), None);
}

#[test]
fn arming_again_replaces_the_deadline() {
    let start = beginning();
    let mut table = TimerTable::default();
    table.arm(Timer::Hold, start + seconds(3));
    table.arm(Timer::Hold, start + seconds(6));
    assert_eq!(table.expire(start + seconds(5)), None);
    assert_eq!(table.expire(start + seconds(6)), Some(Timer::Hold));
    table.arm(Timer::SendHold, start);
    table.clear();
    assert_eq!(table.next(), None);
}

#[test]
fn jitter_stays_between_three_quarters_and_the_whole() {
    let mut rng = StdRng::seed_from_u64(1);
    let drawn: Vec<_> = (0..1000).map(|_| jitter(seconds(100), &mut rng)).collect();
    assert!(
        drawn
            .iter()
            .all(|d| (seconds(75)..=seconds(100)).contains(d))
    );
    assert!(drawn.iter().any(|d| *d < seconds(80)) && drawn.iter().any(|d| *d > seconds(95)));
}

#[test]
fn a_peer_that_is_never_reached_is_asked_less_and_less() {
    let mut backoff = Backoff::default();
    let waits: Vec<_> = (0..8).map(|_| backoff.wait(None).as_secs()).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
}

#[test]
fn a_lost_session_is_retried_at_once_but_a_flapping_one_is_not() {
    let mut backoff = Backoff::default();
    for _ in 0..4 {
        assert_eq!(backoff.wait(Some(seconds(3600))), Backoff::AT_ONCE);
    }
    assert_eq!(
        backoff.wait(None),
        seconds(1),
        "the router is still booting"
    );
    assert_eq!(backoff.wait(None), seconds(2));
    assert_eq!(
        backoff.wait(Some(seconds(1))),
        seconds(4),
        "accepted and dropped"
    );
    assert_eq!(backoff.wait(Some(seconds(1))), seconds(8));
    assert_eq!(backoff.wait(Some(Backoff::MAX)), Backoff::AT_ONCE);
}
