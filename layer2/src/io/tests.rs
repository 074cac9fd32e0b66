use std::net::IpAddr;

use carillon_core::address::Family;
use carillon_core::announcement::Announcement;
use carillon_core::backend::{Backend, BackendStatus, Ending};
use carillon_core::interface::{Exclusion, Interface, MacAddress};
use carillon_core::mark::Mark;
use carillon_core::node::Node;
use carillon_core::testing::{announcement, interface};

use super::*;
use crate::coverage::Coverage;
use crate::filter::Filter;
use crate::message::{Message, Saying};
use crate::protocol::Link;
use crate::{DEFAULT_REFRESH, Layer2Backend};

/// A protocol without words.
#[derive(Debug)]
struct Silent;

impl Protocol for Silent {
    const NAME: &'static str = "silent";
    const FAMILY: Family = Family::V4;
    const ETHERTYPE: u16 = 0x88b5;

    fn link(interface: &Interface) -> Result<Link, String> {
        if interface.addresses.is_empty() {
            return Err("it has no address".to_owned());
        }
        let mac = interface.mac.ok_or("it has no MAC")?;
        let source = IpAddr::from([0; 4]);
        Ok(Link { mac, source })
    }

    fn filter(_mac: MacAddress, _addresses: &Coverage) -> Filter {
        Filter::nothing()
    }

    fn decode(_frame: &[u8]) -> Option<Message> {
        None
    }

    fn encode(_saying: Saying, _link: Link, _mark: Mark, _send: &mut dyn FnMut(&[u8])) {}

    fn group(_vip: IpAddr) -> Option<std::net::Ipv6Addr> {
        None
    }
}

/// An interface that does not exist.
fn missing(addresses: &[&str]) -> Interface {
    interface(0x7fff_fff0, "missing0", addresses)
}

fn set_of(generation: u64, interfaces: &[Interface]) -> Arc<AnnouncementSet> {
    let vip = IpAddr::from([10, 0, 0, 9]);
    let announcement = Announcement {
        round: 1,
        ..announcement("pool")
    };
    let mut set = AnnouncementSet::empty(Arc::new(Node::named("node")));
    set.generation = generation;
    set.by_vip.insert(vip, Arc::new(announcement));
    set.interfaces = Arc::new(Interfaces::usable(interfaces, &Exclusion::default()));
    Arc::new(set)
}

/// The next event, whatever the tests are permitted.
async fn event(backend: &mut Layer2Backend<Silent>) -> BackendEvent {
    loop {
        let event = poll_fn(|cx| backend.poll_event(cx));
        let event = tokio::time::timeout(Duration::from_secs(10), event);
        match event.await.unwrap() {
            BackendEvent::Able(_) => {}
            event => return event,
        }
    }
}

fn ending() -> Ending {
    let reason = String::new();
    Ending { reason }
}

async fn status(backend: &Layer2Backend<Silent>) -> BackendStatus {
    tokio::time::timeout(Duration::from_secs(10), backend.status(Detail::Routes))
        .await
        .unwrap()
}

#[tokio::test]
async fn without_interfaces_the_status_says_so() {
    let mut backend = Layer2Backend::<Silent>::with_refresh(DEFAULT_REFRESH);
    assert!(status(&backend).await.neighbors.is_empty());
    backend.set(set_of(1, &[]));
    assert_eq!(
        event(&mut backend).await,
        BackendEvent::Applied { generation: 1 }
    );
    let status = status(&backend).await;
    let [neighbor] = status.neighbors.as_slice() else {
        panic!("{status:?}");
    };
    let error = neighbor.last_error.as_deref().unwrap();
    assert!(error.starts_with("1 VIPs cannot be announced"), "{error}");
    assert!(!neighbor.in_sync);
    Box::new(backend).shutdown(ending()).await;
}

/// The socket is refused, with or without the right to open one: here for want of the interface. Time
/// is virtual, and stands still while the task has something to do.
#[tokio::test(start_paused = true)]
async fn a_socket_that_is_refused_is_told_once_and_holds_nothing_up() {
    let mut backend = Layer2Backend::<Silent>::new();
    backend.set(set_of(1, &[missing(&["10.0.0.1/24"])]));
    let down = event(&mut backend).await;
    let BackendEvent::NeighborDown { neighbor, reason } = &down else {
        panic!("{down:?}");
    };
    assert_eq!(neighbor, "missing0");
    assert!(
        reason.contains("CAP_NET_RAW") || reason.contains("gone"),
        "{reason}"
    );
    assert_eq!(
        event(&mut backend).await,
        BackendEvent::Applied { generation: 1 }
    );
    // It tries again many times, and says nothing more of it.
    let more = poll_fn(|cx| backend.poll_event(cx));
    let more = tokio::time::timeout(Duration::from_secs(60), more).await;
    assert!(more.is_err(), "{more:?}");
    backend.set(set_of(2, &[missing(&["10.0.0.1/24"])]));
    assert_eq!(
        event(&mut backend).await,
        BackendEvent::Applied { generation: 2 }
    );
    let status = status(&backend).await;
    assert_eq!(status.neighbors[0].state, "Waiting");
    assert_eq!(status.neighbors[0].last_error.as_ref(), Some(reason));
    assert!(!status.neighbors[0].in_sync);
    Box::new(backend).shutdown(ending()).await;
}

#[tokio::test]
async fn an_interface_that_lacks_something_waits_for_it() {
    let mut backend = Layer2Backend::<Silent>::new();
    backend.set(set_of(1, &[missing(&[])]));
    let expected = BackendEvent::NeighborDown {
        neighbor: "missing0".to_owned(),
        reason: "it has no address".to_owned(),
    };
    assert_eq!(event(&mut backend).await, expected);
    assert_eq!(
        event(&mut backend).await,
        BackendEvent::Applied { generation: 1 }
    );
    backend.set(set_of(2, &[missing(&["10.0.0.1/24"])]));
    let tried = event(&mut backend).await;
    assert!(
        matches!(tried, BackendEvent::NeighborDown { .. }),
        "{tried:?}"
    );
    assert_ne!(tried, expected);
}

#[test]
fn the_remedy_is_named() {
    let error = |code| socket::explain(&std::io::Error::from_raw_os_error(code));
    assert!(error(libc::EPERM).contains("give the process the capability CAP_NET_RAW"));
    assert!(error(libc::EAFNOSUPPORT).contains("load the kernel module af_packet"));
    assert_eq!(error(libc::ENETDOWN), "the interface is down");
    assert!(error(libc::ENOMEM).contains("the packet socket failed"));
}

#[tokio::test]
async fn who_does_not_listen_is_told_later_and_not_everything() {
    let mut backend = Layer2Backend::<Silent>::with_refresh(DEFAULT_REFRESH);
    let newest = 5000;
    for generation in 1..=newest {
        backend.set(set_of(generation, &[]));
        backend.pulse().await.unwrap();
    }
    let mut count = 0;
    loop {
        count += 1;
        match event(&mut backend).await {
            BackendEvent::Applied { generation } if generation == newest => break,
            BackendEvent::Applied { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(count < newest / 2, "{count} events");
}
