use super::*;

/// A driver without backends, with its journal in `dir`, for pools with `protocol: bgp`.
fn driver(dir: &std::path::Path) -> Driver {
    let mut driver = Driver::new(Parts {
        started: Instant::now(),
        node: "n".to_owned(),
        class: None,
        config: ObjectKey {
            kind: Kind::ConfigMap,
            namespace: "metallb-system".into(),
            name: "config".into(),
        },
        source: dir.display().to_string(),
        journal: Journal::new(dir.join("journal")),
        backends: Vec::new(),
    });
    driver.config = ConfigState::new(driver.config.key().clone(), String::new(), vec!["bgp"]);
    driver
}

fn synced() -> Batch {
    Batch {
        synced: true,
        ..Batch::default()
    }
}

fn problems(files: Vec<crate::files::Problem>) -> Arc<Problems> {
    let directory = None;
    Arc::new(Problems { directory, files })
}

#[test]
fn tidying_waits_without_spinning_for_a_file_that_may_hold_any_service() {
    let dir = tempfile::tempdir().unwrap();
    let mut driver = driver(dir.path());
    let line = "{\"service\": \"default/a\", \"addresses\": [\"192.0.2.1\"]}\n";
    std::fs::write(dir.path().join("journal"), line).unwrap();
    let broken = crate::files::Problem {
        file: "a.yaml".to_owned(),
        at: None,
        object: None,
        message: "not valid YAML".to_owned(),
        keeps_last: false,
    };
    let now = Instant::now();
    let unreadable = Batch {
        problems: Some(problems(vec![broken])),
        ..synced()
    };
    driver.take(unreadable, now);
    let later = now + 2 * TIDY;
    driver.settle(later).unwrap();
    assert_eq!(driver.due(), None);
    assert_eq!(driver.journal.services().count(), 1);

    let mended = Batch {
        problems: Some(problems(Vec::new())),
        ..Batch::default()
    };
    driver.take(mended, later);
    assert!(driver.due().is_some_and(|due| due <= later));
    driver.settle(later).unwrap();
    assert_eq!(driver.due(), None);
    assert_eq!(driver.journal.services().count(), 0);
}

/// What the source tells of the objects in this text.
fn read(text: &str) -> Batch {
    let changes = crate::objects::parse("a.yaml", text).into_iter();
    let changes = changes.map(|parsed| {
        let object = parsed.object.expect("a good object");
        Change::Set(parsed.key.expect("a key"), Arc::new(object))
    });
    Batch {
        changes: changes.collect(),
        ..Batch::default()
    }
}

const CONFIG: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {namespace: metallb-system, name: config}
data:
  config: |
    address-pools: [{name: p, protocol: bgp, addresses: [192.0.2.0/30]}]
";

fn service(name: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n\
         spec: {{type: LoadBalancer, ports: [{{port: 80}}]}}\n"
    )
}

impl Driver {
    fn addresses(&self, name: &str) -> String {
        let status = self.controller.explain(&ServiceKey::new("default", name));
        join(&status.map_or_else(Vec::new, |status| status.addresses))
    }
}

#[test]
fn what_a_service_in_an_unreadable_file_has_is_given_to_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let now = Instant::now();
    let mut first = driver(dir.path());
    first.take(read(&(CONFIG.to_owned() + &service("a"))), now);
    first.take(synced(), now);
    first.settle(now).unwrap();
    assert_eq!(first.addresses("a"), "192.0.2.0");

    let mut restarted = driver(dir.path());
    restarted.take(read(CONFIG), now);
    restarted.take(synced(), now);
    restarted.take(read(&service("b")), now);
    restarted.settle(now).unwrap();
    assert_eq!(restarted.addresses("b"), "192.0.2.1");
    restarted.take(read(&service("a")), now);
    restarted.settle(now).unwrap();
    assert_eq!(restarted.addresses("a"), "192.0.2.0");
}

#[test]
fn what_another_daemon_gave_a_service_that_is_not_here_yet_is_given_to_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let now = Instant::now();
    let start = || {
        let mut driver = driver(dir.path());
        driver.take(read(CONFIG), now);
        driver.take(synced(), now);
        driver.settle(now).unwrap();
        driver
    };
    let (mut one, mut other) = (start(), start());
    one.take(read(&service("a")), now);
    one.settle(now).unwrap();
    other.take(read(&service("b")), now);
    other.settle(now).unwrap();
    assert_eq!(
        (one.addresses("a"), other.addresses("b")),
        ("192.0.2.0".into(), "192.0.2.1".into())
    );

    // Only the journal tells that a service has ended, here where it never was.
    one.take(
        Batch {
            changes: vec![Change::Removed(ObjectKey {
                kind: Kind::Service,
                namespace: "default".into(),
                name: "a".into(),
            })],
            ..Batch::default()
        },
        now,
    );
    one.settle(now).unwrap();
    other.take(read(&service("c")), now);
    other.settle(now).unwrap();
    assert_eq!(other.addresses("c"), "192.0.2.0");
}
