//! Against the kernel, in a network namespace that is gone afterwards.

use std::fs;
use std::net::UdpSocket;

use super::*;
use crate::interfaces;
use crate::testing::{in_namespace, ip as run, until};

const BOTH: [&str; 2] = ["192.0.2.1", "2001:db8::1"];

fn usable(wanted: &[&str]) -> impl FnMut(&Assigned) -> bool {
    let wanted = ips(wanted);
    move |assigned| *assigned.usable == wanted
}

/// Our addresses on the interface, with their prefixes.
fn shown(interface: &str) -> Vec<String> {
    let all = run(&format!("-o address show dev {interface}"));
    let words = all
        .lines()
        .filter_map(|line| line.split_whitespace().nth(3));
    let of_tests = |word: &&str| word.starts_with("192.0.2.") || word.starts_with("2001:db8:");
    words.filter(of_tests).map(str::to_owned).collect()
}

#[test]
fn vips_come_and_go() {
    in_namespace(|| async {
        let assignment = Assignment::start("lo").await.unwrap();
        let mut assigned = assignment.assigned();
        assignment.set(Arc::new(ips(&BOTH)));
        until(&mut assigned, usable(&BOTH)).await;
        assert_eq!(shown("lo"), ["192.0.2.1/32", "2001:db8::1/128"]);
        let details = run("-d address show dev lo");
        assert!(details.contains("scope host lo:carillon"), "{details}");
        assert!(
            details.contains("nodad") && details.contains("preferred_lft 0sec"),
            "{details}"
        );
        for vip in BOTH {
            UdpSocket::bind((ip(vip), 0)).unwrap();
        }

        // They come back.
        run("address del 192.0.2.1/32 dev lo");
        run("address del 2001:db8::1/128 dev lo");
        while shown("lo").len() < 2 {
            sleep(Duration::from_millis(5)).await;
        }
        until(&mut assigned, usable(&BOTH)).await;

        run("link set lo down");
        let down = until(&mut assigned, usable(&[])).await;
        assert!(down.problems[0].contains("is down"), "{down:?}");
        run("link set lo up");
        until(&mut assigned, usable(&BOTH)).await;
        assert!(assigned.borrow().problems.is_empty());

        assignment.set(Arc::new(ips(&BOTH[..1])));
        until(&mut assigned, usable(&BOTH[..1])).await;
        assignment.shutdown().await;
        assert_eq!(shown("lo"), Vec::<String>::new());
    });
}

#[test]
fn after_a_crash_only_what_is_stale_and_ours_is_removed() {
    in_namespace(|| async {
        run("link add eth0 type veth peer name switch");
        run("link set eth0 up");
        let crashed = Assignment::start("eth0").await.unwrap();
        let all = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"];
        crashed.set(Arc::new(ips(&all)));
        let all = |assigned: &Assigned| assigned.usable.len() == 4;
        until(&mut crashed.assigned(), all).await;
        drop(crashed);
        run("address add 192.0.2.3/32 dev eth0");
        run("address add 192.0.2.4/24 dev eth0");
        run("address add 2001:db8::3/128 dev eth0 nodad preferred_lft 0");
        let before = shown("eth0");
        assert_eq!(before.len(), 7);

        // None of them decides where VIPs are announced.
        let mut known = interfaces::spawn();
        let known = until(&mut known, |known| known.interfaces.is_some()).await;
        let all = known.interfaces.unwrap();
        let eth0 = all.iter().find(|one| &*one.name == "eth0").unwrap();
        let node: Vec<String> = eth0.addresses.iter().map(ToString::to_string).collect();
        assert!(node.contains(&"192.0.2.3/32".to_owned()), "{node:?}");
        assert!(!node.contains(&"192.0.2.1/32".to_owned()), "{node:?}");
        assert!(!node.contains(&"2001:db8::1/128".to_owned()), "{node:?}");

        // Before it is known what is wanted, nothing is touched until the end.
        let Assignment { wish, task, .. } = Assignment::start("eth0").await.unwrap();
        drop(wish);
        task.await.unwrap();
        assert_eq!(shown("eth0"), before);

        let assignment = Assignment::start("eth0").await.unwrap();
        let mut assigned = assignment.assigned();
        let wanted = [
            "192.0.2.1",
            "192.0.2.3",
            "192.0.2.4",
            "2001:db8::1",
            "2001:db8::3",
        ];
        assignment.set(Arc::new(ips(&wanted)));
        let now = until(&mut assigned, usable(&wanted)).await;
        assert_eq!(
            *now.foreign,
            ips(&["192.0.2.3", "192.0.2.4", "2001:db8::3"])
        );
        let is_gone = || {
            let shown = shown("eth0");
            !shown.contains(&"192.0.2.2/32".to_owned())
                && !shown.contains(&"2001:db8::2/128".to_owned())
        };
        while !is_gone() {
            sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(shown("eth0").len(), 5);
        assignment.shutdown().await;
        let left = ["192.0.2.3/32", "192.0.2.4/24", "2001:db8::3/128"];
        assert_eq!(shown("eth0"), left);
    });
}

#[test]
fn a_vip_is_never_a_source_of_the_node() {
    in_namespace(|| async {
        run("link add eth0 type veth peer name switch");
        run("link set switch up");
        run("link set eth0 up");
        let assignment = Assignment::start("eth0").await.unwrap();
        assignment.set(Arc::new(ips(&BOTH)));
        until(&mut assignment.assigned(), usable(&BOTH)).await;
        // After the VIPs, as an address of DHCP may come.
        run("address add 192.0.2.99/24 dev eth0");
        run("address add 2001:db8::99/64 dev eth0 nodad");
        let source = |to: &str| run(&format!("route get {to}"));
        assert!(
            source("192.0.2.7").contains("src 192.0.2.99"),
            "{}",
            source("192.0.2.7")
        );
        assert!(
            source("2001:db8::7").contains("src 2001:db8::99"),
            "{}",
            source("2001:db8::7")
        );
        assignment.shutdown().await;
    });
}

#[test]
fn an_unknown_interface_is_refused_and_a_lost_one_waited_for() {
    in_namespace(|| async {
        run("link add eth0 type veth peer name switch");
        let error = Assignment::start("eth7").await.unwrap_err().to_string();
        assert!(
            error.contains("no interface eth7") && error.contains("lo"),
            "{error}"
        );

        run("link set eth0 up");
        let assignment = Assignment::start("eth0").await.unwrap();
        let mut assigned = assignment.assigned();
        assignment.set(Arc::new(ips(&BOTH)));
        until(&mut assigned, usable(&BOTH)).await;
        run("link set eth0 down");
        until(&mut assigned, usable(&[])).await;
        run("link set eth0 up");
        until(&mut assigned, usable(&BOTH)).await;
        run("link del eth0");
        let gone = until(&mut assigned, usable(&[])).await;
        assert!(gone.problems[0].contains("is gone"), "{gone:?}");
        run("link add eth0 type veth peer name switch");
        run("link set eth0 up");
        until(&mut assigned, usable(&BOTH)).await;
        assignment.shutdown().await;
    });
}

#[test]
fn an_interface_without_ipv6_is_a_problem_with_a_remedy() {
    in_namespace(|| async {
        fs::write("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "1").unwrap();
        let assignment = Assignment::start("lo").await.unwrap();
        let mut assigned = assignment.assigned();
        assignment.set(Arc::new(ips(&BOTH)));
        let told = until(&mut assigned, |assigned| !assigned.problems.is_empty()).await;
        assert!(told.problems[0].contains("disable_ipv6=0"), "{told:?}");
        until(&mut assigned, usable(&BOTH[..1])).await;
        fs::write("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "0").unwrap();
        until(&mut assigned, usable(&BOTH)).await;
        assignment.shutdown().await;
    });
}

#[test]
fn many_vips_are_assigned_and_removed() {
    in_namespace(|| async {
        let vips: BTreeSet<IpAddr> = (0..1000_u32)
            .map(|host| IpAddr::from((0x0a00_0000 + host).to_be_bytes()))
            .collect();
        let assignment = Assignment::start("lo").await.unwrap();
        assignment.set(Arc::new(vips.clone()));
        let is_done = |assigned: &Assigned| assigned.usable.len() == vips.len();
        until(&mut assignment.assigned(), is_done).await;
        assignment.shutdown().await;
        assert!(!run("-o address show dev lo").contains(" 10."));
    });
}
