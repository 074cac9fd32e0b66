//! The controller role, and what it asks of an API server.

use carillon_core::controller::{Event, Severity};

use super::*;
use crate::kubernetes::publish::Notice;

/// Takes part; what is told beside objects comes out of the channel.
fn take_part(server: &Server) -> (Role, Source) {
    let source = spawn(&server.cluster, &options(), Box::leak(Box::default()));
    let role = source.take_part(&server.cluster, "metallb-system", "me");
    (role, source)
}

/// Waits until something is told beside objects, of which this makes something.
async fn until<T>(source: &mut Source, what: impl Fn(ApiChange) -> Option<T>) -> T {
    loop {
        let batch = timeout(SOON, source.batches.recv()).await;
        let batch = batch
            .expect("something to be told")
            .expect("a source that lives");
        if let Some(found) = batch.api.into_iter().find_map(&what) {
            return found;
        }
    }
}

#[tokio::test]
async fn a_turn_is_taken_by_one_that_is_able_and_what_others_wrote_into_the_lease_stays() {
    let server = Server::start(|request| match (&*request.resource, &*request.method) {
        ("carillon", "GET") => {
            let metadata = json!({"resourceVersion": "5", "labels": {"team": "net"}});
            let lease = json!({"metadata": metadata, "spec": {"holderIdentity": ""}});
            Some(Reply::Body(200, lease.to_string()))
        }
        ("carillon", _) => {
            let mut lease: serde_json::Value = serde_json::from_str(&request.body).unwrap();
            lease["metadata"]["resourceVersion"] = json!("6");
            Some(Reply::Body(200, lease.to_string()))
        }
        _ => None,
    })
    .await;
    let (role, mut source) = take_part(&server);
    server.until(|request| request.resource == "leases").await;
    assert_eq!(server.of("carillon").len(), 0);
    role.outbox.able.send_replace(true);
    let leads = |change| matches!(change, ApiChange::Lead(true)).then_some(());
    until(&mut source, leads).await;
    let requests = server.of("carillon");
    let methods: Vec<_> = requests.iter().map(|request| &*request.method).collect();
    assert_eq!(methods, ["GET", "PATCH"]);
    let patch: serde_json::Value = serde_json::from_str(&requests[1].body).unwrap();
    let metadata = json!({
        "namespace": "metallb-system", "name": "carillon", "resourceVersion": "5",
    });
    assert_eq!(patch["metadata"], metadata);
    assert!(patch["spec"]["holderIdentity"].is_string(), "{patch}");
}

#[tokio::test]
async fn rights_that_lack_for_watching_the_lease_and_for_events_are_told() {
    let forbidden = |verb: &str| Some(refusal(403, &format!("cannot {verb} resource")));
    let (mut events, mut watches) = (0, 0);
    let server = Server::start(move |request| match &*request.resource {
        "leases" => {
            watches += 1;
            match watches {
                1 => forbidden("watch"),
                2 => {
                    let error = event("ERROR", &status(500, "no such feature"));
                    Some(Reply::Watch(vec![error], End::Open))
                }
                _ => None,
            }
        }
        "events" => {
            events += 1;
            match events {
                1 => forbidden("create"),
                _ => Some(Reply::Body(201, "{}".to_owned())),
            }
        }
        _ => None,
    })
    .await;
    let (role, mut source) = take_part(&server);
    for said in ["cannot watch resource", "no such feature"] {
        let trouble = until(&mut source, |change| match change {
            ApiChange::LeaseTrouble(trouble) => trouble,
            _ => None,
        });
        let trouble = trouble.await;
        let what = "cannot watch the Lease metallb-system/carillon";
        assert!(
            trouble.contains(what) && trouble.contains(said),
            "{trouble}"
        );
    }
    for expected in [true, false] {
        let event = Event {
            severity: Severity::Normal,
            reason: "IPAllocated",
            message: "Assigned IP".to_owned(),
        };
        let notice = Notice {
            service: ServiceKey::new("default", "web"),
            uid: "1-2-3".into(),
            version: "1".into(),
            event,
        };
        role.outbox.notices.send(notice).await.unwrap();
        let trouble = until(&mut source, |change| match change {
            ApiChange::EventTrouble(trouble) => Some(trouble),
            _ => None,
        });
        assert_eq!(trouble.await.is_some(), expected);
    }
}

#[tokio::test]
async fn a_check_names_every_right_that_lacks() {
    let server = Server::start(|request| {
        let review: serde_json::Value = serde_json::from_str(&request.body).ok()?;
        let asked = &review["spec"]["resourceAttributes"];
        let is = |field: &str, value: &str| asked[field] == json!(value);
        let lacks = (is("subresource", "status") && is("verb", "patch"))
            || (is("name", "carillon")
                && is("verb", "watch")
                && is("group", "coordination.k8s.io"))
            || (is("resource", "configmaps") && is("verb", "watch") && is("name", "config"));
        let allowed = json!({"status": {"allowed": !lacks}});
        Some(Reply::Body(201, allowed.to_string()))
    })
    .await;
    let read = read(&server.cluster, &options().config).await;
    let expected = [
        "this user may not watch configmaps in the namespace metallb-system, as a daemon must: give \
         its Role a rule with apiGroups [\"\"], resources [\"configmaps\"], resourceNames \
         [\"config\"] and verbs [\"list\", \"watch\"], as manifests/install.yaml has it",
        "this user may not patch services/status, as a daemon must: give its ClusterRole a rule with \
         apiGroups [\"\"], resources [\"services/status\"] and verbs [\"patch\"], as \
         manifests/install.yaml has it",
        "this user may not watch leases in the namespace metallb-system, as a daemon must: give its \
         Role a rule with apiGroups [\"coordination.k8s.io\"], resources [\"leases\"], \
         resourceNames [\"carillon\"] and verbs [\"get\", \"patch\", \"watch\"], as \
         manifests/install.yaml has it",
    ];
    assert_eq!(read.errors, expected);
}
