use std::time::Duration;

use carillon_core::backend::contract;
use carillon_core::interface::{Interface, MacAddress};
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
