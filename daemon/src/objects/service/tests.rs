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
    let service = read(&format!("spec: {{{spec}}}")).unwrap();
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
        families("loadBalancerIP: 'fd00::1'"),
        Ok(Families::One(Family::V6))
    );
    assert_eq!(
        families("ipFamilyPolicy: SingleStack, ipFamilies: [IPv4, IPv6]"),
        Err(FamiliesError::SingleStackWithBoth)
    );
}

#[test]
fn families_follow_cluster_ips_where_there_are_some() {
    assert_eq!(
        families("clusterIPs: ['fd00::1']"),
        Ok(Families::One(Family::V6))
    );
    assert_eq!(
        families("clusterIP: 10.0.0.1, ipFamilies: [IPv6]"),
        Ok(Families::One(Family::V4))
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
  - port: 53
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
    assert_eq!(service.sharing_key.as_deref(), Some("k"));
    assert_eq!(service.selector["env"], "test");
    assert_eq!(
        *service.published(),
        [
            Ingress::Address("198.51.100.1".parse().unwrap()),
            Ingress::Other("lb.example".into())
        ]
    );
}

#[test]
fn every_bad_field_of_a_service_is_told_at_once() {
    let errors = read(
        "spec: {type: loadbalancer, externalTrafficPolicy: local, ipFamilyPolicy: Dual, \
         ipFamilies: [v4], ports: [{port: 0}, {port: 80, protocol: tcp}, {port: 70000}]}",
    )
    .unwrap_err();
    assert_eq!(
        errors,
        [
            "spec.type: \"loadbalancer\" is not known; write LoadBalancer (or ClusterIP, NodePort, \
             ExternalName)",
            r#"spec.externalTrafficPolicy: "local" is not known; write Cluster or Local"#,
            "spec.ipFamilyPolicy: \"Dual\" is not known; write SingleStack, PreferDualStack or \
             RequireDualStack",
            r#"spec.ipFamilies[0]: "v4" is not known; write IPv4 or IPv6"#,
            r"spec.ports[0].port: 0 is not a port number, 1 to 65535",
            r#"spec.ports[1].protocol: "tcp" is not known; write TCP, UDP or SCTP"#,
            r"spec.ports[2].port: 70000 is not a port number, 1 to 65535",
        ]
    );
}
