use super::*;

/// A driver without backends, with its journal in `dir`.
fn driver(dir: &std::path::Path) -> Driver {
    Driver::new(Parts {
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
    })
}

fn problems(files: Vec<crate::files::Problem>) -> Option<Arc<Problems>> {
    let directory = None;
    Some(Arc::new(Problems { directory, files }))
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
    driver.take(
        Batch {
            problems: problems(vec![broken]),
            synced: true,
            ..Batch::default()
        },
        now,
    );
    let later = now + 2 * TIDY;
    driver.settle(later).unwrap();
    assert_eq!(driver.due(), None);
    assert_eq!(driver.journal.services().count(), 1);

    let mended = Batch {
        problems: problems(Vec::new()),
        ..Batch::default()
    };
    driver.take(mended, later);
    assert!(driver.due().is_some_and(|due| due <= later));
    driver.settle(later).unwrap();
    assert_eq!(driver.due(), None);
    assert_eq!(driver.journal.services().count(), 0);
}
