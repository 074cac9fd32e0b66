//! The daemons of other nodes, as the driver looks for them.

use std::net::Ipv4Addr;

use carillon_core::service::ServiceKey;
use carillon_gossip::{Event, MemberId};
use carillon_objects::Kind;
use tokio::sync::mpsc::{Receiver, channel};

use super::*;
use crate::gossip::{Command, Commands, Gossip};

fn pod(name: &str, address: Option<u8>) -> Change {
    let key = pod_key(name);
    let address = address.map(|number| Ipv4Addr::new(192, 0, 2, number).into());
    Change::Set(key, Object::Pod(address))
}

fn pod_key(name: &str) -> ObjectKey {
    ObjectKey {
        kind: Kind::Pod,
        name: ServiceKey::new("metallb-system", name),
    }
}

fn joined(daemon: &mut Daemon) -> Receiver<Command> {
    let (commands, told) = Commands::new();
    let (_, events) = channel(1);
    let me = MemberId {
        address: "192.0.2.1:7480".parse().unwrap(),
        generation: 1,
    };
    let gossip = Gossip {
        me,
        events,
        commands,
    };
    assert!(daemon.driver.joined(Ok(gossip), daemon.now).is_some());
    told
}

/// The last octets of the addresses that are called from here on, if that was told.
fn peers(told: &mut Receiver<Command>) -> Option<Vec<u8>> {
    let mut last = None;
    while let Ok(command) = told.try_recv() {
        if let Command::Peers(addresses) = command {
            let octet = |address: IpAddr| match address {
                IpAddr::V4(address) => address.octets()[3],
                IpAddr::V6(_) => panic!("{address}"),
            };
            last = Some(addresses.into_iter().map(octet).collect());
        }
    }
    last
}

impl Daemon {
    fn change(&mut self, changes: Vec<Change>) {
        self.batch.changes = changes;
        self.settle();
    }
}

#[test]
fn the_daemons_in_pods_are_called_as_long_as_the_api_server_does_not_say_that_they_are_gone() {
    let dir = Dir::new();
    let mut daemon = Daemon::new(&dir.journal());
    // Those that are listed before there is a secret are called as soon as there is one.
    daemon.change(vec![pod("a", Some(1)), pod("b", Some(2)), pod("c", None)]);
    let mut told = joined(&mut daemon);
    daemon.settle();
    assert_eq!(peers(&mut told), Some(vec![1, 2]));

    daemon.change(vec![pod("c", Some(3))]);
    assert_eq!(peers(&mut told), Some(vec![1, 2, 3]));
    daemon.change(vec![pod("c", Some(3))]);
    assert_eq!(peers(&mut told), None);

    // An API server that is away takes nothing back.
    daemon.driver.take_problems(Arc::new(Problems {
        unreachable: vec!["the API server does not answer".to_owned()],
        ..Problems::default()
    }));
    daemon.pass(MINUTE);
    assert_eq!(peers(&mut told), None);

    // A pod that is replaced on its node has its address.
    daemon.change(vec![
        Change::Removed(pod_key("b")),
        pod("d", Some(2)),
        Change::Removed(pod_key("c")),
    ]);
    assert_eq!(peers(&mut told), Some(vec![1, 2]));
}

#[test]
fn without_a_secret_only_those_are_troubled_who_need_one() {
    let dir = Dir::new();
    let files = [("c.yaml", &*usual()), ("w.yaml", &*web())];
    let mut daemon = Daemon::started(&dir.journal(), &files);
    let no_secret = || Err(anyhow::anyhow!("there is no secret"));
    assert!(daemon.driver.joined(no_secret(), daemon.now).is_none());
    daemon.settle();
    assert_eq!(daemon.status().problems.other, [""; 0]);
    assert_eq!(daemon.vips(), ["192.0.2.0"]);
    assert_eq!(daemon.driver.lacks(), [""; 0]);

    let both = pool("a", "192.0.2.0/28") + &pool("b", "192.0.2.64/28").replace("bgp", "layer2");
    daemon.write("c.yaml", &config(&both));
    let problems = daemon.status().problems.other;
    assert!(
        problems.len() == 1 && problems[0].contains("there is no secret"),
        "{problems:?}"
    );
    assert_eq!(daemon.vips(), ["192.0.2.0"]);
    // BGP does not wait for it.
    assert_eq!(daemon.driver.lacks(), [""; 0]);

    joined(&mut daemon);
    daemon.settle();
    assert_eq!(daemon.status().problems.other, [""; 0]);
}

#[test]
fn a_daemon_that_does_not_know_yet_what_others_announce_is_not_ready() {
    let dir = Dir::new();
    let mut daemon = Daemon::with(&dir.journal(), speaker::Settings::default(), true);
    daemon.start(&[("c.yaml", &usual())]);
    assert_eq!(daemon.driver.lacks(), [""; 0]);
    joined(&mut daemon);
    assert_eq!(daemon.driver.lacks().len(), 1);
    daemon.driver.heard(Event::Settled, daemon.now);
    assert_eq!(daemon.driver.lacks(), [""; 0]);
}
