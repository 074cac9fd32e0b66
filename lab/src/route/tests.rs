use super::{Family, kernel};

#[test]
fn reads_the_kernels_routes() {
    let json = r#"[
        {"dst":"default","gateway":"192.0.2.254","dev":"eth0","flags":[]},
        {"dst":"192.0.2.0/24","dev":"eth0","protocol":"kernel","scope":"link","flags":[]},
        {"dst":"198.51.100.1","protocol":"bgp","metric":20,"flags":[],"nexthops":[
            {"gateway":"192.0.2.7","dev":"eth0","weight":1,"flags":[]},
            {"via":{"family":"inet6","host":"2001:db8::7"},"dev":"eth0","weight":1,"flags":[]}]}]"#;
    let routes = kernel(json, Family::V4).unwrap();
    let shown: Vec<_> = routes
        .iter()
        .map(|(prefix, gateways)| format!("{prefix} {gateways:?}"))
        .collect();
    assert_eq!(
        shown,
        [
            "0.0.0.0/0 {192.0.2.254}",
            "192.0.2.0/24 {}",
            "198.51.100.1/32 {192.0.2.7, 2001:db8::7}"
        ]
    );
}
