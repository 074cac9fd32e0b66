use super::*;
use crate::config::Password;
use crate::selector::Selector;
use crate::testing::{ip, peer};

#[test]
fn each_setting_takes_what_it_needs_to_be_in_force() {
    type Change = fn(&mut Peer);
    let changes: [(Difference, &[Change]); 3] = [
        (
            Difference::None,
            &[
                |_| (),
                |peer| peer.name = "another".into(),
                |peer| {
                    peer.node_selectors.push(Selector {
                        requirements: Vec::new(),
                    });
                },
            ],
        ),
        (
            Difference::Live,
            &[
                |peer| peer.keepalive_time = Some(Duration::from_secs(3)),
                |peer| peer.connect_time = Some(Duration::from_secs(3)),
            ],
        ),
        (
            Difference::Reset,
            &[
                |peer| peer.my_asn += 1,
                |peer| peer.peer_asn += 1,
                |peer| peer.address = ip("192.168.7.11"),
                |peer| peer.port += 1,
                |peer| peer.source_address = Some(ip("192.168.7.13")),
                |peer| peer.hold_time = Duration::from_secs(30),
                |peer| peer.router_id = Some(Ipv4Addr::new(1, 1, 1, 1)),
                |peer| peer.password = Some(Password("secret".to_owned())),
                |peer| peer.ebgp_multihop = Some(false),
                |peer| {
                    peer.keepalive_time = Some(Duration::from_secs(3));
                    peer.hold_time = Duration::from_secs(30);
                },
            ],
        ),
    ];
    let before = peer("192.168.7.10", 64512);
    for (expected, changes) in changes {
        for change in changes {
            let mut after = before.clone();
            change(&mut after);
            assert_eq!(before.difference(&after), expected, "{after:?}");
            assert_eq!(after.difference(&before), expected, "{after:?}");
        }
    }
}
