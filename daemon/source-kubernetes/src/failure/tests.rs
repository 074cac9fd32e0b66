use carillon_core::service::ServiceKey;
use kube::core::response::StatusDetails;

use super::super::api::Scope;
use super::*;

const SERVER: &str = "https://192.0.2.1:6443";

fn refused(code: u16, message: &str) -> Failure {
    Failure::Refused(Status::failure(message, "").with_code(code).boxed())
}

fn resource(kind: Kind) -> Resource {
    let resources = Resource::within(&Scope {
        config: &ServiceKey::new("metallb-system", "config"),
        node: None,
        pods: None,
        announces: true,
        allocates: true,
    });
    let mut resources = resources.into_iter();
    resources.find(|resource| resource.kind == kind).unwrap()
}

#[test]
fn a_missing_rule_is_named() {
    let message = "services is forbidden: User \"system:serviceaccount:metallb-system:speaker\" \
                   cannot list resource \"services\" in API group \"\" at the cluster scope";
    let services = resource(Kind::Service);
    let text = refused(403, message).text(SERVER, &services);
    let expected = "the service account system:serviceaccount:metallb-system:speaker may not list \
                    services: give its ClusterRole a rule with apiGroups [\"\"], resources \
                    [\"services\"] and verbs [\"list\", \"watch\"], as manifests/install.yaml has \
                    it";
    assert_eq!(text, expected);
    let message = "configmaps is forbidden: User \"jane\" cannot watch resource \"configmaps\" …";
    let config = resource(Kind::ConfigMap);
    let text = refused(403, message).text(SERVER, &config);
    assert!(
        text.starts_with(
            "the user jane may not watch configmaps in the namespace metallb-system: give its Role"
        ),
        "{text}"
    );
    let text = refused(403, "no").text(SERVER, &resource(Kind::EndpointSlice));
    assert!(
        text.starts_with("this user may not read endpointslices: ")
            && text.contains("apiGroups [\"discovery.k8s.io\"]"),
        "{text}"
    );
}

#[test]
fn each_failure_says_who_has_to_act() {
    let services = resource(Kind::Service);
    let certificate = Failure::Certificate("invalid peer certificate: UnknownIssuer".to_owned());
    for (failure, class, text) in [
        (
            refused(401, "Unauthorized"),
            Class::Credentials,
            "401 Unauthorized",
        ),
        (
            refused(404, "page not found"),
            Class::Garbage,
            "404 Not Found",
        ),
        (
            refused(500, "etcd is slow"),
            Class::Server,
            "(500): etcd is slow",
        ),
        (refused(429, "too many"), Class::Server, "(429): too many"),
        (refused(403, ""), Class::Forbidden(Kind::Service), "may not"),
        (
            certificate,
            Class::Certificate,
            "certificate authority of the cluster",
        ),
        (
            Failure::Garbage("x".to_owned()),
            Class::Garbage,
            "not answer like an API server",
        ),
        (
            Failure::Connection("refused".to_owned()),
            Class::Connection,
            "cannot be reached",
        ),
    ] {
        assert_eq!(failure.class(&services), class);
        let said = failure.text(SERVER, &services);
        assert!(said.contains(text), "{said}");
        assert!(!failure.is_expired(), "{said}");
    }
}

#[test]
fn an_expired_version_is_told_by_code_or_reason() {
    assert!(refused(410, "too old").is_expired());
    let expired = Status::failure("too old", "Expired");
    assert!(Failure::Refused(expired.boxed()).is_expired());
}

#[test]
fn a_server_may_ask_for_patience() {
    let details = StatusDetails {
        name: String::new(),
        group: String::new(),
        kind: String::new(),
        uid: String::new(),
        causes: Vec::new(),
        retry_after_seconds: 7,
    };
    let status = Status::failure("later", "")
        .with_code(429)
        .with_details(details);
    assert_eq!(Failure::Refused(status.boxed()).retry_after(), 7);
    assert_eq!(refused(429, "later").retry_after(), 0);
}

#[test]
fn a_long_answer_is_cut_and_stays_on_one_line() {
    let text = excerpt(&format!("<html>\n{}", "ü".repeat(1000)));
    assert!(text.chars().count() == 201 && text.ends_with('…'), "{text}");
    assert!(!text.contains('\n'));
    assert_eq!(excerpt(" short "), "short");
}
