use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use carillon_core::announcement::AnnouncementSet;
use carillon_core::backend::contract::{self, Wire};
use carillon_core::backend::{Backend, BackendEvent, Ending};
use carillon_core::interface::{Exclusion, Interface, Interfaces, MacAddress};
use carillon_core::testing::interface;
use carillon_host::testing::{in_namespace, ip, set_up};
use carillon_layer2::Station;

use crate::{Arp, ArpBackend};

async fn soon(check: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(60), check)
        .await
        .unwrap();
}

#[tokio::test]
async fn keeps_the_contract_of_a_backend() {
    soon(contract::check(Box::new(ArpBackend::new()))).await;
}

/// One end of a wire.
fn end(index: u32, name: &str, host: u8) -> Interface {
    let address = format!("192.0.2.{host}/24");
    Interface {
        mac: Some(MacAddress([2, 0, 0, 0, 0, host])),
        ..interface(index, name, &[&address])
    }
}

#[test]
fn keeps_the_contract_of_a_backend_with_a_station() {
    in_namespace(|| async {
        ip(
            "link add node index 11 address 02:00:00:00:00:01 type veth \
            peer name station index 12 address 02:00:00:00:00:02",
        );
        set_up(&["node", "station"]).await;
        let station = Station::<Arp>::new(end(11, "node", 1), &end(12, "station", 2));
        let backend = Box::new(ArpBackend::new());
        soon(contract::check_neighbor(backend, station)).await;
    });
}

/// A wire of its own subnet, with a station at the other end of the node's interface.
async fn wire(index: u32, name: &str) -> (Interface, Station<Arp>) {
    let end = |index: u32, name: &str| {
        let address = format!("10.9.{}.{index}/24", index / 2);
        Interface {
            mac: Some(MacAddress([2, 0, 0, 0, 1, u8::try_from(index).unwrap()])),
            ..interface(index, name, &[&address])
        }
    };
    let (far, node) = (format!("{name}-far"), end(index, name));
    let station = end(index + 1, &far);
    let link = |end: &Interface| {
        let (name, mac) = (&end.name, end.mac.unwrap());
        format!("name {name} index {} address {mac}", end.index)
    };
    let (one, other) = (link(&node), link(&station));
    ip(&format!("link add {one} type veth peer {other}"));
    set_up(&[name, &far]).await;
    (node.clone(), Station::new(node, &station))
}

/// Gives a backend a set, and waits until it is on the wire; what each interface has then.
async fn applied(
    backend: &mut ArpBackend,
    set: &AnnouncementSet,
    reached: &mut BTreeMap<String, BTreeSet<IpAddr>>,
) {
    backend.set(Arc::new(set.clone()));
    loop {
        match poll_fn(|cx| backend.poll_event(cx)).await {
            BackendEvent::Applied { generation } if generation == set.generation => return,
            BackendEvent::Reaches { neighbor, vips } => {
                reached.insert(neighbor.to_string(), vips.keys().copied().collect());
            }
            _ => {}
        }
    }
}

#[test]
fn a_vip_for_some_interfaces_is_announced_and_answered_on_those_alone() {
    in_namespace(|| async {
        let wires = [wire(20, "eth0").await, wire(30, "eth1").await];
        let (nodes, mut stations): (Vec<_>, Vec<_>) = wires.into_iter().unzip();
        let mut set = AnnouncementSet::clone(&contract::set_of(0, 6));
        let before: BTreeSet<IpAddr> = set.by_vip.keys().copied().collect();
        stations[0].describe(&mut set);
        set.interfaces = Arc::new(Interfaces::usable(&nodes, &Exclusion::default()));
        let everywhere = set.by_vip.keys().find(|vip| !before.contains(vip));
        let everywhere = *everywhere.unwrap();
        let [first, second, third] = [0, 2, 4].map(|last| IpAddr::from([198, 51, 100, last]));
        let (mut backend, mut reached) = (ArpBackend::new(), BTreeMap::new());
        for (named, expected) in [
            (
                vec![(first, "eth0"), (second, "eth1")],
                [[first, third], [second, third]],
            ),
            (
                vec![(first, "eth0"), (third, "eth1")],
                [[first, second], [second, third]],
            ),
            (
                vec![(third, "eth0"), (first, "eth1")],
                [[second, third], [first, second]],
            ),
        ] {
            set.generation += 1;
            let names = |name: &str| Arc::new(BTreeSet::from([name.into()]));
            let named = named.into_iter().map(|(vip, name)| (vip, names(name)));
            set.interfaces_of = named.collect();
            soon(applied(&mut backend, &set, &mut reached)).await;
            for ((station, node), expected) in stations.iter_mut().zip(&nodes).zip(expected) {
                let expected = expected.into_iter().chain([everywhere]).collect();
                assert_eq!(station.heard().await, expected, "{}", node.name);
                assert_eq!(reached.get(&*node.name), Some(&expected));
            }
        }
        let reason = String::new();
        soon(Box::new(backend).shutdown(Ending { reason })).await;
    });
}
