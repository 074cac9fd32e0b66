use super::*;

#[test]
fn an_object_is_of_the_kind_and_version_that_are_written() {
    for (api_version, kind, known) in [
        ("v1", "Service", Some(Kind::Service)),
        ("v1", "ConfigMap", Some(Kind::ConfigMap)),
        (
            "discovery.k8s.io/v1",
            "EndpointSlice",
            Some(Kind::EndpointSlice),
        ),
        (
            "discovery.k8s.io/v1beta1",
            "EndpointSlice",
            Some(Kind::EndpointSlice),
        ),
        ("v1beta1", "Service", None),
        ("/v1", "Service", None),
        ("discovery.k8s.io/v1", "Service", None),
        ("discovery.k8s.io", "EndpointSlice", None),
        ("discovery.k8s.io.example/v1", "EndpointSlice", None),
        ("v1", "EndpointSlice", None),
        ("v1", "Pod", None),
    ] {
        assert_eq!(Kind::of(api_version, kind), known, "{api_version} {kind}");
    }
}

/// The first are what matters most, and what is told first.
#[test]
fn what_configures_comes_before_all_else() {
    let is_setting = |kind: &&Kind| kind.info().purpose == Purpose::Setting;
    let settings = KINDS.iter().filter(is_setting).count();
    assert!(KINDS.iter().take(settings).all(|kind| is_setting(&kind)));
    assert!(KINDS.is_sorted());
}
