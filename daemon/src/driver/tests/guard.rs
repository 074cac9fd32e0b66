//! Giving way to MetalLB.

use carillon_core::service::ServiceKey;
use carillon_objects::{Kind, MetallbPart, MetallbPod};

use super::*;

fn pod(name: &str, pod: Option<&str>) -> Change {
    let key = ObjectKey {
        kind: Kind::MetallbPod,
        name: ServiceKey::new("metallb-system", name),
    };
    let pod = pod.map(|node| MetallbPod {
        part: MetallbPart::Speaker,
        node: node.into(),
        class: None,
    });
    Change::Set(key, Object::MetallbPod(pod))
}

impl Daemon {
    fn arp_vips(&self) -> Vec<String> {
        let set = self.arp.sets().last().unwrap().clone();
        set.by_vip.keys().map(ToString::to_string).collect()
    }

    fn see(&mut self, change: Change) {
        self.batch.changes = vec![change];
        self.settle();
    }
}

#[test]
fn a_speaker_of_metallb_has_layer_2_and_on_its_node_the_sessions_of_bgp_until_it_is_gone() {
    let dir = Dir::new();
    let both = pool("a", "192.0.2.0/28") + &pool("b", "192.0.2.64/28").replace("bgp", "layer2");
    let peers = "    peers: [{my-asn: 64512, peer-asn: 64512, peer-address: 192.0.2.100}]\n";
    let files = [
        ("c.yaml", config(&(both + peers))),
        ("w.yaml", web()),
        ("l.yaml", service("l", ", loadBalancerIP: 192.0.2.65")),
    ];
    let mut daemon = Daemon::new(&dir.journal());
    // It is known before anything is announced.
    daemon.batch.changes = vec![pod("elsewhere", Some("m"))];
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, &**text)).collect();
    daemon.start(&files);
    daemon.driver.set_interfaces(report::eth0(), daemon.now);
    daemon.pass(MINUTE);
    assert_eq!((daemon.arp_vips(), daemon.vips().len()), (vec![], 1));
    assert!(daemon.arp.sets().iter().all(|set| set.by_vip.is_empty()));
    let status = daemon.status();
    let layer2 = status
        .services
        .iter()
        .find(|one| one.name == "default/l")
        .unwrap();
    assert_eq!(layer2.reason.as_deref(), Some("leftToMetalLB"));
    assert!(
        status.problems.other[0].contains("elsewhere on node m"),
        "{:?}",
        status.problems
    );
    // A rolling update waits for none of this.
    assert_eq!(daemon.driver.lacks(), [""; 0]);

    daemon.see(pod("here", Some("n")));
    assert_eq!(
        (daemon.vips(), daemon.set().config.bgp.peers.len()),
        (vec![], 0)
    );
    daemon.see(pod("elsewhere", None));
    assert_eq!(daemon.arp_vips(), [""; 0]);

    daemon.see(pod("here", None));
    assert_eq!(daemon.arp_vips(), ["192.0.2.65"]);
    assert_eq!(
        (daemon.vips().len(), daemon.set().config.bgp.peers.len()),
        (1, 1)
    );
    assert_eq!(daemon.status().problems.other, [""; 0]);

    // It comes back.
    daemon.see(pod("again", Some("m")));
    assert_eq!((daemon.arp_vips(), daemon.vips().len()), (vec![], 1));
}
