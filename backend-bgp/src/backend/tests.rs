use std::collections::BTreeSet;
use std::future::poll_fn;
use std::net::IpAddr;
use std::time::Duration;

use carillon_core::announcement::Announcement;
use carillon_core::backend::Fact;
use carillon_core::backend::contract::{self, Wire};
use carillon_core::config::{BgpAdvertisement, Community, Config};
use carillon_core::labels::Labels;
use carillon_core::node::Node;
use carillon_core::selector::{Operator, Requirement, Selector};
use carillon_core::testing::{announcement, bgp_advertisement, config, ips, pool};
use ipnet::IpNet;
use tokio::net::TcpListener;

use super::*;
use crate::testing::{Connection, peer_at, soon};

#[tokio::test]
async fn keeps_the_contract_of_a_backend() {
    let check = contract::check(Box::new(BgpBackend::new()));
    tokio::time::timeout(Duration::from_secs(60), check)
        .await
        .unwrap();
}

/// A router that is told everything over TCP.
struct Router {
    listener: TcpListener,
    peer: Peer,
    connection: Option<Connection>,
}

impl Wire for Router {
    fn describe(&self, set: &mut AnnouncementSet) {
        let config = Arc::make_mut(&mut set.config);
        config.bgp.peers = vec![Arc::new(self.peer.clone())];
    }

    async fn connect(&mut self) {
        self.connection = Some(Connection::establish(&self.listener).await);
    }

    fn neighbor(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    /// A session over IPv4 has IPv4 routes.
    fn takes(&self, vip: IpAddr) -> bool {
        vip.is_ipv4()
    }

    async fn heard(&mut self) -> BTreeSet<IpAddr> {
        let connection = self.connection.as_mut().expect("it is connected");
        connection.catch_up();
        connection.table.iter().map(IpNet::addr).collect()
    }
}

#[tokio::test]
async fn keeps_the_contract_of_a_backend_with_a_router() {
    let (listener, peer) = listener().await;
    let router = Router {
        listener,
        peer,
        connection: None,
    };
    soon(contract::check_neighbor(
        Box::new(BgpBackend::new()),
        router,
    ))
    .await;
}

/// Makes sets, each a little different from the one before.
struct World {
    generation: u64,
    node: Node,
    config: Config,
    /// The pool that the VIPs belong to.
    pool: &'static str,
    advertisements: Vec<&'static str>,
    vips: Vec<IpAddr>,
}

impl World {
    fn new(peers: impl IntoIterator<Item = Peer>) -> Self {
        Self {
            generation: 0,
            node: Node::named("worker-0"),
            config: {
                let mut config = config([pool("pool", &[])]);
                config.bgp.peers = peers.into_iter().map(Arc::new).collect();
                config
            },
            pool: "pool",
            advertisements: vec!["pool"],
            vips: vec!["198.51.100.1".parse().unwrap()],
        }
    }

    /// Sets the backend, and waits until that is applied. Returns what else it told.
    async fn set(&mut self, backend: &mut BgpBackend) -> Vec<BackendEvent> {
        self.generation += 1;
        let mut set = AnnouncementSet::empty(Arc::new(self.node.clone()));
        (set.generation, set.config) = (self.generation, Arc::new(self.config.clone()));
        for vip in &self.vips {
            let advertisements = self.advertisements.iter().map(|name| (*name).into());
            let announcement = Arc::new(Announcement {
                advertisements: advertisements.collect(),
                ..announcement(self.pool)
            });
            set.by_vip.insert(*vip, announcement);
        }
        backend.set(Arc::new(set));
        let mut told = Vec::new();
        loop {
            match soon(poll_fn(|cx| backend.poll_event(cx))).await {
                BackendEvent::Applied { generation } if generation == self.generation => {
                    return told;
                }
                BackendEvent::Reaches { .. } => {}
                event => told.push(event),
            }
        }
    }
}

async fn listener() -> (TcpListener, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = peer_at(listener.local_addr().unwrap());
    (listener, peer)
}

fn drained() -> Ending {
    let reason = "node is drained".to_owned();
    Ending { reason }
}

/// Shuts it down: the router has no routes after that, and knows why.
async fn ensure_it_ends(backend: BgpBackend, mut connection: Connection) {
    let shutdown = Box::new(backend).shutdown(drained());
    let ((), notification) = tokio::join!(soon(shutdown), async {
        connection.table_of(0).await;
        let last = connection.last_words().await;
        drop(connection);
        last
    });
    let text = notification.as_ref().and_then(Notification::communication);
    assert_eq!(text, Some("node is drained"));
}

async fn up(backend: &mut BgpBackend) {
    let event = soon(poll_fn(|cx| backend.poll_event(cx))).await;
    assert!(
        matches!(event, BackendEvent::NeighborUp { .. }),
        "{event:?}"
    );
}

#[tokio::test]
async fn a_change_of_advertisements_leaves_sessions_alone() {
    let (listener, peer) = listener().await;
    let mut world = World::new([peer]);
    let mut backend = BgpBackend::new();
    world.set(&mut backend).await;
    let mut connection = Connection::establish(&listener).await;
    up(&mut backend).await;
    connection.table_of(1).await;

    let second = BgpAdvertisement {
        name: "second".into(),
        aggregation_length_v4: 24,
        communities: [Community(1)].into(),
        ..bgp_advertisement("pool")
    };
    world.config.bgp.advertisements.push(Arc::new(second));
    world.advertisements.push("second");
    world.vips.push("198.51.100.2".parse().unwrap());
    assert_eq!(world.set(&mut backend).await, []);
    connection.table_of(3).await;
}

#[tokio::test]
async fn a_renamed_and_extended_pool_is_no_change_to_the_peer() {
    let (listener, peer) = listener().await;
    let mut world = World::new([peer]);
    let mut backend = BgpBackend::new();
    world.set(&mut backend).await;
    let mut connection = Connection::establish(&listener).await;
    up(&mut backend).await;
    connection.table_of(1).await;

    world.pool = "renamed";
    world.advertisements = vec!["renamed"];
    let blocks = ["198.51.100.0/24"];
    let peers = std::mem::take(&mut world.config.bgp.peers);
    world.config = config([pool("renamed", &blocks), pool("pool", &blocks)]);
    world.config.bgp.peers = peers;
    assert_eq!(world.set(&mut backend).await, []);
    world.vips.push("198.51.100.2".parse().unwrap());
    world.set(&mut backend).await;
    let added: IpNet = "198.51.100.2/32".parse().unwrap();
    assert_eq!(connection.next_change().await, [added]);
}

#[tokio::test]
async fn only_the_peer_whose_settings_changed_is_touched() {
    let (one, one_peer) = listener().await;
    let (other, mut other_peer) = listener().await;
    let mut world = World::new([one_peer.clone(), other_peer.clone()]);
    let mut backend = BgpBackend::new();
    world.set(&mut backend).await;
    let mut kept = Connection::establish(&one).await;
    up(&mut backend).await;
    let mut changed = Connection::establish(&other).await;
    up(&mut backend).await;

    other_peer.hold_time = Duration::from_secs(30);
    world.config.bgp.peers = vec![Arc::new(other_peer), Arc::new(one_peer)];
    let (told, notification) = tokio::join!(world.set(&mut backend), changed.last_words());
    let reason = notification.and_then(|n| n.reason());
    assert_eq!(reason, Some(Reason::OtherConfigurationChange));
    assert!(
        matches!(told[..], [BackendEvent::NeighborDown { .. }]),
        "{told:?}"
    );
    drop(changed);
    let _again = Connection::establish(&other).await;
    up(&mut backend).await;

    world.vips.clear();
    world.set(&mut backend).await;
    kept.table_of(0).await;
    let status = soon(backend.status(Detail::Routes)).await;
    let names: Vec<_> = status.neighbors.iter().map(|n| n.name.clone()).collect();
    let expected = [&other, &one].map(|l| l.local_addr().unwrap().to_string());
    assert_eq!(names, expected, "in configuration order");
}

#[tokio::test]
async fn a_peer_that_is_gone_is_told_so_and_waited_for() {
    let (listener, peer) = listener().await;
    let mut world = World::new([peer]);
    let mut backend = BgpBackend::new();
    world.set(&mut backend).await;
    let mut connection = Connection::establish(&listener).await;
    up(&mut backend).await;
    connection.table_of(1).await;

    world.config.bgp.peers.clear();
    let (_, notification) = tokio::join!(world.set(&mut backend), async {
        let last = connection.last_words().await;
        drop(connection);
        last
    });
    assert_eq!(
        notification.and_then(|n| n.reason()),
        Some(Reason::PeerDeconfigured)
    );
    assert!(
        soon(backend.status(Detail::Routes))
            .await
            .neighbors
            .is_empty()
    );
}

#[tokio::test]
async fn node_selectors_decide_where_a_session_runs() {
    let (listener, mut peer) = listener().await;
    peer.node_selectors = vec![Selector {
        requirements: vec![Requirement {
            key: "rack".to_owned(),
            operator: Operator::In(BTreeSet::from(["a".to_owned()])),
        }],
    }];
    let mut world = World::new([peer]);
    let mut backend = BgpBackend::new();
    for (label, why) in [
        (None, "no Node worker-0 is known, or it has no labels"),
        (Some("b"), "the labels of Node worker-0 are not those"),
    ] {
        let label = label.map(|rack| ("rack".to_owned(), rack.to_owned()));
        world.node.labels = label.into_iter().collect();
        world.set(&mut backend).await;
        let neighbors = soon(backend.status(Detail::Routes)).await.neighbors;
        let why = format!("its node selectors do not match this node: {why}");
        let [other] = &neighbors[..] else {
            panic!("{neighbors:?}");
        };
        assert_eq!((&other.last_error, other.in_sync), (&Some(why), true));
    }

    world.node.labels = [("rack", "a")].into_iter().collect();
    world.set(&mut backend).await;
    let mut connection = Connection::establish(&listener).await;
    up(&mut backend).await;

    world.node.labels = Labels::new();
    let (_, notification) = tokio::join!(world.set(&mut backend), async {
        let last = connection.last_words().await;
        drop(connection);
        last
    });
    let text = notification.as_ref().and_then(Notification::communication);
    assert_eq!(
        text,
        Some("node worker-0 is no longer selected for this session")
    );
}

/// Each router is told what is for it; a change of what is for one of them is nothing to the other.
#[tokio::test]
async fn peers_have_the_routes_of_the_advertisements_that_are_for_them() {
    let (one, one_peer) = listener().await;
    let (other, other_peer) = listener().await;
    let peers = [("one", one_peer), ("other", other_peer)];
    let mut world = World::new(peers.map(|(name, peer)| Peer {
        name: name.into(),
        ..peer
    }));
    let only_for_other = |local_pref| BgpAdvertisement {
        name: "aggregate".into(),
        peers: ["other".into()].into(),
        aggregation_length_v4: 24,
        communities: [Community(local_pref)].into(),
        ..bgp_advertisement("pool")
    };
    let advertisements = &mut world.config.bgp.advertisements;
    advertisements.push(Arc::new(only_for_other(1)));
    world.advertisements.push("aggregate");
    let mut backend = BgpBackend::new();
    world.set(&mut backend).await;
    let mut one = Connection::establish(&one).await;
    up(&mut backend).await;
    let mut other = Connection::establish(&other).await;
    up(&mut backend).await;
    let [host, aggregate] = ["198.51.100.1/32", "198.51.100.0/24"].map(|p| p.parse().unwrap());
    one.table_of(1).await;
    other.table_of(2).await;
    assert_eq!(one.table, [host].into());
    assert_eq!(other.table, [host, aggregate].into());

    world.config.bgp.advertisements[1] = Arc::new(only_for_other(2));
    assert_eq!(world.set(&mut backend).await, []);
    let changed: Vec<IpNet> = other.next_change().await;
    assert_eq!(changed, [aggregate]);
    world.vips.push("198.51.100.2".parse().unwrap());
    world.set(&mut backend).await;
    let added: IpNet = "198.51.100.2/32".parse().unwrap();
    assert_eq!(one.next_change().await, [added], "the first that it hears");
    assert_eq!(other.next_change().await, [added]);
}

/// Peers with one session between them, as for overlapping sets of nodes.
#[tokio::test]
async fn a_session_has_the_routes_for_any_of_the_peers_that_ask_for_it() {
    let (listener, peer) = listener().await;
    let named = |name: &'static str| Peer {
        name: name.into(),
        ..peer.clone()
    };
    let mut world = World::new([named("one"), named("other")]);
    for name in ["one", "other"] {
        let only_for_it = BgpAdvertisement {
            name: name.into(),
            peers: [name.into()].into(),
            aggregation_length_v4: if name == "one" { 24 } else { 28 },
            ..bgp_advertisement("pool")
        };
        let advertisements = &mut world.config.bgp.advertisements;
        advertisements.push(Arc::new(only_for_it));
        world.advertisements.push(name);
    }
    let mut backend = BgpBackend::new();
    world.set(&mut backend).await;
    let mut connection = Connection::establish(&listener).await;
    up(&mut backend).await;
    connection.table_of(3).await;

    world.config.bgp.peers.truncate(1);
    assert_eq!(world.set(&mut backend).await, [], "the session stays");
    connection.table_of(2).await;
}

/// A rewritten selector, or a peer written twice for overlapping sets of nodes, is nothing to a
/// session that is there.
#[tokio::test]
async fn selectors_that_still_match_leave_the_session_alone() {
    let (listener, peer) = listener().await;
    let for_racks = |racks: &[&str]| Peer {
        node_selectors: vec![Selector {
            requirements: vec![Requirement {
                key: "rack".to_owned(),
                operator: Operator::In(racks.iter().map(|rack| (*rack).to_owned()).collect()),
            }],
        }],
        ..peer.clone()
    };
    let mut world = World::new([for_racks(&["a"])]);
    world.node.labels = [("rack", "a")].into_iter().collect();
    let mut backend = BgpBackend::new();
    world.set(&mut backend).await;
    let mut connection = Connection::establish(&listener).await;
    up(&mut backend).await;
    for peers in [
        vec![for_racks(&["a", "b"])],
        vec![for_racks(&["a"]), for_racks(&["a", "c"])],
        vec![peer.clone()],
    ] {
        world.config.bgp.peers = peers.into_iter().map(Arc::new).collect();
        assert_eq!(world.set(&mut backend).await, []);
        assert_eq!(
            soon(backend.status(Detail::Routes)).await.neighbors.len(),
            1
        );
    }
    world.vips.clear();
    world.set(&mut backend).await;
    connection.table_of(0).await;
}

/// The connection is looked at to its end: there is no NOTIFICATION, and no other one.
#[tokio::test]
async fn a_changed_keepalive_time_is_in_force_in_the_session_that_is_there() {
    let (listener, peer) = listener().await;
    let mut world = World::new([peer.clone()]);
    let mut backend = BgpBackend::new();
    world.set(&mut backend).await;
    let mut connection = Connection::establish(&listener).await;
    up(&mut backend).await;
    connection.table_of(1).await;
    for (configured, shown) in [(Some(7), "7 s"), (Some(1), "1 s"), (None, "30 s")] {
        world.config.bgp.peers = vec![Arc::new(Peer {
            keepalive_time: configured.map(Duration::from_secs),
            ..peer.clone()
        })];
        assert_eq!(world.set(&mut backend).await, []);
        let neighbors = soon(backend.status(Detail::Counters)).await.neighbors;
        let [router] = &neighbors[..] else {
            panic!("{neighbors:?}");
        };
        assert_eq!(router.state, "Established");
        let interval = Fact::text("keepalive interval", shown);
        assert!(router.facts.contains(&interval), "{:?}", router.facts);
    }
    ensure_it_ends(backend, connection).await;
    let another = tokio::time::timeout(Duration::ZERO, listener.accept()).await;
    assert!(another.is_err(), "there was one connection: {another:?}");
}

/// Of two sessions that could become what is wanted, the one goes on that has it already.
#[tokio::test]
async fn a_session_whose_settings_are_the_same_goes_before_one_that_could_take_them_over() {
    let (listener, peer) = listener().await;
    let with_keepalive = |seconds| Peer {
        keepalive_time: Some(Duration::from_secs(seconds)),
        ..peer.clone()
    };
    let mut world = World::new([with_keepalive(7), with_keepalive(8)]);
    let mut backend = BgpBackend::new();
    world.set(&mut backend).await;
    let _one = Connection::establish(&listener).await;
    let _other = Connection::establish(&listener).await;
    for _ in 0..2 {
        up(&mut backend).await;
    }
    world.config.bgp.peers.reverse();
    assert_eq!(world.set(&mut backend).await, [], "both are left alone");
    let numbers: Vec<_> = backend.tasks.iter().map(|task| task.number).collect();
    assert_eq!(numbers, [1, 0], "each is the one that it was");
}

/// Two routers, or routing tables, on one host: each is told what concerns it.
#[tokio::test]
async fn peers_on_different_ports_of_one_address_are_different_peers() {
    let (one, one_peer) = listener().await;
    let (other, mut other_peer) = listener().await;
    let mut world = World::new([one_peer, other_peer.clone()]);
    let mut backend = BgpBackend::new();
    world.set(&mut backend).await;
    let mut gone = Connection::establish(&one).await;
    let mut changed = Connection::establish(&other).await;
    other_peer.hold_time = Duration::from_secs(30);
    world.config.bgp.peers = vec![Arc::new(other_peer)];
    let (_, gone, changed) = tokio::join!(
        world.set(&mut backend),
        async move { gone.last_words().await },
        async move { changed.last_words().await },
    );
    let reason = |last: Option<Notification>| last.and_then(|last| last.reason());
    assert_eq!(reason(gone), Some(Reason::PeerDeconfigured));
    assert_eq!(reason(changed), Some(Reason::OtherConfigurationChange));
}

#[tokio::test]
async fn several_peers_may_have_one_address() {
    let (listener, peer) = listener().await;
    let mut second = peer.clone();
    second.my_asn = 64501;
    let mut world = World::new([peer, second]);
    let mut backend = BgpBackend::new();
    world.set(&mut backend).await;
    let mut one = Connection::establish(&listener).await;
    let mut other = Connection::establish(&listener).await;
    one.table_of(1).await;
    other.table_of(1).await;
}

#[tokio::test]
async fn a_shutdown_withdraws_and_gives_the_reason() {
    let (listener, peer) = listener().await;
    let mut world = World::new([peer]);
    let mut backend = BgpBackend::new();
    world.set(&mut backend).await;
    let mut connection = Connection::establish(&listener).await;
    connection.table_of(1).await;
    ensure_it_ends(backend, connection).await;
}

/// What reaches the router at this address next.
async fn reached(backend: &mut BgpBackend, router: &TcpListener) -> Vec<IpAddr> {
    loop {
        let event = soon(poll_fn(|cx| backend.poll_event(cx))).await;
        if let BackendEvent::Reaches { neighbor, vips } = event {
            assert_eq!(*neighbor, router.local_addr().unwrap().to_string());
            return vips.keys().copied().collect();
        }
    }
}

#[tokio::test]
async fn what_an_aggregate_is_for_reaches_a_peer_until_the_session_is_lost() {
    let (listener, peer) = listener().await;
    let mut world = World::new([peer]);
    world.config.bgp.advertisements = vec![Arc::new(BgpAdvertisement {
        aggregation_length_v4: 24,
        ..bgp_advertisement("pool")
    })];
    world.vips = ips(&["198.51.100.1", "198.51.100.2", "2001:db8::1"]);
    let mut backend = BgpBackend::new();
    world.set(&mut backend).await;
    let mut connection = Connection::establish(&listener).await;
    assert_eq!(reached(&mut backend, &listener).await, world.vips[..2]);

    // There is nothing to write for that.
    world.vips.remove(0);
    world.set(&mut backend).await;
    world.vips.pop();
    world.set(&mut backend).await;
    connection.catch_up();
    assert_eq!(connection.table.len(), 1);

    drop(connection);
    assert_eq!(reached(&mut backend, &listener).await, world.vips[..0]);
    let _again = Connection::establish(&listener).await;
    assert_eq!(reached(&mut backend, &listener).await, world.vips);

    world.config.bgp.peers.clear();
    world.set(&mut backend).await;
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_router_that_does_not_answer() {
    let (listener, peer) = listener().await;
    let mut world = World::new([peer]);
    let mut backend = BgpBackend::new();
    world.set(&mut backend).await;
    let _silent = Connection::accept(&listener).await;
    soon(Box::new(backend).shutdown(drained())).await;
}
