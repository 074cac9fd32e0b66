//! The contract that every backend keeps, as a test to run against it.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::{Backend, BackendEvent, Detail, NeighborStatus};
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
    backend.shutdown("contract test".to_owned()).await;
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
