use super::*;
use crate::status::{Configuration, Problems};

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
