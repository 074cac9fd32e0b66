use super::*;
use crate::status::{
    Announced, Configuration, Controller, Dropped, Node, Problems, Service, Unsent,
};

fn service(name: &str, why: Option<&str>) -> Service {
    Service {
        name: name.into(),
        announced: why.is_none(),
        reason: why.map(|_| "noEndpoints".into()),
        why: why.map(Into::into),
        ..Service::default()
    }
}

#[test]
fn troubled_services_come_first_and_say_why() {
    let services = vec![
        service("default/fine", None),
        service("default/ill", Some("no luck")),
    ];
    let text = render(
        &Status {
            services,
            ..Status::default()
        },
        false,
    );
    assert!(text.contains("1 of 2 announced from this node"), "{text}");
    let (ill, fine) = (text.find("default/ill"), text.find("default/fine"));
    assert!(ill < fine, "{text}");
    assert!(text.contains("no luck (noEndpoints)"), "{text}");
}

#[test]
fn long_lists_are_cut_unless_all_is_asked_for() {
    let names = (0..30).map(|n| service(&format!("default/s{n:02}"), None));
    let status = Status {
        services: names.collect(),
        ..Status::default()
    };
    let text = render(&status, false);
    assert!(text.contains("and 10 more; --all"), "{text}");
    assert!(!text.contains("default/s29"), "{text}");
    assert!(render(&status, true).contains("default/s29"));
}

#[test]
fn problems_and_an_outdated_configuration_are_told() {
    let status = Status {
        problems: Problems {
            files: vec!["a.yaml:1: bad".into()],
            ..Problems::default()
        },
        configuration: Configuration {
            object: "ConfigMap metallb-system/config".into(),
            file: Some("a.yaml".into()),
            accepted_seconds_ago: Some(3700.0),
            up_to_date: false,
        },
        ..Status::default()
    };
    let text = render(&status, false);
    assert!(text.contains("! a.yaml:1: bad"), "{text}");
    assert!(
        text.contains("an older version is in force, accepted 1h1m ago"),
        "{text}"
    );
}

#[test]
fn what_is_known_of_a_peer_fits_the_screen() {
    let route = |prefix: &str| Announced {
        prefix: prefix.into(),
        attributes: "next hop 192.0.2.1".into(),
    };
    let status = Status {
        neighbors: vec![Neighbor {
            backend: "bgp".into(),
            name: "192.0.2.9".into(),
            state: "Established".into(),
            since_seconds: 90_061.0,
            facts: (0..30)
                .map(|n| (format!("fact {n}"), "value".into()))
                .collect(),
            last_error: Some("word ".repeat(40)),
            in_sync: true,
            sent_prefixes: 2,
            announced: vec![route("198.51.100.1/32"), route("198.51.100.100/32")],
        }],
        ..Status::default()
    };
    let text = render(&status, false);
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(
        widest.is_some_and(|widest| widest <= usize::from(WIDTH)),
        "{text}"
    );
    assert!(text.contains("fact 0 value, fact 1 value"), "{text}");
    assert!(text.contains("fact 29 value\n"), "{text}");
    assert!(
        text.contains("\n  198.51.100.1/32    next hop 192.0.2.1\n"),
        "{text}"
    );
    assert!(text.contains("Established  1d1h"), "{text}");
}

#[test]
fn announcing_to_nobody_is_told() {
    let services = vec![service("default/fine", None)];
    let text = render(
        &Status {
            services,
            ..Status::default()
        },
        false,
    );
    assert!(text.contains("no peer is up to hear it"), "{text}");
}

#[test]
fn who_gives_addresses_is_told_where_daemons_take_turns() {
    let text = |controller: Option<Controller>| {
        let status = Status {
            controller,
            ..Status::default()
        };
        render(&status, false)
    };
    assert!(!text(None).contains("Controller"));
    let mut controller = Controller::default();
    assert!(text(Some(controller.clone())).contains("nobody gives services addresses"));
    controller.holder = Some("pod_1".into());
    assert!(text(Some(controller.clone())).contains("pod_1 gives services their addresses"));
    controller.leads = true;
    assert!(text(Some(controller.clone())).contains("this node gives services their addresses\n"));
    controller.unwritten = 2;
    assert!(text(Some(controller)).contains("2 are still to be written"));
}

#[test]
fn dropped_datagrams_are_counted_by_host() {
    let dropped = (0..30).map(|number| Dropped {
        from: [192, 0, 2, number].into(),
        why: "received before".into(),
        count: 17,
        seconds_ago: 3.0,
    });
    let status = Status {
        dropped: dropped.collect(),
        ..Status::default()
    };
    let text = render(&status, false);
    for part in [
        "192.0.2.0",
        "17",
        "3s ago",
        "received before",
        "and 10 more",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn what_did_not_leave_this_host_is_told_with_the_nodes() {
    let status = Status {
        nodes: vec![Node::default()],
        unsent: Some(Unsent {
            count: 3,
            seconds_ago: 61.0,
        }),
        ..Status::default()
    };
    let text = render(&status, false);
    assert!(text.contains("3 times"), "{text}");
    assert!(text.contains("1m1s ago"), "{text}");
}
