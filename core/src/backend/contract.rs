//! The contract that every backend keeps, as a test to run against it.

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::{Backend, BackendEvent, Detail, Ending, NeighborStatus};
use crate::announcement::AnnouncementSet;
use crate::node::Node;
use crate::testing::{announcement, config, pool};

/// A set of `vips` announcements in one pool of this backend, of both families by turns, without
/// neighbours or interfaces.
pub fn set_of(generation: u64, vips: u8) -> Arc<AnnouncementSet> {
    let pool = pool("contract", &["198.51.100.0/24", "2001:db8::/120"]);
    let by_vip = (0..vips)
        .map(|last| {
            let vip = if last % 2 == 0 {
                IpAddr::V4(Ipv4Addr::new(198, 51, 100, last))
            } else {
                IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()))
            };
            (vip, Arc::new(announcement(&pool.name)))
        })
        .collect();
    Arc::new(AnnouncementSet {
        generation,
        by_vip,
        config: Arc::new(config([pool])),
        ..AnnouncementSet::empty(Arc::new(Node::named("node")))
    })
}

/// The other end of a wire, which a backend cannot tell from a true one, with a neighbour that hears
/// everything.
pub trait Wire {
    /// Puts into a set what the backend needs to find the neighbour.
    fn describe(&self, set: &mut AnnouncementSet);

    /// The neighbour is there from now on; the backend has had its first set.
    fn connect(&mut self) -> impl Future<Output = ()>;

    /// Its [`NeighborStatus::name`].
    fn neighbor(&self) -> String;

    /// Whether it can be told of a VIP at all.
    fn takes(&self, vip: IpAddr) -> bool;

    /// What it has, by all that is on the wire at this moment, and by nothing that comes later.
    fn heard(&mut self) -> impl Future<Output = BTreeSet<IpAddr>>;
}

/// Runs a backend without reachable neighbours through its life: `Applied` comes for what was set,
/// the newest set counts, the same set again is no harm, status and pulse answer, and shutdown ends.
///
/// # Panics
/// If the backend breaks the contract. Give it a time limit: a broken backend may also never
/// answer.
pub async fn check(mut backend: Box<dyn Backend>) {
    let name = backend.caps().name;
    assert!(
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    );
    assert_eq!(backend.caps(), backend.caps(), "caps are constant");

    backend.set(set_of(1, 3));
    assert_eq!(applied(backend.as_mut()).await, 1);
    backend.set(set_of(2, 0));
    backend.set(set_of(3, 200));
    while applied(backend.as_mut()).await < 3 {}
    backend.set(set_of(4, 200));
    assert_eq!(
        applied(backend.as_mut()).await,
        4,
        "an unchanged wish is applied too"
    );

    check_status(backend.as_ref()).await;
    assert_eq!(backend.pulse().await, Ok(()));
    let reason = "contract test".to_owned();
    backend.shutdown(Ending { reason }).await;
}

/// Runs a backend with a neighbour through its life: whatever it says to be on the wire, and to reach
/// the neighbour, has been heard there, and nothing else, also after a withdrawal and after the end.
///
/// # Panics
/// If the backend breaks the contract; see [`check`].
pub async fn check_neighbor(mut backend: Box<dyn Backend>, mut wire: impl Wire) {
    let mut reached = BTreeSet::new();
    backend.set(described(&wire, 1, 3));
    wire.connect().await;
    while reached.is_empty() {
        heed(backend.as_mut(), &mut wire, &mut reached).await;
    }
    for (generation, vips) in [(2, 40), (3, 7), (4, 0), (5, 200), (6, 20)] {
        let desired = described(&wire, generation, vips);
        let vips = desired.by_vip.keys().copied();
        let expected: BTreeSet<IpAddr> = vips.filter(|vip| wire.takes(*vip)).collect();
        backend.set(desired);
        while heed(backend.as_mut(), &mut wire, &mut reached).await < Some(generation) {}
        assert_eq!(
            wire.heard().await,
            expected,
            "this was said to be on the wire"
        );
        assert_eq!(reached, expected, "this is to be told before `Applied`");
        let neighbors = backend.status(Detail::Counters).await.neighbors;
        let mut neighbors = neighbors.iter();
        let neighbor = neighbors.find(|one| one.name == wire.neighbor());
        let counted = neighbor.map(|neighbor| (neighbor.prefixes, neighbor.in_sync));
        assert_eq!(counted, Some((expected.len(), true)));
    }
    check_status(backend.as_ref()).await;
    let reason = "contract test".to_owned();
    backend.shutdown(Ending { reason }).await;
    assert_eq!(
        wire.heard().await,
        BTreeSet::new(),
        "a backend withdraws what it announced"
    );
}

fn described(wire: &impl Wire, generation: u64, vips: u8) -> Arc<AnnouncementSet> {
    let mut set = set_of(generation, vips);
    wire.describe(Arc::make_mut(&mut set));
    set
}

/// Waits for the next event, and checks that it is true. Returns the generation that it says to be on
/// the wire.
async fn heed(
    backend: &mut dyn Backend,
    wire: &mut impl Wire,
    reached: &mut BTreeSet<IpAddr>,
) -> Option<u64> {
    match poll_fn(|cx| backend.poll_event(cx)).await {
        BackendEvent::Applied { generation } => Some(generation),
        BackendEvent::Reaches { neighbor, vips } => {
            assert_eq!(*neighbor, *wire.neighbor());
            *reached = vips.keys().copied().collect();
            assert_eq!(
                wire.heard().await,
                *reached,
                "this was said to reach the neighbour"
            );
            None
        }
        BackendEvent::NeighborUp { .. }
        | BackendEvent::NeighborDown { .. }
        | BackendEvent::Conflict { .. }
        | BackendEvent::Answered { .. }
        | BackendEvent::Unanswered { .. }
        | BackendEvent::Heard { .. }
        | BackendEvent::Able(_) => None,
    }
}

async fn check_status(backend: &dyn Backend) {
    let brief = backend.status(Detail::Counters).await;
    let full = backend.status(Detail::Routes).await;
    assert_eq!([brief.backend, full.backend], [backend.caps().name; 2]);
    let lists_none = |neighbor: &NeighborStatus| neighbor.announced.is_empty();
    assert!(brief.neighbors.iter().all(lists_none), "{brief:?}");
    for neighbor in full.neighbors {
        assert_eq!(neighbor.announced.len(), neighbor.prefixes);
        let names: Vec<_> = neighbor.counters().map(|counter| counter.name).collect();
        let is_token = |name: &&str| name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        assert!(names.iter().all(is_token), "{names:?}");
        assert_eq!(BTreeSet::from_iter(&names).len(), names.len(), "{names:?}");
    }
}

async fn applied(backend: &mut dyn Backend) -> u64 {
    loop {
        if let BackendEvent::Applied { generation } = poll_fn(|cx| backend.poll_event(cx)).await {
            return generation;
        }
    }
}
