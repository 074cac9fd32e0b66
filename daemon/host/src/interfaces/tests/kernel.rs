//! Against the kernel, in a network namespace that is gone afterwards.

use super::*;
use crate::testing::{in_namespace, ip, until};

fn find<'a>(known: &'a Known, name: &str) -> Option<&'a Interface> {
    let mut all = known.interfaces.as_deref()?.iter();
    all.find(|interface| &*interface.name == name)
}

fn runs(known: &Known, name: &str) -> bool {
    find(known, name).is_some_and(|interface| interface.is_running)
}

#[test]
fn links_come_and_go() {
    in_namespace(|| async {
        ip("link add early type veth peer name far");
        let mut known = spawn();
        let first = until(&mut known, |known| known.interfaces.is_some()).await;
        assert!(find(&first, "lo").unwrap().is_loopback);
        assert!(find(&first, "early").is_some() && !runs(&first, "early"));
        assert!(find(&first, "early").unwrap().has_arp);
        ip("link set early arp off");
        until(&mut known, |known| {
            find(known, "early").is_some_and(|one| !one.has_arp)
        })
        .await;

        // With the peer down there is no carrier, nor with it down again.
        ip("link add eth0 type veth peer name switch");
        ip("link set eth0 up");
        let up = until(&mut known, |known| find(known, "switch").is_some()).await;
        assert!(!runs(&up, "eth0"));
        assert!(find(&up, "eth0").unwrap().mac.is_some());
        ip("link set switch up");
        until(&mut known, |known| runs(known, "eth0")).await;
        ip("link set switch down");
        until(&mut known, |known| !runs(known, "eth0")).await;
        ip("link set switch up");
        until(&mut known, |known| runs(known, "eth0")).await;
        ip("link set eth0 down");
        until(&mut known, |known| !runs(known, "eth0")).await;

        ip("link set eth0 name uplink");
        ip("link set uplink up");
        until(&mut known, |known| runs(known, "uplink")).await;
        assert!(find(&known.borrow(), "eth0").is_none());
        ip("link del uplink");
        until(&mut known, |known| find(known, "uplink").is_none()).await;
    });
}

#[test]
fn masters_are_noticed() {
    in_namespace(|| async {
        let mut known = spawn();
        ip("link add eth0 type veth peer name switch");
        ip("link add br0 type bridge");
        ip("link set eth0 master br0");
        let has = |known: &Known| find(known, "eth0").is_some_and(|one| one.has_master);
        until(&mut known, has).await;
        // The bridge tells with a message of its own that the port has gone.
        ip("link set eth0 nomaster");
        until(&mut known, |known| !has(known)).await;
        ip("link add last type bridge");
        until(&mut known, |known| find(known, "last").is_some()).await;
        assert!(find(&known.borrow(), "eth0").is_some());
    });
}

#[test]
fn addresses_count_once_they_are_unique() {
    in_namespace(|| async {
        let mut known = spawn();
        ip("link add eth0 type veth peer name switch");
        ip("link set switch up");
        ip("link set eth0 up");
        ip("address add 192.0.2.1/24 dev eth0");
        let addresses = |known: &Known| {
            let found = find(known, "eth0").map(|one| one.addresses.clone());
            found.unwrap_or_default()
        };
        let is_link_local = |net: &IpNet| match net {
            IpNet::V6(net) => net.addr().is_unicast_link_local() && net.prefix_len() == 64,
            IpNet::V4(_) => false,
        };
        let has_both = |known: &Known| {
            addresses(known).contains(&net("192.0.2.1/24"))
                && addresses(known).iter().any(is_link_local)
        };
        until(&mut known, has_both).await;

        // Tentative for as long as its uniqueness is checked.
        ip("address add 2001:db8::1/64 dev eth0");
        ip("address add 192.0.2.2/24 dev eth0");
        let early = until(&mut known, |known| {
            addresses(known).contains(&net("192.0.2.2/24"))
        })
        .await;
        assert!(!addresses(&early).contains(&net("2001:db8::1/64")));
        until(&mut known, |known| {
            addresses(known).contains(&net("2001:db8::1/64"))
        })
        .await;

        ip("address del 192.0.2.1/24 dev eth0");
        ip("link set eth0 down");
        until(&mut known, |known| {
            !addresses(known).iter().any(is_link_local)
        })
        .await;
    });
}

#[test]
fn lost_notices_are_made_up_for() {
    in_namespace(|| async {
        let mut known = spawn();
        until(&mut known, |known| known.interfaces.is_some()).await;
        // This thread also moves the sockets: more than fits into their buffers happens unread.
        let mut beside = Netlink::open().unwrap();
        ip("link add eth0 type veth peer name switch");
        let batch = "link set eth0 mtu 1000\nlink set eth0 mtu 1001\n".repeat(4000);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), batch).unwrap();
        ip(&format!("-batch {}", file.path().display()));
        ip("link del eth0");
        ip("link add eth1 type bridge");
        while beside.next().await.is_ok() {}
        let seen = until(&mut known, |known| find(known, "eth1").is_some()).await;
        assert!(find(&seen, "eth0").is_none());
    });
}
