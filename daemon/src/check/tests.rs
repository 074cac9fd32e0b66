use std::fs;

use super::*;

const SEED: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  namespace: metallb-system
  name: config
data:
  config: |
    peers:
    - my-asn: 64512
      peer-asn: 64512
      peer-address: 192.168.7.10
    address-pools:
    - name: my-ip-space
      protocol: bgp
      avoid-buggy-ips: true
      addresses:
      - 198.51.100.0/24
";

fn config_key() -> ObjectKey {
    ObjectKey::config_map("metallb-system", "config")
}

/// The report on a directory with these files; paths in it are relative to the directory.
fn check_files(contents: &[(&str, &str)]) -> Report {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in contents {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let mut report = check(
        &[dir.path()],
        Report::new(config_key(), None),
        &mut io::empty(),
    );
    let prefix = format!("{}/", dir.path().display());
    report.errors = report
        .errors
        .iter()
        .map(|error| error.replace(&prefix, ""))
        .collect();
    report
}

fn check_stdin(text: &str) -> Report {
    check(
        &["-"],
        Report::new(config_key(), None),
        &mut text.as_bytes(),
    )
}

#[test]
#[cfg(feature = "bgp")]
fn peers_of_no_node_are_noted() {
    let selects = "      node-selectors: [{match-labels: {rack: a}}]\n    address-pools:\n";
    let config = SEED.replacen("    address-pools:\n", selects, 1);
    assert_ne!(config, SEED);
    let node = |rack: &str| {
        format!("apiVersion: v1\nkind: Node\nmetadata: {{name: n1, labels: {{rack: {rack}}}}}\n")
    };
    let note = "note: peer 192.168.7.10: its node selectors match none of the";
    for (files, expected) in [
        (
            vec![("c.yaml", config.clone())],
            Some(format!("{note} 0 nodes here")),
        ),
        (
            vec![("c.yaml", config.clone()), ("n.yaml", node("b"))],
            Some(format!("{note} 1 node here")),
        ),
        (
            vec![("c.yaml", config.clone()), ("n.yaml", node("a"))],
            None,
        ),
    ] {
        let files: Vec<_> = files.iter().map(|(name, text)| (*name, &**text)).collect();
        let summary = check_files(&files).summary();
        match expected {
            Some(expected) => assert!(summary.contains(&expected), "{summary}"),
            None => assert!(!summary.contains("note: peer"), "{summary}"),
        }
    }
}

#[test]
#[cfg(feature = "bgp")]
fn what_is_right_is_summed_up() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: demo}\nspec: {type: LoadBalancer, ports: [{port: 80}]}\n";
    let greedy = "apiVersion: v1\nkind: Service\nmetadata: {name: greedy}\n\
                  spec: {type: LoadBalancer, ports: [{port: 80}], loadBalancerIP: 192.0.2.1}\n";
    let report = check_files(&[
        ("config.yaml", SEED),
        ("demo.yaml", service),
        ("g.yaml", greedy),
    ]);
    assert_eq!(report.errors, [""; 0]);
    let summary = report.summary();
    let expected = "\
ok: 3 files
pool my-ip-space: bgp, 198.51.100.0/24
peer 192.168.7.10: AS 64512, ours 64512
2 services, 2 of type LoadBalancer; 0 endpoint slices; 0 nodes
note: service default/demo: no endpoint is ready (in files: an EndpointSlice with the label \
kubernetes.io/service-name)
note: service default/greedy: ";
    assert!(summary.starts_with(expected), "{summary}");
    let nothing = check_stdin("");
    assert_eq!(
        nothing.summary(),
        "ok: 1 file\nno ConfigMap metallb-system/config: no pools, no peers\n\
         0 services, 0 of type LoadBalancer; 0 endpoint slices; 0 nodes\n"
    );
}

#[test]
#[cfg(feature = "bgp")]
fn a_service_that_nobody_would_announce_is_noted() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: demo}\n\
                   spec: {type: LoadBalancer, ports: [{port: 80}]}\n---\n";
    let slice = "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
                 metadata: {name: demo-1, labels: {kubernetes.io/service-name: demo}}\n\
                 endpoints: [{addresses: [10.0.0.1], conditions: {ready: true}}]\n";
    let summary = |text: &str| check_files(&[("c.yaml", SEED), ("d.yaml", text)]).summary();
    let noted = summary(service);
    assert!(
        noted.contains("note: service default/demo: no endpoint is ready"),
        "{noted}"
    );
    let ill = summary(&(service.to_owned() + &slice.replace("true", "false")));
    assert!(
        ill.contains("note: service default/demo: no endpoint is ready"),
        "{ill}"
    );
    let fine = summary(&(service.to_owned() + slice));
    assert!(!fine.contains("note"), "{fine}");
}

#[test]
#[cfg(feature = "bgp")]
fn a_configuration_that_a_running_daemon_would_wait_with_is_noted() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: demo}\n\
                   spec: {type: LoadBalancer, ports: [{port: 80}]}\n";
    let line = r#"{"service":"default/demo","addresses":["203.0.113.7"]}"#;
    let files = [
        ("c.yaml", SEED),
        ("d.yaml", service),
        (files::journal::NAME, line),
    ];
    let summary = check_files(&files).summary();
    let expected = "note: service default/demo has 203.0.113.7, for which there is no pool";
    assert!(summary.contains(expected), "{summary}");
    let line = line.replace("203.0.113", "198.51.100");
    let files = [
        ("c.yaml", SEED),
        ("d.yaml", service),
        (files::journal::NAME, &line),
    ];
    let summary = check_files(&files).summary();
    assert!(!summary.contains("there is no pool"), "{summary}");
}

#[test]
#[cfg(feature = "bgp")]
fn services_of_another_class_are_nobodys_concern() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: demo}\n\
                   spec: {type: LoadBalancer, ports: [{port: 80}], loadBalancerClass: example.com/other}\n";
    let line = r#"{"service":"default/demo","addresses":["203.0.113.7"]}"#;
    let mut report = check_files(&[
        ("c.yaml", SEED),
        ("d.yaml", service),
        (files::journal::NAME, line),
    ]);
    assert!(
        !report.summary().contains("there is no pool"),
        "{}",
        report.summary()
    );
    report.class = Some("example.com/other".to_owned());
    let expected = "note: service default/demo has 203.0.113.7, for which there is no pool";
    assert!(report.summary().contains(expected), "{}", report.summary());
}

#[test]
fn an_empty_configuration_says_what_that_means() {
    let summary = check_stdin("address-pools: []\n").summary();
    assert!(
        summary.contains("no pools: ") && summary.contains("no peers: "),
        "{summary}"
    );
}

#[test]
#[cfg(feature = "bgp")]
fn a_bare_configuration_is_taken_too() {
    let bare = "address-pools:\n- name: a\n  protocol: bgp\n  addresses: [192.0.2.0/24]\n";
    assert!(
        check_stdin(bare)
            .summary()
            .contains("pool a: bgp, 192.0.2.0/24")
    );
    let wrong =
        check_stdin("address-pools:\n- name: a\n  protocol: bgp\n  addresses: [192.0.2.0/33]\n");
    assert_eq!(wrong.errors.len(), 1, "{:?}", wrong.errors);
    assert!(
        wrong.errors[0].starts_with("<stdin>:4:15: address-pools[0].addresses[0]: "),
        "{:?}",
        wrong.errors
    );
}

#[test]
#[cfg(feature = "bgp")]
fn a_slice_without_its_service_is_noted() {
    let slice = "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
                 metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}\n\
                 endpoints: [{addresses: [10.0.0.1], conditions: {ready: true}}]\n";
    let service = |namespace: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: web, namespace: {namespace}}}\n\
             spec: {{ports: [{{port: 80}}]}}\n"
        )
    };
    let summary = |text: &str| check_files(&[("c.yaml", SEED), ("d.yaml", text)]).summary();
    let alone = summary(slice);
    let expected = "note: endpoint slice default/web-1: there is no service default/web: see the \
                    label kubernetes.io/service-name\n";
    assert!(alone.ends_with(expected), "{alone}");
    let apart = summary(&(service("shop") + slice));
    let expected = "note: endpoint slice default/web-1: there is no service default/web: is \
                    metadata.namespace to be shop?\n";
    assert!(apart.ends_with(expected), "{apart}");
    let together = summary(&(service("default") + slice));
    assert!(!together.contains("note"), "{together}");
}

/// A daemon takes none out of its directory.
#[test]
fn a_bare_configuration_among_the_files_of_a_directory_is_an_error() {
    let report = check_files(&[("a.yaml", "address-pools: []\n")]);
    assert_eq!(report.errors.len(), 1, "{:?}", report.errors);
    assert!(
        report.errors[0].starts_with("a.yaml:1:1: not a Kubernetes object: the field `kind`"),
        "{:?}",
        report.errors
    );
}

#[test]
fn every_error_is_told_with_its_place() {
    let config = SEED
        .replace("protocol: bgp", "protocol: layer3")
        .replace("my-asn: 64512", "my-asn: 0");
    let bad = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 0}]}\n";
    let good =
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n";
    let report = check_files(&[
        ("a.yaml", &config),
        ("b.yaml", bad),
        ("c.yaml", good),
        ("d.yaml", good),
        ("e.yaml", "- [\n"),
    ]);
    let places: Vec<String> = report
        .errors
        .iter()
        .map(|error| error.split(": ").next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        places,
        [
            "b.yaml:4:23",
            "e.yaml:1:3",
            "c.yaml:1:1",
            "a.yaml:9:15",
            "a.yaml:14:17"
        ],
        "{:#?}",
        report.errors
    );
}

#[test]
#[cfg(feature = "bgp")]
fn what_is_not_wrong_but_probably_meant_otherwise_is_noted() {
    let endpoints = "apiVersion: v1\nkind: Endpoints\nmetadata: {name: web}\n";
    let report = check_files(&[("a.yaml", SEED), ("b.yaml", endpoints)]);
    assert_eq!(report.errors, [""; 0]);
    let summary = report.summary();
    assert!(
        summary.contains("/b.yaml:1:1: Endpoints default/web: this kind is passed over"),
        "{summary}"
    );

    let empty = tempfile::tempdir().unwrap();
    fs::write(empty.path().join("config.txt"), SEED).unwrap();
    let report = check(
        &[empty.path()],
        Report::new(config_key(), None),
        &mut io::empty(),
    );
    assert!(
        report.summary().contains("has no file of objects"),
        "{}",
        report.summary()
    );
}

#[test]
#[cfg(feature = "bgp")]
fn a_file_of_windows_is_read() {
    let utf16: Vec<u8> = format!("\u{feff}{}", SEED.replace('\n', "\r\n"))
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.yaml"), &utf16).unwrap();
    let report = check(
        &[dir.path()],
        Report::new(config_key(), None),
        &mut io::empty(),
    );
    assert_eq!(report.errors, [""; 0]);
    assert!(report.config.is_some_and(|config| !config.pools.is_empty()));

    let report = check(
        &["-"],
        Report::new(config_key(), None),
        &mut utf16.as_slice(),
    );
    assert_eq!(report.errors, [""; 0]);
}

#[test]
fn a_file_whose_lines_end_with_carriage_returns_is_read() {
    let service =
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n";
    let wrong = "---\napiVersion: v1\nkind: Service\nmetadata: {name: api}\n\
                 spec: {typ: x, ports: [{port: 80}]}\n";
    let text = (service.to_owned() + wrong).replace('\n', "\r");
    let report = check_files(&[("a.yaml", &text)]);
    assert_eq!(report.errors.len(), 1, "{:?}", report.errors);
    assert!(
        report.errors[0].starts_with("a.yaml:9:8: "),
        "{:?}",
        report.errors
    );
    assert!(
        report.summary().contains("1 service,"),
        "{}",
        report.summary()
    );
}

#[test]
fn a_missing_file_is_an_error() {
    let report = check(
        &["/nonexistent/x.yaml"],
        Report::new(config_key(), None),
        &mut io::empty(),
    );
    assert_eq!(report.errors, ["/nonexistent/x.yaml: does not exist"]);
}
