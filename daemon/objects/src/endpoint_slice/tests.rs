use super::super::{Object, parse};

/// What is told of a slice with this in it, and what is noted.
fn told(slice: &str) -> (Vec<String>, Vec<String>) {
    let text = format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: web-1, labels: \
         {{kubernetes.io/service-name: web}}}}\n{slice}\n"
    );
    let mut found = parse("f", &text);
    let errors = match found.objects.remove(0).object {
        Ok(Object::EndpointSlice(_)) => Vec::new(),
        Ok(other) => panic!("{other:?}"),
        Err(errors) => errors,
    };
    let errors = errors
        .into_iter()
        .map(|(at, message)| format!("{}:{}: {message}", at.line, at.column));
    let notes = found.notes.into_iter();
    let notes = notes.map(|note| format!("{}:{}: {}", note.at.line, note.at.column, note.message));
    (errors.collect(), notes.collect())
}

const WRONG: &[(&str, &[&str])] = &[
    (
        "addressType: IPv4\nendpoints: [{addresses: [10.254.0.666]}]",
        &[
            "5:26: endpoints[0].addresses[0]: \"10.254.0.666\" is not an IPv4 address, such as \
             192.0.2.1",
        ],
    ),
    (
        "addressType: IPv4\nendpoints: [{addresses: ['fd00::1']}, {addresses: [010.000.000.001]}]",
        &[
            "5:26: endpoints[0].addresses[0]: \"fd00::1\" is not an IPv4 address, as this slice has: \
             put it into a slice of its own",
            "5:52: endpoints[1].addresses[0]: \"010.000.000.001\" has leading zeros, with which \
             programs disagree what number it is: write 10.0.0.1",
        ],
    ),
    (
        // Without a type, the first address tells it.
        "endpoints: [{addresses: ['fd00::1', 10.0.0.1]}]",
        &[
            "4:37: endpoints[0].addresses[1]: \"10.0.0.1\" is not an IPv6 address, as this slice has: \
             put it into a slice of its own",
        ],
    ),
    (
        "addressType: ipv4\nendpoints: [{addresses: [10.0.0.1]}]",
        &["4:14: addressType: \"ipv4\" is not known; write IPv4, IPv6 or FQDN"],
    ),
    (
        "addressType: IPv6\nendpoints: [{addresses: []}, {nodeName: N1, addresses: ['::1']}]",
        &[
            "5:25: endpoints[0].addresses: is empty: an endpoint needs an address",
            "5:57: endpoints[1].addresses[0]: ::1 is an address that every host has for itself: write \
             the address by which the nodes reach the endpoint",
        ],
    ),
    (
        "addressType: IPv4\nendpoints: [{addresses: 10.0.0.1}]",
        &["5:25: endpoints[0].addresses: string \"10.0.0.1\" where a list belongs"],
    ),
    (
        "addressType: IPv4\nports: [{name: a, protocol: tcp, port: 80}, {name: a}, {name: B}]",
        &[
            "5:29: ports[0].protocol: \"tcp\" is not known; write TCP, UDP or SCTP",
            "5:52: ports[1].name: \"a\" is the name of another port, too",
            "5:63: ports[2].name: \"B\" is not a name here: up to 63 small letters, digits and `-`, a \
             letter or digit at both ends; write for example b",
        ],
    ),
];

#[test]
fn every_wrong_value_of_a_slice_is_told_at_once() {
    for (slice, expected) in WRONG {
        assert_eq!(told(slice).0, *expected, "{slice}");
    }
}

#[test]
fn a_slice_has_no_more_endpoints_and_addresses_than_kubernetes_allows() {
    let addresses = |n: usize| {
        let all: Vec<_> = (1..=n)
            .map(|n| format!("10.0.{}.{}", n / 256, n % 256))
            .collect();
        all.join(", ")
    };
    let one = |n| {
        format!(
            "addressType: IPv4\nendpoints: [{{addresses: [{}]}}]",
            addresses(n)
        )
    };
    assert_eq!(told(&one(100)), (vec![], vec![]));
    let message = "5:25: endpoints[0].addresses: 101 addresses are more than the 100 that an endpoint \
                   may have";
    assert_eq!(told(&one(101)), (vec![message.to_owned()], vec![]));
    let many = |n: usize| {
        let all: Vec<_> = addresses(n)
            .split(", ")
            .map(|a| format!("{{addresses: [{a}]}}"))
            .collect();
        format!("addressType: IPv4\nendpoints: [{}]", all.join(", "))
    };
    assert_eq!(told(&many(1000)), (vec![], vec![]));
    let message =
        "5:12: endpoints: 1001 endpoints are more than 1000: write several EndpointSlices";
    assert_eq!(told(&many(1001)), (vec![message.to_owned()], vec![]));
}

#[test]
fn what_kubernetes_takes_is_taken() {
    for slice in [
        "addressType: IPv4",
        "addressType: IPv4\nendpoints: null\nports: null",
        "addressType: FQDN\nendpoints: [{addresses: [web.example.com]}]",
        "addressType: IPv4\nendpoints: [{addresses: [10.0.0.1, 10.0.0.2], nodeName: n1.example.com, \
         conditions: {ready: null}}]\nports: [{name: '', port: 80}]",
    ] {
        assert_eq!(told(slice), (vec![], vec![]), "{slice}");
    }
}

#[test]
fn what_is_allowed_and_hardly_meant_is_noted() {
    let slice = "addressType: IPv4\nendpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.1]}]";
    let note = "5:51: endpoints[1].addresses[0]: 10.0.0.1 is in endpoints[0].addresses[0] already";
    assert_eq!(told(slice), (vec![], vec![note.to_owned()]));

    let labelled = |labels: &str| {
        let text = format!(
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: a, labels: \
             {{{labels}}}}}\naddressType: IPv4\n"
        );
        let found = parse("f", &text);
        assert!(found.objects[0].object.is_ok(), "{labels}");
        let notes = found.notes.into_iter().map(|note| note.message);
        notes.collect::<Vec<_>>()
    };
    assert_eq!(
        labelled("a: b"),
        [
            "metadata.labels[kubernetes.io/service-name]: is missing: the slice belongs to no \
             Service; write the name of the Service there"
        ]
    );
    assert_eq!(
        labelled("kubernetes.io/service_name: web"),
        [
            "metadata.labels[kubernetes.io/service_name]: has no meaning, did you mean \
             \"kubernetes.io/service-name\"?"
        ]
    );
}
