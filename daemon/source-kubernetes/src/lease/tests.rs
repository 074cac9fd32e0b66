#![expect(clippy::disallowed_methods, reason = "any moment to begin with")]

use super::*;

mod model;

const ME: &str = "me_1";

/// A machine that has read this.
fn knowing(stored: Option<StoredLease>, now: Instant) -> Lease {
    let mut lease = Lease::new(ME.to_owned(), Jitter::new(1), now);
    assert_eq!(lease.poll(now, wall(9)), Some(Request::Read));
    lease.answered(LeaseAnswer::Is(stored), now);
    lease
}

fn wall(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap()
}

fn of(holder: &str) -> Record {
    Record {
        holder: holder.to_owned(),
        duration: DURATION,
        acquired: Some(wall(1)),
        renewed: Some(wall(1)),
        transitions: 3,
    }
}

fn stored(version: &str, record: &Record) -> StoredLease {
    StoredLease {
        version: version.to_owned(),
        record: record.clone(),
    }
}

/// Lets time pass until the machine asks for something.
fn next(lease: &mut Lease, now: &mut Instant) -> Request {
    for _ in 0..4 {
        if let Some(request) = lease.poll(*now, wall(9)) {
            return request;
        }
        *now = (*now).max(lease.due().expect("it waits for something"));
    }
    panic!("it asks for nothing: {lease:?}");
}

fn next_write(lease: &mut Lease, now: &mut Instant) -> (Option<String>, Record) {
    match next(lease, now) {
        Request::Write(version, record) => (version, record),
        Request::Read => panic!("it reads: {lease:?}"),
    }
}

/// A machine that holds the Lease since `now`, with version 1.
fn holding(now: &mut Instant) -> (Lease, Record) {
    let mut lease = knowing(None, *now);
    let (version, record) = next_write(&mut lease, now);
    assert_eq!(version, None);
    assert_eq!(lease.holds_until(), None);
    let answer = LeaseAnswer::Is(Some(stored("1", &record)));
    lease.answered(answer, *now);
    assert_eq!(lease.holds_until(), Some(*now + DEADLINE));
    (lease, record)
}

#[test]
fn nothing_is_written_before_it_was_read() {
    let mut now = Instant::now();
    let mut lease = Lease::new(ME.to_owned(), Jitter::new(1), now);
    for _ in 0..3 {
        assert_eq!(next(&mut lease, &mut now), Request::Read);
        // What the watch says is not enough.
        lease.seen(Some(stored("1", &of(""))), now);
        assert_eq!(lease.due(), None);
        lease.answered(LeaseAnswer::Failed, now);
    }
    assert_eq!(next(&mut lease, &mut now), Request::Read);
    lease.answered(LeaseAnswer::Is(Some(stored("1", &of("")))), now);
    let read = now;
    next_write(&mut lease, &mut now);
    assert!(now <= read + SPREAD);
}

#[test]
fn one_that_can_do_nothing_with_it_gives_it_back_and_wants_it_again_later() {
    let mut now = Instant::now();
    let (mut lease, _) = holding(&mut now);
    let passed_on = now;
    lease.pass_on(now);
    assert_eq!(lease.holds_until(), None);
    let (version, record) = next_write(&mut lease, &mut now);
    assert_eq!((version.as_deref(), &*record.holder), (Some("1"), ""));
    assert_eq!(now, passed_on);
    lease.answered(LeaseAnswer::Is(Some(stored("2", &record))), now);
    assert!(!lease.is_released());
    let (version, record) = next_write(&mut lease, &mut now);
    assert_eq!((version.as_deref(), &*record.holder), (Some("2"), ME));
    assert!(now >= passed_on + REST && now <= passed_on + REST + SPREAD);
    lease.answered(LeaseAnswer::Is(Some(stored("3", &record))), now);

    // Another takes it meanwhile: then its time counts, too.
    lease.pass_on(now);
    let (_, record) = next_write(&mut lease, &mut now);
    lease.answered(LeaseAnswer::Is(Some(stored("4", &record))), now);
    now += REST;
    lease.seen(Some(stored("5", &of("other"))), now);
    let seen = now;
    next_write(&mut lease, &mut now);
    assert!(now >= seen + DURATION);

    // Who ends does not come back.
    let mut now = Instant::now();
    let (mut lease, _) = holding(&mut now);
    lease.pass_on(now);
    lease.release(now);
    let (_, record) = next_write(&mut lease, &mut now);
    lease.answered(LeaseAnswer::Is(Some(stored("2", &record))), now);
    assert!(lease.is_released());
}

#[test]
fn what_is_absent_or_given_back_is_taken_at_once() {
    let start = Instant::now();
    for seen in [None, Some(stored("7", &of("")))] {
        let (mut lease, mut now) = (knowing(seen.clone(), start), start);
        let (version, record) = next_write(&mut lease, &mut now);
        assert!(now <= start + SPREAD);
        assert_eq!(version, seen.map(|seen| seen.version));
        assert_eq!(record.holder, ME);
        assert_eq!(record.acquired, Some(wall(9)));
    }
}

#[test]
fn another_holders_record_is_replaced_when_it_has_not_changed_for_its_duration() {
    let start = Instant::now();
    let other = Some(stored("7", &of("other")));
    let (mut lease, mut now) = (knowing(other, start), start);
    now += DURATION.mul_f32(0.9);
    assert_eq!(lease.poll(now, wall(9)), None);
    lease.seen(Some(stored("8", &of("other"))), now);
    let seen = now;
    let (version, record) = next_write(&mut lease, &mut now);
    assert_eq!(now.max(seen + DURATION), now);
    assert_eq!(version.as_deref(), Some("8"));
    assert_eq!(record.transitions, 4);
    assert_eq!(lease.holder(), Some("other"));
}

#[test]
fn a_long_duration_is_honoured_up_to_a_limit() {
    let start = Instant::now();
    for (seconds, expected) in [
        (1, DURATION),
        (40, Duration::from_secs(40)),
        (9999, LONGEST),
    ] {
        let mut record = of("other");
        record.duration = Duration::from_secs(seconds);
        let (mut lease, mut now) = (knowing(Some(stored("7", &record)), start), start);
        next_write(&mut lease, &mut now);
        assert!(now >= start + expected && now <= start + expected + SPREAD);
    }
}

#[test]
fn a_holder_renews_and_keeps_when_it_took_it() {
    let mut now = Instant::now();
    let (mut lease, first) = holding(&mut now);
    let sent = now;
    let (version, record) = next_write(&mut lease, &mut now);
    assert_eq!(now, sent + RENEW);
    assert_eq!(version.as_deref(), Some("1"));
    assert_eq!(record.acquired, first.acquired);
    let late = now + Duration::from_secs(1);
    lease.answered(LeaseAnswer::Is(Some(stored("2", &record))), late);
    assert_eq!(lease.holds_until(), Some(now + DEADLINE));
    // The watch tells of both; that is no news.
    lease.seen(Some(stored("1", &first)), late);
    lease.seen(Some(stored("2", &record)), late);
    assert_eq!(lease.holds_until(), Some(now + DEADLINE));
}

#[test]
fn without_an_answer_the_lease_is_lost_at_the_deadline_and_ours_again_with_the_next() {
    let start = Instant::now();
    let mut now = start;
    let (mut lease, _) = holding(&mut now);
    let end = now + DEADLINE;
    let mut attempts = 0;
    while now < end {
        assert_eq!(lease.holds_until(), Some(end));
        next_write(&mut lease, &mut now);
        // As late as it can be told.
        now += PATIENCE;
        attempts += usize::from(now < end);
        lease.answered(LeaseAnswer::Failed, now);
    }
    assert!(attempts >= 2, "{attempts} attempts");
    assert_eq!(lease.poll(now.max(end), wall(9)), None);
    assert_eq!(lease.holds_until(), None);
    let (version, record) = next_write(&mut lease, &mut now);
    assert_eq!(version.as_deref(), Some("1"));
    lease.answered(LeaseAnswer::Is(Some(stored("2", &record))), now);
    assert_eq!(lease.holds_until(), Some(now + DEADLINE));
}

#[test]
fn a_write_that_took_effect_without_an_answer_is_ours_from_when_it_was_sent() {
    let mut now = Instant::now();
    let (mut lease, _) = holding(&mut now);
    let (_, record) = next_write(&mut lease, &mut now);
    let sent = now;
    now += Duration::from_secs(1);
    lease.answered(LeaseAnswer::Failed, now);
    let (version, _) = next_write(&mut lease, &mut now);
    assert_eq!(version.as_deref(), Some("1"));
    lease.answered(LeaseAnswer::Conflict, now);
    assert_eq!(next(&mut lease, &mut now), Request::Read);
    lease.answered(LeaseAnswer::Is(Some(stored("2", &record))), now);
    assert_eq!(lease.holds_until(), Some(sent + DEADLINE));
}

#[test]
fn whatever_we_did_not_write_ends_it_at_once_and_stands_for_its_duration() {
    let mut forged = of(ME);
    forged.transitions = 99;
    for record in [of("thief"), forged] {
        let mut now = Instant::now();
        let (mut lease, _) = holding(&mut now);
        lease.seen(Some(stored("2", &record)), now);
        assert_eq!(lease.holds_until(), None);
        let seen = now;
        next_write(&mut lease, &mut now);
        assert!(now >= seen + DURATION);
    }
}

#[test]
fn a_change_of_its_metadata_alone_ends_nothing() {
    let mut now = Instant::now();
    let (mut lease, record) = holding(&mut now);
    let until = lease.holds_until();
    next_write(&mut lease, &mut now);
    lease.answered(LeaseAnswer::Conflict, now);
    assert_eq!(next(&mut lease, &mut now), Request::Read);
    lease.answered(LeaseAnswer::Is(Some(stored("5", &record))), now);
    assert_eq!(lease.holds_until(), until);
    let (version, _) = next_write(&mut lease, &mut now);
    assert_eq!(version.as_deref(), Some("5"));
}

#[test]
fn a_deleted_lease_is_read_and_its_time_kept() {
    let mut now = Instant::now();
    let (mut lease, _) = holding(&mut now);
    lease.seen(None, now);
    assert!(lease.holds_until().is_some());
    assert_eq!(next(&mut lease, &mut now), Request::Read);
    lease.answered(LeaseAnswer::Is(None), now);
    assert_eq!(lease.holds_until(), None);
    let seen = now;
    let (version, _) = next_write(&mut lease, &mut now);
    assert_eq!(version, None);
    assert!(now >= seen + DURATION);
}

#[test]
fn an_unexplained_refusal_is_not_repeated_in_haste() {
    let start = Instant::now();
    let (mut lease, mut now) = (knowing(None, start), start);
    for _ in 0..3 {
        next_write(&mut lease, &mut now);
        lease.answered(LeaseAnswer::Conflict, now);
        assert_eq!(next(&mut lease, &mut now), Request::Read);
        lease.answered(LeaseAnswer::Is(None), now);
    }
    next_write(&mut lease, &mut now);
    assert!(now >= start + 3 * RETRY.1);
}

#[test]
fn a_holder_gives_it_back() {
    let mut now = Instant::now();
    let (mut lease, _) = holding(&mut now);
    lease.release(now);
    assert_eq!(lease.holds_until(), None);
    let (version, record) = next_write(&mut lease, &mut now);
    assert_eq!(
        (version.as_deref(), record.holder.as_str()),
        (Some("1"), "")
    );
    assert!(!lease.is_released());
    lease.answered(LeaseAnswer::Is(Some(stored("2", &record))), now);
    assert!(lease.is_released());
    lease.seen(Some(stored("3", &of(""))), now);
    assert_eq!(lease.poll(now + LONGEST, wall(9)), None);
}

#[test]
fn one_who_leaves_while_its_attempt_is_under_way_gives_it_back_too() {
    let mut now = Instant::now();
    let mut lease = knowing(None, now);
    let (_, record) = next_write(&mut lease, &mut now);
    lease.release(now);
    lease.answered(LeaseAnswer::Is(Some(stored("1", &record))), now);
    assert_eq!(lease.holds_until(), None);
    let (_, record) = next_write(&mut lease, &mut now);
    assert_eq!(record.holder, "");
    lease.answered(LeaseAnswer::Is(Some(stored("2", &record))), now);
    assert!(lease.is_released());
}

#[test]
fn one_who_follows_leaves_without_a_word() {
    let now = Instant::now();
    let mut lease = knowing(Some(stored("1", &of("other"))), now);
    lease.release(now);
    assert!(lease.is_released());
    assert_eq!(lease.poll(now + LONGEST, wall(9)), None);
}

#[test]
fn one_who_leaves_does_not_give_back_what_another_holds() {
    let mut now = Instant::now();
    let mut lease = knowing(Some(stored("7", &of("other"))), now);
    next_write(&mut lease, &mut now);
    let renewed = stored("8", &of("other"));
    lease.seen(Some(renewed.clone()), now);
    lease.release(now);
    lease.answered(LeaseAnswer::Conflict, now);
    assert_eq!(next(&mut lease, &mut now), Request::Read);
    lease.answered(LeaseAnswer::Is(Some(renewed)), now);
    assert_eq!(lease.poll(now + LONGEST, wall(9)), None);
    assert!(lease.is_released());
}

#[test]
fn one_who_came_too_late_waits_although_the_watch_was_faster_than_the_answer() {
    let start = Instant::now();
    for is_lost in [false, true] {
        let (mut lease, mut now) = (knowing(None, start), start);
        next_write(&mut lease, &mut now);
        let other = stored("1", &of("other"));
        lease.seen(Some(other.clone()), now);
        let seen = now;
        if is_lost {
            lease.answered(LeaseAnswer::Failed, now);
        } else {
            lease.answered(LeaseAnswer::Conflict, now);
            assert_eq!(next(&mut lease, &mut now), Request::Read);
            lease.answered(LeaseAnswer::Is(Some(other)), now);
        }
        next_write(&mut lease, &mut now);
        assert!(now >= seen + DURATION);
    }
}
