use std::fs;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use carillon_host::testing::{in_namespace, ip};
use clap::Parser as _;
use tempfile::TempDir;
use tokio::time::timeout;

use super::*;
use crate::cli::{Cli, Command};
use crate::notify::Notifier;
use crate::pulse::Heart;

/// How long a test waits for what must come.
const SOON: Duration = Duration::from_secs(20);
const SECRET_TEXT: &str = "a secret of more than sixteen bytes";

fn args(key_file: &std::path::Path) -> GossipArgs {
    let file = key_file.to_str().unwrap();
    let bind = ["--gossip-bind", "127.0.0.1:0"];
    let key = ["--gossip-key-file", file];
    let arguments = [&["carillon", "run", "--kubernetes"][..], &bind, &key].concat();
    match Cli::try_parse_from(arguments).unwrap().command {
        Command::Run(run) => run.gossip,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_created_later_is_waited_for() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("key");
    let (_, interfaces) = watch::channel(Known::default());
    let (_heart, _asked, pulse) = Heart::new(Notifier::default());
    let namespace = "metallb-system".to_owned();
    let mut arrivals = spawn_when_ready(args(&file), None, namespace, interfaces, pulse);
    let mut next = async || {
        timeout(Duration::from_secs(60), arrivals.recv())
            .await
            .unwrap()
    };
    for _ in 0..3 {
        let error = next().await.unwrap().err().unwrap().to_string();
        let command = "kubectl create secret generic carillon-gossip -n metallb-system \
                       --from-literal=key=\"$(openssl rand -base64 32)\"";
        assert!(error.contains(file.to_str().unwrap()), "{error}");
        assert!(error.contains(command), "{error}");
    }
    // One that is there is not to be created.
    fs::write(&file, "short").unwrap();
    let mut error = next().await.unwrap().err().unwrap().to_string();
    if error.contains("kubectl") {
        error = next().await.unwrap().err().unwrap().to_string();
    }
    assert!(
        error.contains("16") && !error.contains("kubectl"),
        "{error}"
    );

    fs::write(&file, SECRET_TEXT).unwrap();
    let gossip = match next().await.unwrap() {
        Ok(gossip) => gossip,
        Err(_) => next().await.unwrap().unwrap(),
    };
    assert_ne!(gossip.me.address.port(), 0);
    // It is there, once.
    assert!(next().await.is_none());
}

/// What the names would lead to.
fn found(addresses: &[&str]) -> Vec<SocketAddr> {
    let addresses = addresses.iter().map(|address| address.parse().unwrap());
    addresses.collect()
}

#[test]
fn a_loopback_address_is_of_no_use_to_others() {
    let mut args = args(std::path::Path::new("/nowhere"));
    args.gossip_bind = Some(SocketAddr::from(([0, 0, 0, 0], 0)));
    // The name of this node itself may be in its hosts file with such an address.
    args.join = vec!["node-1:7480".to_owned()];
    let towards = found(&["127.0.1.1:7480", "127.0.0.1:7480", "[::1]:7480"]);
    let error = Place::find(&args, &towards).unwrap_err().to_string();
    assert!(error.contains("--gossip-advertise"), "{error}");
    assert!(error.contains("node-1:7480"), "{error}");
    let own = SocketAddr::from(([192, 0, 2, 11], PORT));
    args.gossip_advertise = Some(own);
    assert_eq!(Place::find(&args, &towards).unwrap().address, own);
}

#[test]
fn flags_that_tell_no_address_are_refused() {
    let mut args = args(std::path::Path::new("/nowhere"));
    check(&args).unwrap();
    args.gossip_bind = Some(SocketAddr::from(([0, 0, 0, 0], PORT)));
    let error = check(&args).unwrap_err().to_string();
    assert!(error.contains("--gossip-bind"), "{error}");
    args.join = vec!["node-2:7480".to_owned()];
    check(&args).unwrap();
    args.gossip_bind = None;
    check(&args).unwrap();
}

/// The next datagram that comes.
async fn receive(receiver: &socket::Registered, buffer: &mut [u8]) -> (usize, SocketAddr) {
    loop {
        timeout(SOON, receiver.readable()).await.unwrap().unwrap();
        if let Ok(received) = receiver.try_receive(buffer) {
            return received;
        }
    }
}

#[tokio::test]
async fn a_socket_of_both_families_says_ipv4_as_such() {
    let all = socket::Socket::bind_all(0).unwrap();
    let port = all.bound().port();
    let receiver = all.register().unwrap();
    for loopback in ["127.0.0.1:0", "[::1]:0"] {
        let one = socket::Socket::bind(loopback.parse().unwrap()).unwrap();
        let sender = one.register().unwrap();
        assert!(all.reaches(one.bound().ip()));
        let to = SocketAddr::new(one.bound().ip(), port);
        sender.send(b"there", to, SOON).await.unwrap();
        let mut buffer = [0; 10];
        let (length, from) = receive(&receiver, &mut buffer).await;
        assert_eq!((length, from), (5, one.bound()));
        receiver.send(b"back", from, SOON).await.unwrap();
        let (length, from) = receive(&sender, &mut buffer).await;
        assert_eq!((length, from), (4, to));
    }
}

#[test]
fn of_a_name_with_both_families_one_is_called() {
    let found = Found {
        by_name: vec![
            found(&["192.0.2.1:1", "[2001:db8::1]:1"]),
            found(&["[2001:db8::2]:1"]),
            found(&["192.0.2.3:1"]),
        ],
        is_complete: true,
    };
    let all = socket::Socket::bind_all(0).unwrap();
    let me = "[2001:db8::9]:1".parse().unwrap();
    let expected = ["192.0.2.3:1", "[2001:db8::1]:1", "[2001:db8::2]:1"];
    let expected: Vec<SocketAddr> = expected.map(|one| one.parse().unwrap()).into();
    assert_eq!(reached(&found, &all, me), expected);
    let v4 = socket::Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let me = "192.0.2.9:1".parse().unwrap();
    assert_eq!(reached(&found, &v4, me).len(), 2);
}

#[test]
fn a_late_clock_is_never_taken_for_a_pause() {
    for heartbeat in [5, 10, 20, 40, 80, 1000].map(Duration::from_millis) {
        let profile = Profile::fast(heartbeat);
        assert!(io::late(profile) <= profile.heartbeat / 4);
    }
    assert_eq!(io::late(Profile::standard()), Duration::from_millis(20));
}

#[tokio::test]
async fn a_name_that_is_not_found_holds_back_no_other() {
    let names = ["nowhere.invalid:7480", "127.0.0.1:7480"].map(str::to_owned);
    let mut news = names::follow(names.into());
    let known = found(&["127.0.0.1:7480"]);
    loop {
        let found = news.recv().await.unwrap();
        if found.addresses().collect::<Vec<_>>() == known {
            break;
        }
        assert!(!found.is_complete, "{found:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_is_looked_up_again_sooner_while_it_is_not_found() {
    let (asked, mut looks) = mpsc::unbounded_channel();
    let start = tokio::time::Instant::now();
    // At first nobody knows it.
    let _news = names::follow_by(vec!["node-2:7480".to_owned()], move |_| {
        let (asked, number) = (asked.clone(), start.elapsed().as_secs());
        async move {
            asked.send(number).unwrap();
            if number < 4 {
                return Err(std::io::ErrorKind::NotFound.into());
            }
            Ok(vec![SocketAddr::from(([192, 0, 2, 2], 7480))])
        }
    });
    for expected in [0, 2, 4, 34, 64] {
        assert_eq!(looks.recv().await, Some(expected));
    }
}

#[test]
fn an_address_that_is_gone_is_left_and_taken_again() {
    let mut args = args(std::path::Path::new("/nowhere"));
    let [one, other] = ["127.0.0.1", "127.0.0.2"].map(|one| one.parse::<IpAddr>().unwrap());
    args.gossip_bind = Some(SocketAddr::new(one, 0));
    let mut place = Place::find(&args, &[]).unwrap();
    let first = place.address;
    // There is no way to others but by a loopback address, which is of no use.
    let towards = found(&["127.0.0.3:7480"]);
    assert!(
        !place.review(&[other], &towards).unwrap(),
        "it was never here"
    );
    assert!(!place.review(&[one, other], &towards).unwrap());
    assert!(!place.review(&[other], &towards).unwrap());
    assert_eq!(place.address, first);
}

#[test]
fn what_one_interface_does_not_send_holds_back_no_other() {
    in_namespace(|| async {
        ip("link add eth0 type veth peer name switch");
        ip("link set eth0 up");
        ip("link set switch up");
        ip("address add 192.0.2.1/24 dev eth0");
        let mut ours = socket::Socket::bind_all(0).unwrap();
        let other = socket::Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (address, there) = (other.bound(), other.register().unwrap());
        let full = ours.register().unwrap();
        let short = Duration::from_millis(20);
        let is_full = |sent: std::io::Result<()>| {
            sent.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
        };
        // The kernel looks for these neighbors for three seconds.
        let nobody = (2..10).map(|n| SocketAddr::from(([192, 0, 2, n], PORT)));
        let mut sent = 0;
        for to in nobody.cycle() {
            if is_full(full.send(&[0; 1000], to, short).await) {
                break;
            }
            sent += 1;
            assert!(sent < 10_000, "the buffer has no end");
        }
        assert!(is_full(full.send(b"full", address, short).await));

        ours.renew().unwrap();
        let renewed = ours.register().unwrap();
        drop(full);
        renewed.send(b"there", address, SOON).await.unwrap();
        let mut buffer = [0; 10];
        let (length, from) = receive(&there, &mut buffer).await;
        assert_eq!((length, from.port()), (5, ours.bound().port()));
        there.send(b"back", from, SOON).await.unwrap();
        assert_eq!(receive(&renewed, &mut buffer).await, (4, address));
        // It is as hard to take as it was before.
        assert!(socket::Socket::bind(ours.bound()).is_err());
        assert!(socket::Socket::bind_all(ours.bound().port()).is_err());
    });
}

/// Has a daemon that is told of names, on the loopback interface.
fn link(
    args: &GossipArgs,
    names: mpsc::Receiver<Found>,
    told: mpsc::Receiver<super::Command>,
) -> io::Link {
    let place = Place::find(args, &[]).unwrap();
    let settings = Settings {
        address: place.address,
        generation: 1,
        profile: Profile::standard(),
        alone_after: ALONE_AFTER,
        cluster: args.gossip_cluster.clone(),
    };
    let keys = Secret::read(args).unwrap().keys;
    let (_heart, _asked, pulse) = Heart::new(Notifier::default());
    io::Link {
        membership: Membership::new(settings, keys, rand::make_rng(), Instant::now()),
        place,
        told,
        events: mpsc::channel(1).0,
        names: Some(names),
        has_pods: false,
        keys: mpsc::channel(1).1,
        interfaces: watch::channel(Known::default()).1,
        late: io::late(Profile::standard()),
        seeds: io::Seeds::new(Found::default()),
        watcher: Watcher::new(pulse),
    }
}

#[test]
fn who_floods_the_socket_keeps_nobody_from_their_turn() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("key");
    fs::write(&file, SECRET_TEXT).unwrap();
    let (names, named) = mpsc::channel(1);
    let (commands, told) = mpsc::channel(1);
    let link = link(&args(&file), named, told);
    let address = link.place.address;
    let thread = thread::spawn(move || link.run());

    let is_over = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = (0..2)
        .map(|_| {
            let is_over = is_over.clone();
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    // Whoever floods does not mind.
                    let _ = socket.send_to(&[0; 1000], address);
                }
            })
        })
        .collect();
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    other.set_read_timeout(Some(SOON)).unwrap();
    let found = Found {
        by_name: vec![vec![other.local_addr().unwrap()]],
        is_complete: true,
    };
    names.try_send(found).unwrap();
    let (_, from) = other.recv_from(&mut [0; 2000]).expect("it is called");
    assert_eq!(from, address);
    is_over.store(true, Ordering::Relaxed);
    for flood in floods {
        flood.join().unwrap();
    }
    drop(commands);
    thread.join().unwrap();
}
