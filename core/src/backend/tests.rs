use std::pin::pin;
use std::task::Waker;

use super::contract::{self, Wire};
use super::mock::{MockBackend, MockLog, NEIGHBOR};
use super::*;

/// Runs a check of a backend that never waits.
fn run(check: impl Future<Output = ()>) {
    let polled = pin!(check).poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_ready(), "the mock never waits");
}

#[test]
fn the_mock_keeps_the_contract() {
    let (mock, log) = MockBackend::new("mock");
    run(contract::check(Box::new(mock)));
    assert_eq!(log.sets().len(), 4);
    assert_eq!(log.shutdown_reason().as_deref(), Some("contract test"));
}

/// The wire of a mock.
impl Wire for MockLog {
    fn describe(&self, _: &mut AnnouncementSet) {}

    async fn connect(&mut self) {}

    fn neighbor(&self) -> String {
        NEIGHBOR.to_owned()
    }

    fn takes(&self, _: IpAddr) -> bool {
        true
    }

    async fn heard(&mut self) -> BTreeSet<IpAddr> {
        self.wire().keys().copied().collect()
    }
}

#[test]
fn the_mock_keeps_the_contract_with_a_neighbour() {
    let (mock, log) = MockBackend::new("mock");
    run(contract::check_neighbor(Box::new(mock), log));
}

/// What a [`Liar`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    /// It says that a set is on the wire that has yet to go there.
    AppliedEarly,
    /// The same of what reaches the neighbour.
    ReachesEarly,
    /// It says that a set is on the wire before it says what reaches the neighbour by that.
    ReachesLate,
    /// It withdraws nothing as long as it runs.
    KeepsAtSet,
    /// It withdraws nothing when it ends.
    KeepsAtShutdown,
}

/// A mock that does not keep the contract.
struct Liar {
    lie: Lie,
    mock: MockBackend,
    /// What the mock has not been given yet.
    kept: Option<Arc<AnnouncementSet>>,
    before: Announcements,
}

impl Backend for Liar {
    fn caps(&self) -> Caps {
        self.mock.caps()
    }

    fn set(&mut self, desired: Arc<AnnouncementSet>) {
        let mut set = AnnouncementSet::clone(&desired);
        if self.lie == Lie::KeepsAtSet {
            set.by_vip = set.by_vip.union(self.before.clone());
        }
        self.before = set.by_vip.clone();
        self.kept = Some(Arc::new(set));
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<BackendEvent> {
        // The first set has to reach the neighbour for a check to begin.
        let kept = self.kept.as_ref().filter(|kept| kept.generation > 1);
        let early = kept.and_then(|kept| match self.lie {
            Lie::AppliedEarly => Some(BackendEvent::Applied {
                generation: kept.generation,
            }),
            Lie::ReachesEarly => Some(BackendEvent::Reaches {
                neighbor: NEIGHBOR.into(),
                vips: kept.by_vip.clone(),
            }),
            Lie::ReachesLate => {
                let generation = kept.generation;
                self.mock.set(kept.clone());
                let event = self.mock.poll_event(cx);
                assert!(matches!(event, Poll::Ready(BackendEvent::Reaches { .. })));
                Some(BackendEvent::Applied { generation })
            }
            Lie::KeepsAtSet | Lie::KeepsAtShutdown => None,
        });
        if let Some(event) = early {
            self.kept = None;
            return Poll::Ready(event);
        }
        if let Some(kept) = self.kept.take() {
            self.mock.set(kept);
        }
        self.mock.poll_event(cx)
    }

    fn status(&self, detail: Detail) -> BoxFuture<BackendStatus> {
        self.mock.status(detail)
    }

    fn pulse(&self) -> BoxFuture<Result<(), String>> {
        self.mock.pulse()
    }

    fn shutdown(self: Box<Self>, ending: Ending) -> BoxFuture<()> {
        if self.lie == Lie::KeepsAtShutdown {
            return Box::pin(std::future::ready(()));
        }
        Box::new(self.mock).shutdown(ending)
    }
}

fn check(lie: Lie) {
    let (mock, log) = MockBackend::new("mock");
    let liar = Liar {
        lie,
        mock,
        kept: None,
        before: Announcements::new(),
    };
    run(contract::check_neighbor(Box::new(liar), log));
}

#[test]
#[should_panic(expected = "this was said to be on the wire")]
fn an_untruthful_applied_breaks_the_contract() {
    check(Lie::AppliedEarly);
}

#[test]
#[should_panic(expected = "this was said to reach the neighbour")]
fn what_reaches_nobody_and_is_said_to_breaks_the_contract() {
    check(Lie::ReachesEarly);
}

#[test]
#[should_panic(expected = "this is to be told before `Applied`")]
fn what_reaches_somebody_and_is_not_said_to_breaks_the_contract() {
    check(Lie::ReachesLate);
}

#[test]
#[should_panic(expected = "this was said to be on the wire")]
fn a_withdrawal_that_is_left_out_breaks_the_contract() {
    check(Lie::KeepsAtSet);
}

#[test]
#[should_panic(expected = "a backend withdraws what it announced")]
fn a_withdrawal_that_is_left_out_at_the_end_breaks_the_contract() {
    check(Lie::KeepsAtShutdown);
}
