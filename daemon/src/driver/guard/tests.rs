use carillon_core::service::ServiceKey;
use carillon_objects::Kind;

use super::*;

fn key(name: &str) -> ObjectKey {
    ObjectKey {
        kind: Kind::MetallbPod,
        name: ServiceKey::new("metallb-system", name),
    }
}

fn pod(part: MetallbPart, node: &str, class: Option<&str>) -> MetallbPod {
    MetallbPod {
        part,
        node: node.into(),
        class: class.map(Arc::from),
    }
}

#[test]
fn a_speaker_has_layer_2_everywhere_and_bgp_on_its_node_and_a_controller_the_addresses() {
    use MetallbPart::{Controller, Speaker};

    // What is left, as (addresses, layer 2, BGP), to these Pods, on the node `n`.
    for (pods, class, expected) in [
        (vec![], None, (false, false, false)),
        (vec![pod(Speaker, "m", None)], None, (false, true, false)),
        (
            vec![pod(Speaker, "m", None), pod(Speaker, "n", None)],
            None,
            (false, true, true),
        ),
        (vec![pod(Controller, "n", None)], None, (true, false, false)),
        // One of another class has none of the Services.
        (
            vec![
                pod(Controller, "n", Some("a")),
                pod(Speaker, "n", Some("a")),
            ],
            None,
            (false, false, false),
        ),
        (
            vec![pod(Speaker, "n", None)],
            Some("a"),
            (false, false, false),
        ),
        (
            vec![pod(Speaker, "n", Some("a"))],
            Some("a"),
            (false, true, true),
        ),
    ] {
        let mut guard = Guard::new("n", class.map(str::to_owned));
        for (number, pod) in pods.iter().enumerate() {
            guard.set(&key(&number.to_string()), Some(pod.clone()));
        }
        let left = guard.left();
        let found = (left.addresses, left.exclusive, left.shared);
        assert_eq!(found, expected, "{class:?} {pods:?}");
        for number in 0..pods.len() {
            guard.set(&key(&number.to_string()), None);
        }
        assert_eq!(guard.left(), Left::default());
    }
}

#[test]
fn people_are_told_which_pods_it_is_about() {
    let mut guard = Guard::new("n", None);
    guard.set(&key("a"), Some(pod(MetallbPart::Speaker, "m", None)));
    guard.set(&key("c"), Some(pod(MetallbPart::Controller, "m", None)));
    let texts: Vec<_> = guard.problems(true).collect();
    assert_eq!(
        texts,
        [
            "MetalLB's speaker runs (Pod metallb-system/a on node m): layer 2 is left to it, until it \
             is gone",
            "MetalLB's controller runs (Pod metallb-system/c): addresses and the status of services \
             are left to it, until it is gone",
        ]
    );
    assert_eq!(
        guard.problems(false).count(),
        1,
        "one that announces nothing"
    );
    guard.set(&key("b"), Some(pod(MetallbPart::Speaker, "n", None)));
    guard.left = guard.left();
    let here = guard.problems(true).next().unwrap();
    assert!(
        here.contains("/b on node n): layer 2 is left to it, and its BGP sessions"),
        "{here}"
    );
}
