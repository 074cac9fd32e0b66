#![expect(clippy::disallowed_methods, reason = "any moment to begin with")]

use carillon_core::service::ServiceKey;
use carillon_core::testing;

use super::*;

/// One object: what is to be stored of it, what is, and the publisher.
struct Bench {
    publisher: Publisher<ServiceKey, &'static str>,
    now: Instant,
    version: u32,
    stored: &'static str,
    wished: &'static str,
}

fn key() -> ServiceKey {
    testing::key("web")
}

impl Bench {
    fn new(wished: &'static str) -> Self {
        let mut bench = Self {
            publisher: Publisher::new(Jitter::new(1)),
            now: Instant::now(),
            version: 1,
            stored: "",
            wished,
        };
        bench.publisher.touch(&key());
        bench
    }

    /// What the watch brings.
    fn watch(&mut self, stored: &'static str) {
        self.version += 1;
        self.stored = stored;
        self.publisher.touch(&key());
    }

    fn next(&mut self) -> Option<Next<ServiceKey, &'static str>> {
        let (version, stored, wished) = (self.version, self.stored, self.wished);
        let difference =
            |_: &ServiceKey| (stored != wished).then(|| (version.to_string().into(), wished));
        self.publisher.next(self.now, difference)
    }

    /// The version of the next write, if there is one.
    fn write(&mut self) -> Option<String> {
        match self.next()? {
            Next::Write(_, version, _) => Some(version.into()),
            Next::UpToDate(_) | Next::Contested(_) => None,
        }
    }

    fn answer(&mut self, version: &str, outcome: Outcome) {
        let answer = Answer {
            object: key(),
            version: version.into(),
            outcome,
        };
        self.publisher.answered(answer, self.now);
    }

    /// Lets time pass until something is due, and returns how long that was.
    fn wait(&mut self) -> Duration {
        let before = self.now;
        self.now = self.publisher.due().expect("it waits");
        self.now - before
    }

    /// Writes, and the watch brings it.
    fn publish(&mut self) {
        let version = self.write().expect("it writes");
        self.watch(self.wished);
        self.answer(&version, Outcome::Written);
        assert_eq!(self.next(), Some(Next::UpToDate(key())));
    }
}

#[test]
fn what_differs_is_written_once() {
    let mut bench = Bench::new("192.0.2.1");
    let version: Box<str> = "1".into();
    let first = Next::Write(key(), version, "192.0.2.1");
    assert_eq!(bench.next(), Some(first));
    bench.publisher.touch(&key());
    assert_eq!(bench.next(), None);
    assert_eq!(bench.publisher.pending(), 1);
    // The answer is here before the watch.
    bench.answer("1", Outcome::Written);
    assert_eq!(bench.next(), None);
    bench.watch("192.0.2.1");
    assert_eq!(bench.next(), Some(Next::UpToDate(key())));
    // What is stored already is not written.
    bench.publisher.touch(&key());
    assert_eq!(bench.next(), Some(Next::UpToDate(key())));
    assert_eq!(bench.publisher.pending(), 0);
    // It is forgotten in the end.
    bench.wait();
    bench.next();
    bench.wait();
    bench.next();
    assert_eq!(bench.publisher.due(), None);
    assert!(bench.publisher.entries.is_empty());
}

#[test]
fn the_newest_wish_is_written_after_the_answer() {
    let mut bench = Bench::new("192.0.2.1");
    assert_eq!(bench.write().as_deref(), Some("1"));
    bench.wished = "192.0.2.2";
    bench.publisher.touch(&key());
    bench.watch("192.0.2.1");
    assert_eq!(bench.write(), None);
    bench.answer("1", Outcome::Written);
    let version: Box<str> = "2".into();
    let second = Next::Write(key(), version, "192.0.2.2");
    assert_eq!(bench.next(), Some(second));
}

#[test]
fn after_a_conflict_the_watch_has_the_word() {
    let mut bench = Bench::new("192.0.2.1");
    assert_eq!(bench.write().as_deref(), Some("1"));
    bench.answer("1", Outcome::Conflict);
    assert_eq!(bench.write(), None);
    bench.watch("");
    assert_eq!(bench.write().as_deref(), Some("2"));
    bench.answer("2", Outcome::Conflict);
    assert_eq!(bench.write(), None);
    // Unless it does not say anything.
    assert_eq!(bench.wait(), PATIENCE);
    assert_eq!(bench.write().as_deref(), Some("2"));
}

#[test]
fn failures_are_repeated_less_and_less_often() {
    for (range, outcome) in [
        (FAILED, Outcome::Failed("no answer".to_owned())),
        (REFUSED, Outcome::Refused("forbidden".to_owned())),
    ] {
        let mut bench = Bench::new("192.0.2.1");
        for n in 0..20 {
            assert_eq!(bench.write().as_deref(), Some("1"));
            bench.answer("1", outcome.clone());
            assert_eq!(bench.write(), None);
            assert_eq!(bench.publisher.failing().len(), 1);
            let waited = bench.wait();
            let longest = doubled(range, n);
            assert!(waited > longest / 3 && waited <= longest, "{n}: {waited:?}");
        }
        bench.publish();
        assert_eq!(bench.publisher.failing().len(), 0);
    }
}

#[test]
fn a_new_version_of_what_was_refused_is_written_at_once() {
    let mut bench = Bench::new("192.0.2.1");
    for version in ["1", "2", "3"] {
        assert_eq!(bench.write().as_deref(), Some(version));
        bench.answer(version, Outcome::Refused("invalid".to_owned()));
        assert_eq!(bench.write(), None);
        bench.watch("");
    }
    assert!(REFUSED.1 <= Duration::from_secs(60));
    // What failed says nothing about the version.
    bench.write();
    bench.answer("4", Outcome::Failed("no answer".to_owned()));
    bench.watch("");
    assert_eq!(bench.write(), None);
}

#[test]
fn what_was_withheld_is_written_although_nobody_noticed_that_it_was_not_ours() {
    let mut bench = Bench::new("192.0.2.1");
    assert_eq!(bench.write().as_deref(), Some("1"));
    bench.answer("1", Outcome::Withheld);
    assert_eq!(bench.write(), None);
    assert!(bench.wait() <= FAILED.0);
    assert_eq!(bench.publisher.failing().len(), 0);
    assert_eq!(bench.write().as_deref(), Some("1"));
}

#[test]
fn a_service_that_is_as_wished_again_waits_for_nothing() {
    let mut bench = Bench::new("192.0.2.1");
    bench.write();
    bench.answer("1", Outcome::Refused("no".to_owned()));
    bench.wished = "";
    bench.publisher.touch(&key());
    assert_eq!(bench.next(), Some(Next::UpToDate(key())));
    assert_eq!(bench.publisher.failing().len(), 0);
}

#[test]
fn another_writer_is_answered_at_once_and_then_less_and_less_often() {
    let mut bench = Bench::new("192.0.2.1");
    for _ in 0..HABIT {
        bench.publish();
        bench.watch("198.51.100.1");
    }
    assert_eq!(bench.next(), Some(Next::Contested(key())));
    assert_eq!(bench.publisher.contested().len(), 1);
    for n in 0..10 {
        let waited = bench.now;
        while bench
            .publisher
            .due()
            .is_some_and(|due| due <= waited + doubled(CONTESTED, n))
        {
            bench.wait();
            if let Some(next) = bench.next() {
                assert!(matches!(next, Next::Write(_, _, _)), "{next:?}");
                break;
            }
        }
        assert_eq!(bench.now - waited, doubled(CONTESTED, n));
        let version = bench.version.to_string();
        bench.watch("192.0.2.1");
        bench.answer(&version, Outcome::Written);
        assert_eq!(bench.next(), Some(Next::UpToDate(key())));
        assert_eq!(bench.publisher.contested().len(), 1);
        bench.watch("198.51.100.1");
        assert_eq!(bench.next(), None);
    }
    // When it stops, all is forgotten.
    bench.watch("192.0.2.1");
    while bench.publisher.due().is_some() {
        bench.wait();
        bench.next();
    }
    assert_eq!(bench.publisher.contested().len(), 0);
}

#[test]
fn another_wish_is_no_contest() {
    let mut bench = Bench::new("192.0.2.1");
    for n in 0..10 {
        bench.wished = if n % 2 == 0 { "192.0.2.2" } else { "" };
        bench.publisher.touch(&key());
        bench.publish();
    }
}

#[test]
fn after_a_stop_nothing_is_written_and_late_answers_do_no_harm() {
    let mut bench = Bench::new("192.0.2.1");
    bench.write();
    bench.publisher.stop();
    assert_eq!((bench.write(), bench.publisher.due()), (None, None));
    bench.publisher.touch(&key());
    assert_eq!(bench.write(), None);
    bench.answer("1", Outcome::Withheld);
    bench.wait();
    assert_eq!(bench.write().as_deref(), Some("1"));
    // It is deleted, and there is another of the same name.
    bench.publisher.forget(&key());
    bench.watch("");
    assert_eq!(bench.write().as_deref(), Some("2"));
    bench.answer("1", Outcome::Gone);
    bench.publisher.touch(&key());
    assert_eq!(bench.write(), None);
    bench.publisher.answered(
        Answer {
            object: testing::key("unknown"),
            version: "1".into(),
            outcome: Outcome::Written,
        },
        bench.now,
    );
}

#[test]
fn only_so_many_are_under_way() {
    let mut publisher = Publisher::new(Jitter::new(1));
    let now = Instant::now();
    let keys: Vec<_> = (0..AT_ONCE + 2)
        .map(|n| testing::key(&n.to_string()))
        .collect();
    for key in &keys {
        publisher.touch(key);
    }
    let difference = |_: &ServiceKey| Some(("1".into(), "192.0.2.1"));
    for key in &keys[..AT_ONCE] {
        let next = publisher.next(now, difference);
        assert!(matches!(next, Some(Next::Write(next, _, _)) if next == *key));
    }
    assert_eq!(publisher.next(now, difference), None);
    assert_eq!(publisher.pending(), AT_ONCE + 2);
    publisher.answered(
        Answer {
            object: keys[1].clone(),
            version: "1".into(),
            outcome: Outcome::Written,
        },
        now,
    );
    assert!(publisher.next(now, difference).is_some());
    assert_eq!(publisher.next(now, difference), None);
}
