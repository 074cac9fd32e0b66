use super::super::{Object, parse};
use super::*;

fn read(spec: &str) -> Result<Service, Vec<String>> {
    let text = format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: a, annotations: \
         {{metallb.io/allow-shared-ip: k}}}}\n{spec}\n"
    );
    match parse("f", &text).objects.remove(0).object {
        Ok(Object::Service(service)) => Ok(service),
        Ok(other) => panic!("{other:?}"),
        Err(errors) => Err(errors.into_iter().map(|(_, message)| message).collect()),
    }
}

fn families(spec: &str) -> Result<Families, FamiliesError> {
    let service = read(&format!("spec: {{ports: [{{port: 80}}], {spec}}}")).unwrap();
    service.families.clone()
}

#[test]
fn families_of_files_without_cluster_ips() {
    let prefer = |primary| Ok(Families::PreferBoth { primary });
    assert_eq!(families(""), Ok(Families::One(Family::V4)));
    assert_eq!(families("clusterIP: ''"), Ok(Families::One(Family::V4)));
    assert_eq!(
        families("ipFamilies: [IPv6]"),
        Ok(Families::One(Family::V6))
    );
    assert_eq!(families("ipFamilies: [IPv6, IPv4]"), Ok(Families::Both));
    assert_eq!(
        families("ipFamilyPolicy: RequireDualStack"),
        Ok(Families::Both)
    );
    assert_eq!(
        families("ipFamilyPolicy: PreferDualStack"),
        prefer(Family::V4)
    );
    assert_eq!(
        families("ipFamilyPolicy: PreferDualStack, ipFamilies: [IPv6]"),
        prefer(Family::V6)
    );
    assert_eq!(
        families("type: LoadBalancer, loadBalancerIP: 'fd00::1'"),
        Ok(Families::One(Family::V6))
    );
}

#[test]
fn families_follow_cluster_ips_where_there_are_some() {
    assert_eq!(
        families("clusterIPs: ['fd00::1']"),
        Ok(Families::One(Family::V6))
    );
    assert!(matches!(
        families("clusterIP: None"),
        Err(FamiliesError::InvalidClusterIp(_))
    ));
}

#[test]
fn the_output_of_kubectl_reads_as_it_is() {
    let service = read(
        "\
spec:
  clusterIP: 172.30.82.87
  clusterIPs:
  - 172.30.82.87
  externalTrafficPolicy: Local
  ipFamilies:
  - IPv4
  ipFamilyPolicy: SingleStack
  ports:
  - name: http
    nodePort: 32203
    port: 80
    protocol: TCP
    targetPort: web
  - name: dns
    port: 53
    protocol: UDP
  selector:
    env: test
  type: LoadBalancer
status:
  loadBalancer:
    ingress:
    - ip: 198.51.100.1
      ipMode: VIP
    - hostname: lb.example",
    )
    .unwrap();
    let port = |protocol, number| Port { protocol, number };
    assert!(service.is_load_balancer);
    assert_eq!(
        service.ports,
        [port(Protocol::Tcp, 80), port(Protocol::Udp, 53)].into()
    );
    assert_eq!(service.external_traffic_policy, TrafficPolicy::Local);
    assert_eq!(service.requests.sharing_key.as_deref(), Some("k"));
    assert_eq!(service.selector["env"], "test");
    assert_eq!(
        *service.published(),
        [
            Ingress::Address("198.51.100.1".parse().unwrap()),
            Ingress::Other("lb.example".into())
        ]
    );
}

/// A `spec` in flow style, and what is told of it.
const WRONG: &[(&str, &[&str])] = &[
    (
        "type: loadbalancer, externalTrafficPolicy: local, ipFamilyPolicy: Dual, ipFamilies: [v4], \
         ports: [{port: 0, name: a}, {port: 80, protocol: tcp, name: b}, {port: 70000, name: c}]",
        &[
            "spec.type: \"loadbalancer\" is not known; write LoadBalancer (or ClusterIP, NodePort, \
             ExternalName)",
            r#"spec.externalTrafficPolicy: "local" is not known; write Cluster or Local"#,
            "spec.ipFamilyPolicy: \"Dual\" is not known; write SingleStack, PreferDualStack or \
             RequireDualStack",
            r#"spec.ipFamilies[0]: "v4" is not known; write IPv4 or IPv6"#,
            r"spec.ports[0].port: 0 is not a port number, 1 to 65535",
            r#"spec.ports[1].protocol: "tcp" is not known; write TCP, UDP or SCTP"#,
            r"spec.ports[2].port: 70000 is not a port number, 1 to 65535",
        ],
    ),
    (
        "type: LoadBalancer",
        &["spec.ports: is empty: a Service needs a port, for example `ports: [{port: 80}]`"],
    ),
    (
        "type: NodePort, ports: {port: 80}",
        &["spec.ports: map where a list belongs"],
    ),
    (
        "ports: [{port: 080}]",
        &[
            "spec.ports[0].port: 080 has a leading zero, with which programs disagree what number \
             it is: write 80",
        ],
    ),
    (
        "ports: [{port: 80}, {port: 80, protocol: UDP, name: Dns}, {port: 80, name: a}, {port: 81, \
         name: a}]",
        &[
            "spec.ports[0].name: is missing: of several ports each needs a name, for example http",
            "spec.ports[1].name: \"Dns\" is not a name here: up to 63 small letters, digits and `-`, \
             a letter or digit at both ends; write for example dns",
            "spec.ports[2].port: TCP 80 is in spec.ports[0] already: remove one",
            "spec.ports[3].name: \"a\" is the name of spec.ports[2], too",
        ],
    ),
    (
        "ports: [{port: 80, targetPort: 65536, nodePort: -1}]",
        &[
            "spec.ports[0].targetPort: 65536 is not a port number, 1 to 65535",
            "spec.ports[0].nodePort: -1 is not a port number, 1 to 65535",
        ],
    ),
    (
        "ports: [{port: 80, targetPort: '8080'}]",
        &[
            "spec.ports[0].targetPort: \"8080\" is not the name of a port: write the number without \
             quotes",
        ],
    ),
    (
        "ports: [{port: 80, targetPort: My_Port}]",
        &[
            "spec.ports[0].targetPort: \"My_Port\" is not the name of a port: up to 15 small \
             letters, digits and single `-`, not at the ends, for example http, or a number from 1 \
             to 65535",
        ],
    ),
    (
        "ports: [{port: 80}], sessionAffinity: ClientIp, internalTrafficPolicy: local",
        &[
            r#"spec.sessionAffinity: "ClientIp" is not known; write None or ClientIP"#,
            r#"spec.internalTrafficPolicy: "local" is not known; write Cluster or Local"#,
        ],
    ),
    (
        "ports: [{port: 80}], externalTrafficPolicy: Local",
        &[
            "spec.externalTrafficPolicy: has no meaning for a Service of type ClusterIP: remove it, \
             or write `type: LoadBalancer`",
        ],
    ),
    (
        "ports: [{port: 80}], type: NodePort, healthCheckNodePort: 30000, loadBalancerClass: a, \
         loadBalancerSourceRanges: [10.0.0.0/8]",
        &[
            "spec.healthCheckNodePort: has a meaning only with `type: LoadBalancer` and \
             `externalTrafficPolicy: Local`: remove it",
            "spec.loadBalancerClass: has no meaning for a Service of type NodePort: remove it, or \
             write `type: LoadBalancer`",
            "spec.loadBalancerSourceRanges: has no meaning for a Service of type NodePort: remove \
             it, or write `type: LoadBalancer`",
        ],
    ),
    (
        "ports: [{port: 80}], type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: \
         70000",
        &["spec.healthCheckNodePort: 70000 is not a port number, 1 to 65535"],
    ),
    (
        "ports: [{port: 80}], ipFamilies: [IPv4, IPv4]",
        &["spec.ipFamilies[1]: IPv4 is there twice: remove one"],
    ),
    (
        "ports: [{port: 80}], ipFamilies: [IPv4, IPv6], ipFamilyPolicy: SingleStack",
        &[
            "spec.ipFamilyPolicy: is for one family, and spec.ipFamilies has several: write \
             PreferDualStack or RequireDualStack",
        ],
    ),
    (
        "ports: [{port: 80}], clusterIP: 10.0.0.666",
        &["spec.clusterIP: \"10.0.0.666\" is not an IP address, such as 192.0.2.1 or 2001:db8::1"],
    ),
    (
        "ports: [{port: 80}], clusterIP: 10.0.0.1, ipFamilies: [IPv6]",
        &[
            "spec.clusterIP: 10.0.0.1 is of IPv4, and spec.ipFamilies[0] is \"IPv6\": make them the \
             same",
        ],
    ),
    (
        "ports: [{port: 80}], clusterIP: 10.0.0.1, clusterIPs: [10.0.0.2, 10.0.0.3]",
        &[
            "spec.clusterIP: \"10.0.0.1\" is not the first of spec.clusterIPs, \"10.0.0.2\": make \
             them the same",
            "spec.clusterIPs: write one address, or one of each family",
        ],
    ),
    (
        "ports: [{port: 80}], type: LoadBalancer, clusterIP: None",
        &["spec.clusterIP: a Service of type LoadBalancer cannot be headless: remove it"],
    ),
    (
        "ports: [{port: 80}], type: LoadBalancer, loadBalancerIP: 192.0.2.777, loadBalancerClass: a \
         b, loadBalancerSourceRanges: [10.0.0.1], externalIPs: [a], selector: {a: b c}",
        &[
            "spec.loadBalancerIP: \"192.0.2.777\" is not an IP address, such as 192.0.2.1 or \
             2001:db8::1",
            "spec.loadBalancerClass: \"a b\" is not a key: up to 63 letters, digits, `-`, `_` and \
             `.`, a letter or digit at both ends; a domain name and one `/` may stand before, for \
             example example.com/rack",
            "spec.loadBalancerSourceRanges[0]: \"10.0.0.1\" is not a CIDR: write 10.0.0.1/32 if you \
             mean just it",
            "spec.externalIPs[0]: \"a\" is not an IP address, such as 192.0.2.1 or 2001:db8::1",
            "spec.selector.a: \"b c\" is not the value of a label: up to 63 letters, digits, `-`, \
             `_` and `.`, a letter or digit at both ends",
        ],
    ),
];

#[test]
fn every_wrong_value_of_a_service_is_told_at_once() {
    for (spec, expected) in WRONG {
        let told = read(&format!("spec: {{{spec}}}")).unwrap_err();
        assert_eq!(&told, expected, "{spec}");
    }
}

#[test]
fn what_a_service_asks_for_has_to_be_addresses() {
    const PATH: &str = "metadata.annotations[metallb.io/loadBalancerIPs]";
    let told = |annotation: &str, spec: &str| {
        let text = format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: a, annotations: \
             {{metallb.io/loadBalancerIPs: {annotation}}}}}\nspec: {{type: LoadBalancer, ports: \
             [{{port: 80}}]{spec}}}\n"
        );
        let object = parse("f", &text).objects.remove(0).object;
        let errors = object.err().unwrap_or_default().into_iter();
        errors.map(|(_, message)| message).collect::<Vec<_>>()
    };
    for right in ["''", "192.0.2.1", "'192.0.2.1, 2001:db8::1'"] {
        assert_eq!(told(right, ""), [""; 0], "{right}");
    }
    assert_eq!(
        told("'192.0.2.1, 192.0.2.2'", ""),
        [format!(
            "{PATH}: \"192.0.2.1, 192.0.2.2\" is too much: write one address, or one of each family"
        )]
    );
    assert_eq!(
        told("'192.0.2.1 192.0.2.2'", ""),
        [format!(
            "{PATH}: \"192.0.2.1 192.0.2.2\" is not an IP address, such as 192.0.2.1 or 2001:db8::1"
        )]
    );
    assert_eq!(
        told("192.0.2.1", ", loadBalancerIP: 192.0.2.1"),
        [
            "spec.loadBalancerIP: asks again, as the annotation metallb.io/loadBalancerIPs does: \
             remove one"
        ]
    );
}

#[test]
fn a_service_tells_where_the_proxies_say_whether_they_pass_its_traffic_on() {
    let local = "type: LoadBalancer, ports: [{port: 80}], externalTrafficPolicy: Local";
    for (port, expected) in [
        ("", None),
        (", healthCheckNodePort: 0", None),
        (", healthCheckNodePort: 30000", Some(30_000)),
    ] {
        let service = read(&format!("spec: {{{local}{port}}}")).unwrap();
        let port = service.health_check_node_port;
        assert_eq!(port.map(NonZeroU16::get), expected);
    }
}

#[test]
fn what_kubernetes_takes_is_taken() {
    for spec in [
        "clusterIP: None",
        "clusterIPs: [None]",
        "type: ExternalName, externalName: example.com",
        "type: LoadBalancer, ports: [{port: 80, targetPort: http, appProtocol: 'kubernetes.io/h2c', \
         protocol: ''}]",
        "type: LoadBalancer, ports: [{port: 80, name: a, targetPort: 8080}, {port: 80, protocol: \
         UDP, name: b, nodePort: 0}]",
        "ports: [{port: 80}], externalIPs: [192.0.2.1], externalTrafficPolicy: Local",
        "type: NodePort, ports: [{port: 80}], externalTrafficPolicy: Local, healthCheckNodePort: 0",
        "type: LoadBalancer, ports: [{port: 80}], externalTrafficPolicy: Local, healthCheckNodePort: \
         30000, loadBalancerSourceRanges: [10.0.0.1/8, ' ::/0'], loadBalancerClass: example.com/a",
        "type: LoadBalancer, ports: [{port: 80}], clusterIP: '', ipFamilyPolicy: RequireDualStack, \
         ipFamilies: [IPv6, IPv4], sessionAffinity: ClientIP, trafficDistribution: PreferClose",
        "ports: [{port: 80}], clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1, 'fd00::1'], ipFamilies: \
         [IPv4, IPv6]",
        "ports: [{port: 80}], selector: {}, loadBalancerIP: ''",
        "ports: [{port: 80}], loadBalancerSourceRanges: []",
    ] {
        let told = read(&format!("spec: {{{spec}}}")).err().unwrap_or_default();
        assert_eq!(told, [""; 0], "{spec}");
    }
}

#[test]
fn the_status_of_a_service_has_addresses() {
    let status = |entry: &str| {
        let spec = "spec: {type: LoadBalancer, ports: [{port: 80}]}";
        let status = format!("status: {{loadBalancer: {{ingress: [{entry}]}}}}");
        read(&format!("{spec}\n{status}")).err().unwrap_or_default()
    };
    assert_eq!(
        status("{ip: 192.0.2.999}"),
        [
            "status.loadBalancer.ingress[0].ip: \"192.0.2.999\" is not an IP address, such as \
             192.0.2.1 or 2001:db8::1"
        ]
    );
    for right in ["{ip: 192.0.2.9, ipMode: VIP}", "{hostname: a.example}"] {
        assert_eq!(status(right), [""; 0], "{right}");
    }
}

#[test]
fn what_only_load_balancers_have_is_noted_with_others() {
    let text = "apiVersion: v1\nkind: Service\nmetadata: {name: a, annotations: \
                {metallb.io/address-pool: p}}\nspec: {ports: [{port: 80}], loadBalancerIP: 192.0.2.1}\n";
    let notes = parse("f", text).notes.into_iter();
    let notes: Vec<_> = notes
        .map(|note| format!("{}:{}: {}", note.at.line, note.at.column, note.message))
        .collect();
    assert_eq!(
        notes,
        [
            "4:45: spec.loadBalancerIP: has no effect on a Service of type ClusterIP, did you mean \
             `type: LoadBalancer`?",
            "3:60: metadata.annotations[metallb.io/address-pool]: has no effect on a Service of type \
             ClusterIP, did you mean `type: LoadBalancer`?",
        ]
    );
}
