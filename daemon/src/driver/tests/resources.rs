//! The configuration as resources, from files to addresses.

use carillon_objects::source::LISTED;

use super::*;

fn resource(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: metallb.io/v1beta1\nkind: {kind}\n\
         metadata: {{namespace: metallb-system, name: {name}}}\nspec: {{{spec}}}\n"
    )
}

fn ip_pool(name: &str, addresses: &str) -> String {
    let spec = format!("addresses: [{addresses}], protocol: bgp");
    resource("IPAddressPool", name, &spec)
}

#[test]
fn a_pool_that_goes_takes_its_addresses_along_and_the_last_one_takes_none() {
    let dir = Dir::new();
    let pools = [
        ("a.yaml", &*ip_pool("a", "192.0.2.0/28")),
        ("b.yaml", &ip_pool("b", "203.0.113.0/28")),
        ("w.yaml", &web()),
    ];
    let mut daemon = Daemon::started(&dir.journal(), &pools);
    assert_eq!(daemon.address("default/web"), "192.0.2.0");
    daemon.delete("a.yaml");
    assert_eq!(daemon.address("default/web"), "203.0.113.0");
    daemon.delete("b.yaml");
    assert_eq!(daemon.address("default/web"), "203.0.113.0");
    assert_eq!(daemon.vips(), ["203.0.113.0"]);
}

#[test]
fn one_that_is_wrong_is_told_and_keeps_its_last_good_version() {
    let dir = Dir::new();
    let good = ip_pool("a", "192.0.2.0/28");
    let objects = [("a.yaml", &*good), ("w.yaml", &web())];
    let mut daemon = Daemon::started(&dir.journal(), &objects);
    daemon.write("b.yaml", &ip_pool("b", "192.0.2.0/24"));
    let told = daemon.status().problems.configuration;
    let expected = "\"192.0.2.0/24\" overlaps \"192.0.2.0/28\" of pool \"a\"";
    assert!(told.iter().any(|text| text.contains(expected)), "{told:?}");
    daemon.write("a.yaml", &ip_pool("a", "192.0.2.0/33"));
    assert_eq!(daemon.vips(), ["192.0.2.0"]);
    daemon.delete("b.yaml");
    daemon.write("a.yaml", &good);
    let problems = daemon.status().problems;
    assert!(problems.configuration.is_empty(), "{problems:?}");
    assert_eq!(daemon.vips(), ["192.0.2.0"]);
}

#[test]
fn of_many_that_are_wrong_the_first_are_listed_and_the_rest_is_counted() {
    let dir = Dir::new();
    let mut files = vec![("a.yaml".to_owned(), ip_pool("a", "192.0.2.0/28"))];
    for number in 0..LISTED + 7 {
        let pool = ip_pool(&format!("wrong-{number}"), "192.0.2.0/24");
        files.push((format!("{number}.yaml"), pool));
    }
    files.push(("w.yaml".to_owned(), web()));
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (&**name, &**text))
        .collect();
    let daemon = Daemon::started(&dir.journal(), &files);
    let told = daemon.status().problems.configuration;
    assert_eq!(told.len(), LISTED + 1, "{told:?}");
    assert_eq!(told.last().unwrap(), "… and 7 more");
    assert_eq!(daemon.vips(), ["192.0.2.0"]);
}

#[test]
fn the_resources_take_over_from_a_config_map_when_they_have_all_addresses_in_use() {
    let dir = Dir::new();
    let objects = [("c.yaml", &*usual()), ("w.yaml", &web())];
    let mut daemon = Daemon::started(&dir.journal(), &objects);
    assert_eq!(daemon.address("default/web"), "192.0.2.0");
    daemon.write("a.yaml", &ip_pool("other", "203.0.113.0/28"));
    assert_eq!(daemon.vips(), ["192.0.2.0"]);
    let told = daemon.status().problems.configuration;
    assert!(
        told.iter()
            .any(|text| text.contains("waits") && text.contains("delete the ConfigMap")),
        "{told:?}"
    );
    daemon.write("b.yaml", &ip_pool("a", "192.0.2.0/28"));
    assert!(daemon.status().problems.configuration.is_empty());
    assert_eq!(daemon.vips(), ["192.0.2.0"]);
    assert_eq!(daemon.set().config.pools.len(), 2);
    daemon.delete("c.yaml");
    assert_eq!(daemon.vips(), ["192.0.2.0"]);
}

#[test]
fn a_restart_finds_the_addresses_as_they_were() {
    let dir = Dir::new();
    let pool = ip_pool("a", "192.0.2.0/28");
    let (first, second) = (web(), service("other", ""));
    let objects = [("a.yaml", &*pool), ("w.yaml", &first), ("x.yaml", &second)];
    let daemon = Daemon::started(&dir.journal(), &objects);
    let before = daemon.addresses();
    drop(daemon);
    let daemon = Daemon::started(&dir.journal(), &objects);
    assert_eq!(daemon.addresses(), before);
    assert_eq!(daemon.vips().len(), 2);
}

#[test]
fn a_pool_that_cannot_be_read_after_a_restart_keeps_its_addresses() {
    let dir = Dir::new();
    let (pool, web) = (ip_pool("a", "192.0.2.0/28"), web());
    let objects = [("a.yaml", &*pool), ("w.yaml", &web)];
    drop(Daemon::started(&dir.journal(), &objects));
    let other = ip_pool("b", "203.0.113.0/28");
    let overlapping = ip_pool("0", "203.0.113.0/24");
    for broken in [
        &*ip_pool("a", "192.0.2.0/33"),
        "nonsense: [",
        &ip_pool("a", "203.0.113.0/24"),
    ] {
        let objects = [("a.yaml", broken), ("b.yaml", &*other), ("w.yaml", &*web)];
        let mut daemon = Daemon::started(&dir.journal(), &objects);
        assert_eq!(daemon.address("default/web"), "192.0.2.0", "{broken}");
        daemon.write("o.yaml", &overlapping);
        assert_eq!(daemon.address("default/web"), "192.0.2.0", "{broken}");
        daemon.write("a.yaml", &pool);
        assert_eq!(daemon.vips(), ["192.0.2.0"]);
        daemon.delete("o.yaml");
    }
}
