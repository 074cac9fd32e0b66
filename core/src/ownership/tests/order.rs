use super::super::order::Order;

#[test]
fn the_order_is_that_of_metallb() {
    let cases: [(&str, &[&str]); 8] = [
        ("10.20.30.1", &["iris2", "iris1"]),
        ("10.20.30.1", &["node-b", "node-c", "node-a"]),
        ("10.20.30.2", &["iris1", "iris2"]),
        ("10.20.30.2", &["node-c", "node-a", "node-b"]),
        ("192.168.1.240", &["iris1", "iris2"]),
        ("192.168.1.240", &["node-a", "node-c", "node-b"]),
        ("fc00:f853:ccd:e799::1", &["iris1", "iris2"]),
        ("fc00:f853:ccd:e799::1", &["node-b", "node-a", "node-c"]),
    ];
    for (vip, expected) in cases {
        let order = Order::of(vip.parse().unwrap());
        let mut names = expected.to_vec();
        names.sort_by_key(|name| order.rank(name));
        assert_eq!(names, expected, "{vip}");
    }
}
