use super::*;

fn catalog() -> Catalog {
    Catalog::new(ObjectKey::config_map("metallb-system", "config"))
}

fn service(name: &str, port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: \
         {port}}}]}}\n---\n"
    )
}

fn set(catalog: &mut Catalog, file: &str, text: &str) -> Vec<String> {
    let mut changes = Vec::new();
    catalog.set(&file.into(), Contents::Text(text.to_owned()), &mut changes);
    shown(changes)
}

fn remove(catalog: &mut Catalog, file: &str) -> Vec<String> {
    let mut changes = Vec::new();
    catalog.remove(&file.into(), &mut changes);
    shown(changes)
}

fn shown(changes: Vec<Change>) -> Vec<String> {
    let show = |change| match change {
        Change::Set(key, object) => match object {
            Object::Service(service) => {
                let port = service.ports.first().map(|port| port.number);
                format!("{} {}", key.name.name(), port.unwrap_or_default())
            }
            other => format!("{} {other:?}", key.name.name()),
        },
        Change::Removed(key) => format!("-{}", key.name.name()),
    };
    changes.into_iter().map(show).collect()
}

fn problems(catalog: &Catalog) -> Vec<String> {
    catalog
        .problems()
        .map(|problem| problem.to_string())
        .collect()
}

#[test]
fn a_contradiction_with_a_file_that_may_be_gone_is_none_yet() {
    let mut catalog = catalog();
    set(&mut catalog, "a.yaml", &service("a", 1));
    set(&mut catalog, "b.yaml", &service("a", 2));
    catalog.set_doubtful(["a.yaml".into()].into());
    assert_eq!(problems(&catalog), [""; 0]);
    assert!(catalog.take_problems_changed());
    set(&mut catalog, "c.yaml", &service("a", 3));
    assert_eq!(
        problems(&catalog),
        [
            "b.yaml:1:1: Service default/a: is also defined in c.yaml:1; this one is used (the \
             first file by name): remove the others"
        ]
    );
    remove(&mut catalog, "c.yaml");
    catalog.set_doubtful(BTreeSet::new());
    assert!(
        problems(&catalog)[0].starts_with("a.yaml:1:1"),
        "{:?}",
        problems(&catalog)
    );
}

#[test]
fn what_is_noted_of_a_file_goes_with_it() {
    let mut catalog = catalog();
    let endpoints = "apiVersion: v1\nkind: Endpoints\nmetadata: {name: web}\n";
    assert_eq!(set(&mut catalog, "a.yaml", endpoints), [""; 0]);
    assert!(catalog.take_problems_changed());
    assert_eq!(problems(&catalog), [""; 0]);
    let notes: Vec<String> = catalog.notes().map(|note| note.to_string()).collect();
    assert!(
        notes[0].starts_with("a.yaml:1:1: Endpoints default/web"),
        "{notes:?}"
    );
    remove(&mut catalog, "a.yaml");
    assert!(catalog.take_problems_changed() && catalog.notes().next().is_none());
}

#[test]
fn only_what_changed_is_told() {
    let mut catalog = catalog();
    let both = service("a", 1) + &service("b", 2);
    assert_eq!(set(&mut catalog, "x.yaml", &both), ["a 1", "b 2"]);
    assert!(set(&mut catalog, "x.yaml", &both).is_empty());
    assert_eq!(
        set(
            &mut catalog,
            "x.yaml",
            &(service("a", 3) + &service("c", 4))
        ),
        ["a 3", "-b", "c 4"]
    );
    assert_eq!(remove(&mut catalog, "x.yaml"), ["-a", "-c"]);
    assert!(remove(&mut catalog, "x.yaml").is_empty());
}

#[test]
fn a_broken_object_keeps_its_last_version_and_no_other() {
    let mut catalog = catalog();
    set(
        &mut catalog,
        "x.yaml",
        &(service("a", 1) + &service("b", 2) + &service("c", 3)),
    );
    let broken = service("a", 0) + &service("c", 4);
    assert_eq!(set(&mut catalog, "x.yaml", &broken), ["-b", "c 4"]);
    assert_eq!(
        problems(&catalog),
        [
            "x.yaml:4:23: Service default/a: spec.ports[0].port: 0 is not a port number, 1 to \
             65535 (the last good version stays in force)"
        ]
    );
    assert_eq!(set(&mut catalog, "x.yaml", &service("a", 5)), ["a 5", "-c"]);
    assert!(problems(&catalog).is_empty());
}

#[test]
fn what_cannot_be_told_apart_keeps_everything() {
    let mut catalog = catalog();
    set(
        &mut catalog,
        "x.yaml",
        &(service("a", 1) + &service("b", 2)),
    );
    assert_eq!(
        set(&mut catalog, "x.yaml", &(service("a", 7) + "kind: [\n")),
        ["a 7"]
    );
    assert_eq!(problems(&catalog).len(), 1);
    let mut changes = Vec::new();
    catalog.set(
        &"x.yaml".into(),
        Contents::Unreadable("cannot be read".to_owned()),
        &mut changes,
    );
    assert!(changes.is_empty());
    assert_eq!(
        problems(&catalog),
        ["x.yaml: cannot be read (the last good version stays in force)"]
    );
    assert_eq!(remove(&mut catalog, "x.yaml"), ["-a", "-b"]);
    assert!(problems(&catalog).is_empty());
}

#[test]
fn a_file_that_is_emptied_keeps_its_objects() {
    for nothing in [
        "",
        " \n\n",
        "# soon\n",
        "---\n---\n...\n",
        "%YAML 1.2\n---\n",
    ] {
        let mut catalog = catalog();
        let both = service("a", 1) + &service("b", 2);
        set(&mut catalog, "x.yaml", &both);
        assert!(
            set(&mut catalog, "x.yaml", nothing).is_empty(),
            "{nothing:?}"
        );
        let told = "x.yaml: is empty: delete the file to withdraw its 2 objects (the last good version \
                    stays in force)";
        assert_eq!(problems(&catalog), [told]);
        assert!(set(&mut catalog, "x.yaml", nothing).is_empty());
        assert_eq!(set(&mut catalog, "x.yaml", &service("b", 2)), ["-a"]);
        assert!(problems(&catalog).is_empty());
        assert!(set(&mut catalog, "x.yaml", nothing).is_empty());
        assert_eq!(remove(&mut catalog, "x.yaml"), ["-b"]);
        assert!(problems(&catalog).is_empty());
    }
    // Comments alone have always been right.
    let mut catalog = catalog();
    assert!(set(&mut catalog, "x.yaml", "# soon\n").is_empty() && problems(&catalog).is_empty());
}

/// After a start nobody knows what was in it.
#[test]
fn a_file_that_has_been_empty_from_the_start_is_told() {
    for nothing in ["", " \n\n"] {
        let mut catalog = catalog();
        assert!(set(&mut catalog, "x.yaml", nothing).is_empty());
        let told = "x.yaml: is empty: write its objects into it, or delete the file";
        assert_eq!(problems(&catalog), [told]);
        remove(&mut catalog, "x.yaml");
        assert!(problems(&catalog).is_empty());
    }
}

#[test]
fn what_has_moved_out_of_a_file_that_is_emptied_is_where_it_is_now() {
    let mut catalog = catalog();
    set(&mut catalog, "a.yaml", &service("a", 1));
    set(&mut catalog, "b.yaml", &service("a", 2));
    assert_eq!(set(&mut catalog, "a.yaml", "# moved\n"), ["a 2"]);
    assert!(problems(&catalog).is_empty());
}

#[test]
fn of_many_problems_a_few_are_listed_and_the_configuration_is_among_them() {
    let mut catalog = catalog();
    let broken = |n: usize| format!("broken-{n:05}.yaml");
    for n in 0..=LISTED + 1 {
        set(&mut catalog, &broken(n), "a: [");
    }
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config, namespace: \
                  metallb-system}\n";
    set(&mut catalog, "zz.yaml", config);
    let listed = catalog.listed();
    assert_eq!((listed.objects.len(), listed.omitted), (LISTED, 3));
    assert_eq!(listed.objects[0].file, "zz.yaml");
    assert_eq!(listed.objects[1].file, broken(0));
    assert_eq!(listed.more().unwrap(), "… and 3 more problems");
    assert_eq!(problems(&catalog).len(), LISTED + 3);

    for n in 0..3 {
        remove(&mut catalog, &broken(n));
    }
    let listed = catalog.listed();
    assert_eq!(
        (listed.objects.len(), listed.omitted, listed.more()),
        (LISTED, 0, None)
    );
}

#[test]
fn of_many_notes_a_few_are_listed() {
    let mut catalog = catalog();
    let endpoints = "apiVersion: v1\nkind: Endpoints\nmetadata: {name: web}\n";
    for n in 0..=LISTED {
        set(&mut catalog, &format!("{n}.yaml"), endpoints);
    }
    let listed = catalog.listed();
    assert_eq!((listed.notes.len(), listed.omitted_notes), (LISTED, 1));
    assert_eq!(listed.more().unwrap(), "… and 1 more note");
}

#[test]
fn of_duplicates_the_first_file_counts_until_it_is_gone() {
    let mut catalog = catalog();
    assert_eq!(set(&mut catalog, "m.yaml", &service("a", 1)), ["a 1"]);
    assert!(set(&mut catalog, "z.yaml", &service("a", 2)).is_empty());
    assert_eq!(
        problems(&catalog),
        [
            "m.yaml:1:1: Service default/a: is also defined in z.yaml:1; this one is used (the \
             first file by name): remove the others"
        ]
    );
    assert_eq!(set(&mut catalog, "b.yaml", &service("a", 3)), ["a 3"]);
    assert_eq!(remove(&mut catalog, "b.yaml"), ["a 1"]);
    assert_eq!(remove(&mut catalog, "m.yaml"), ["a 2"]);
    assert!(problems(&catalog).is_empty());
    assert_eq!(remove(&mut catalog, "z.yaml"), ["-a"]);

    let twice = service("a", 1) + &service("a", 2);
    assert_eq!(set(&mut catalog, "x.yaml", &twice), ["a 1"]);
    assert_eq!(problems(&catalog).len(), 1);
}

#[test]
fn only_one_config_map_is_of_interest() {
    let mut catalog = catalog();
    let map = |namespace: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: config, namespace: \
             {namespace}}}\ndata: {{config: ''}}\n"
        )
    };
    assert!(set(&mut catalog, "x.yaml", &map("other")).is_empty());
    assert_eq!(set(&mut catalog, "y.yaml", &map("metallb-system")).len(), 1);
    assert!(problems(&catalog).is_empty());
}

#[test]
fn a_configuration_under_another_name_is_told_while_the_right_one_is_missing() {
    let config = |name: &str, text: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{namespace: metallb-system, name: \
             {name}}}\ndata:\n  config: |\n    {text}\n"
        )
    };
    let mut catalog = catalog();
    set(&mut catalog, "other.yaml", &config("app", "colour: blue"));
    assert_eq!(problems(&catalog), [""; 0]);
    set(&mut catalog, "mine.yaml", &config("konfig", "peers: []"));
    assert!(catalog.take_problems_changed());
    let problem = problems(&catalog).concat();
    assert!(
        problem.starts_with("mine.yaml:1:1: ConfigMap metallb-system/konfig: is passed over")
            && problem.contains("ConfigMap metallb-system/config: rename it")
            && problem.contains("--config-name konfig"),
        "{problem}"
    );
    set(&mut catalog, "right.yaml", &config("config", "peers: []"));
    assert!(catalog.take_problems_changed());
    assert_eq!(problems(&catalog), [""; 0]);
    remove(&mut catalog, "right.yaml");
    assert_eq!(problems(&catalog).len(), 1);
    remove(&mut catalog, "mine.yaml");
    assert!(catalog.take_problems_changed());
    assert_eq!(problems(&catalog), [""; 0]);
}
