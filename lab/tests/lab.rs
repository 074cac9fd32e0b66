//! The laboratory itself: routers talk to each other, and everything is gone afterwards.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};
use carillon_lab::{
    Bird, Family, Frr, GoBgp, Host, Lab, Path as BgpPath, ip, net, next_hops, test, wait, web,
};

const SOON: Duration = Duration::from_secs(10);

fn namespaces(id: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/run/netns")
        .into_iter()
        .flatten()
        .flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| name.starts_with(&format!("{id}-")))
        .collect()
}

/// What is left of a lab: namespaces, its directory, and the processes given.
fn leftovers(id: &str, dir: &Path, processes: &[u32]) -> Vec<String> {
    // A zombie, whose command line is empty, is gone; its parent has just not looked yet.
    let command_line = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/cmdline"));
    let lines = processes.iter().filter_map(|pid| command_line(pid).ok());
    let alive = lines.filter(|line| !line.is_empty());
    let dir = dir.exists().then(|| dir.display().to_string());
    alive.chain(dir).chain(namespaces(id)).collect()
}

/// Waits until the router has chosen its only path to a prefix.
fn chosen_path(frr: &Frr, prefix: &str) -> Result<BgpPath> {
    wait::until(format!("a path to {prefix}"), SOON, || {
        let mut paths = frr.paths(net(prefix))?;
        ensure!(
            paths.len() == 1 && paths.iter().all(|path| path.best),
            "{paths:?}"
        );
        Ok(paths.remove(0))
    })
}

/// Two hosts on a switch.
fn pair(lab: &Lab) -> Result<(Host, Host)> {
    let lan = lab.switch("lan")?;
    let (a, b) = (lab.host("a")?, lab.host("b")?);
    lan.plug(&a, "eth0", &["192.0.2.1/24", "2001:db8::1/64"])?;
    lan.plug(&b, "eth0", &["192.0.2.2/24", "2001:db8::2/64"])?;
    Ok((a, b))
}

#[test]
fn hosts_reach_each_other_until_the_cable_is_cut() {
    test(|lab| {
        let lan = lab.switch("lan")?;
        let (a, b) = (lab.host("a")?, lab.host("b")?);
        lan.plug(&a, "eth0", &["192.0.2.1/24", "2001:db8::1/64"])?;
        let cable = lan.plug(&b, "eth0", &["192.0.2.2/24", "2001:db8::2/64"])?;
        let capture = a.capture("eth0", "icmp or icmp6")?;
        a.await_ping(ip("192.0.2.2"))?;
        a.await_ping(ip("2001:db8::2"))?;
        cable.cut()?;
        assert!(a.run("ping", ["-c", "1", "-W", "1", "192.0.2.2"]).is_err());
        assert!(b.ip("link show eth0")?.contains("NO-CARRIER"));
        cable.mend()?;
        a.await_ping(ip("192.0.2.2"))?;
        let packets = a.run("tcpdump", ["-r".into(), capture.stop()?])?;
        ensure!(
            packets.contains("192.0.2.1 > 192.0.2.2: ICMP echo request"),
            "{packets}"
        );
        Ok(())
    });
}

#[test]
fn a_web_server_answers_in_its_namespace() {
    test(|lab| {
        let (a, b) = pair(lab)?;
        let listener = b.enter(|| TcpListener::bind("192.0.2.2:80"))??;
        std::thread::spawn(move || web::serve(&listener, "b"));
        let connect = || TcpStream::connect("192.0.2.2:80");
        let silent: Result<Vec<_>, _> = a.enter(|| (0..8).map(|_| connect()).collect())?;
        let page = a.run("curl", ["-sS", "--max-time", "5", "http://192.0.2.2"])?;
        assert_eq!(page, "Hello!<br>b<br>192.0.2.2\n");
        drop(silent?);
        Ok(())
    });
}

const FRR: &str = "router bgp 64512
  neighbor 192.0.2.2 remote-as 64512
  neighbor 192.0.2.2 passive
  neighbor 2001:db8::2 remote-as 64513
  neighbor 2001:db8::2 passive
  no bgp ebgp-requires-policy
  address-family ipv6 unicast
   neighbor 2001:db8::2 activate";

const BIRD: &str = "log stderr all;
router id 192.0.2.2;
protocol device {}
protocol static { ipv4; route 198.51.100.1/32 blackhole {
  bgp_community.add((64512,100)); bgp_local_pref = 150; bgp_med = 7; }; }
protocol static { ipv6; route 2001:db8:100::1/128 blackhole; }
template bgp fast { connect delay time 1; connect retry time 1; error wait time 1, 2; }
protocol bgp four from fast { local as 64512; neighbor 192.0.2.1 as 64512;
  ipv4 { import all; export all; next hop self; }; }
protocol bgp six from fast { local as 64513; neighbor 2001:db8::1 as 64512;
  ipv6 { import all; export all; next hop self; }; }";

#[test]
fn frr_learns_routes_from_bird() {
    test(|lab| {
        let (a, b) = pair(lab)?;
        let frr = Frr::start(&a, FRR)?;
        let _bird = Bird::start(&b, BIRD)?;
        frr.await_established(ip("192.0.2.2"))?;
        let path = chosen_path(&frr, "198.51.100.1/32")?;
        assert_eq!(path.peer, Some(ip("192.0.2.2")));
        assert_eq!((path.local_pref, path.med), (Some(150), Some(7)));
        assert_eq!(path.communities, ["64512:100"]);
        let received = frr.routes_from(ip("192.0.2.2"), Family::V4)?;
        assert_eq!(
            next_hops(&received, net("198.51.100.1/32")),
            BTreeSet::from([ip("192.0.2.2")])
        );
        wait::until("the IPv6 route", SOON, || {
            let routes = frr.routes(Family::V6)?;
            let hops = next_hops(&routes, net("2001:db8:100::1/128"));
            ensure!(hops.contains(&ip("2001:db8::2")), "{routes:?}");
            Ok(())
        })?;
        wait::until("the route in the router's kernel", SOON, || {
            let routes = a.routes(Family::V4)?;
            let gateways = routes.get(&net("198.51.100.1/32"));
            ensure!(
                gateways == Some(&BTreeSet::from([ip("192.0.2.2")])),
                "{routes:?}"
            );
            Ok(())
        })
    });
}

#[test]
fn frr_restarts() {
    test(|lab| {
        let (a, b) = pair(lab)?;
        let mut frr = Frr::start(&a, FRR)?;
        let bird = Bird::start(&b, BIRD)?;
        bird.await_established("four")?;
        bird.await_established("six")?;
        frr.stop()?;
        wait::until("bird to notice", SOON, || {
            let sessions = bird.sessions()?;
            ensure!(
                sessions.values().all(|state| state != "Established"),
                "{sessions:?}"
            );
            Ok(())
        })?;
        frr.restart()?;
        bird.await_established("four")?;
        frr.kill()?;
        frr.restart()?;
        bird.await_established("four")?;
        assert_eq!(
            frr.neighbors(Family::V4)?[&ip("192.0.2.2")].remote_as,
            64512
        );
        Ok(())
    });
}

#[test]
fn frr_and_gobgp_exchange_routes() {
    test(|lab| {
        let (a, b) = pair(lab)?;
        let gobgp = GoBgp::start(
            &b,
            r#"
            [global.config]
            as = 64513
            router-id = "192.0.2.2"
            [[neighbors]]
            [neighbors.config]
            neighbor-address = "192.0.2.1"
            peer-as = 64512
            [neighbors.transport.config]
            passive-mode = true
            "#,
        )?;
        let frr = Frr::start(
            &a,
            "router bgp 64512
              no bgp ebgp-requires-policy
              no bgp network import-check
              neighbor 192.0.2.2 remote-as 64513
              neighbor 192.0.2.2 timers connect 1
              address-family ipv4 unicast
               network 203.0.113.0/24",
        )?;
        gobgp.gobgp("global rib add 198.51.100.9/32 nexthop 192.0.2.2 community 64512:7 med 5")?;
        gobgp.await_established(ip("192.0.2.1"))?;
        let path = chosen_path(&frr, "198.51.100.9/32")?;
        assert_eq!(
            (path.as_path.as_slice(), path.med),
            ([64513].as_slice(), Some(5))
        );
        assert_eq!(path.communities, ["64512:7"]);
        wait::until("the route from FRR", SOON, || {
            let routes = gobgp.routes_from(ip("192.0.2.1"), Family::V4)?;
            let paths = routes.get(&net("203.0.113.0/24"));
            ensure!(
                paths.is_some_and(|paths| paths[0].as_path == [64512]),
                "{routes:?}"
            );
            Ok(())
        })?;
        assert_eq!(
            gobgp.routes(Family::V4)?[&net("198.51.100.9/32")][0].communities,
            ["64512:7"]
        );
        Ok(())
    });
}

#[test]
fn a_line_that_frr_refuses_is_an_error_that_names_it() {
    test(|lab| {
        let host = lab.host("a")?;
        let error = Frr::start(&host, "router bgp 64512\n neighbour 192.0.2.2\n").map(drop);
        let text = format!("{:#}", error.unwrap_err());
        ensure!(
            text.contains("line 2") && text.contains("neighbour 192.0.2.2"),
            "{text}"
        );
        Ok(())
    });
}

#[test]
fn nothing_is_left_after_a_panic() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let panicked = std::thread::spawn(move || {
        test(|lab| {
            let (a, _) = pair(lab)?;
            let frr = Frr::start(&a, "router bgp 64512")?;
            // Processes that a script put into the background belong to the lab, too.
            let shell = a.run("sh", ["-c", "sleep 1000 >/dev/null 2>&1 & echo $!"])?;
            let mut processes: Vec<u32> = frr.process_ids();
            processes.push(shell.trim().parse()?);
            sender.send((lab.id().to_owned(), lab.dir().to_owned(), processes))?;
            panic!("on purpose")
        });
    })
    .join();
    assert!(panicked.is_err());
    let (id, dir, processes) = receiver.recv().unwrap();
    assert_eq!(leftovers(&id, &dir, &processes), Vec::<String>::new());
}

/// Not a test of its own: the process that the next test kills.
#[test]
#[ignore = "helper of nothing_is_left_of_a_killed_owner; holds a lab until its standard input ends"]
fn hold_a_lab() {
    let lab = Lab::new().unwrap();
    let (a, _) = pair(&lab).unwrap();
    let sleep = a.spawn("sleep", a.command("sleep").arg("1000")).unwrap();
    println!("holding {} {}", lab.id(), sleep.id());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn nothing_is_left_of_a_killed_owner() -> Result<()> {
    let mut owner = Command::new(std::env::current_exe()?)
        .args(["--ignored", "--exact", "hold_a_lab", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let line = lines
        .map(Result::unwrap)
        .find(|line| line.contains("holding"))
        .unwrap();
    let words: Vec<_> = line.split_whitespace().rev().collect();
    let (sleep, id) = (words[0].parse()?, words[1]);
    let dir = PathBuf::from("/run/carillon-lab").join(id);
    assert!(dir.exists() && namespaces(id).len() == 3);
    owner.kill()?;
    owner.wait()?;
    wait::until("the lab to be removed", SOON, || {
        let left = leftovers(id, &dir, &[sleep]);
        ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })
}

#[test]
fn a_new_lab_sweeps_up_after_dead_owners_only() -> Result<()> {
    let mut owner = Command::new("true").spawn()?;
    owner.wait()?;
    let dead = format!("carillon-{}-0", owner.id());
    let foreign = format!("carillonneur-{}-0", owner.id());
    for id in [&dead, &foreign] {
        assert!(
            Command::new("ip")
                .args(["netns", "add", &format!("{id}-a")])
                .status()?
                .success()
        );
    }
    let alive = Lab::new()?;
    alive.host("a")?;
    Lab::new()?;
    let left = (
        namespaces(&dead),
        namespaces(&foreign),
        namespaces(alive.id()),
    );
    Command::new("ip")
        .args(["netns", "delete", &format!("{foreign}-a")])
        .status()?;
    assert_eq!((left.0.len(), left.1.len(), left.2.len()), (0, 1, 1));
    Ok(())
}
