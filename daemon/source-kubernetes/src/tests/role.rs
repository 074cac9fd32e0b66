//! The controller role, and what it asks of an API server.

use std::sync::atomic::{AtomicBool, Ordering};

use carillon_core::controller::{Event, Severity};

use super::*;
use crate::publish::{Action, Notice, Outcome};
use crate::report::Writer;
use crate::role::{self, Parts};

/// Takes part; what is told beside objects comes out of the channel.
fn take_part(server: &Server) -> (Role, Source) {
    let source = followed(&server.cluster, &options());
    let role = source.take_part(&server.cluster, "metallb-system", "me", true);
    (role, source)
}

/// Waits until something is told beside objects, of which this makes something.
async fn until<T>(source: &mut Source, what: impl Fn(ApiChange) -> Option<T>) -> T {
    loop {
        let batch = timeout(SOON, source.batches.recv()).await;
        let batch = batch
            .expect("something to be told")
            .expect("a source that lives");
        if let Some(found) = batch.words.into_iter().find_map(&what) {
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
async fn as_long_as_metallb_gives_addresses_the_holder_has_no_turn_and_then_reads_all_services_anew()
 {
    let mut version = 5;
    let server = Server::start(
        move |request| match (&*request.resource, &*request.method) {
            ("carillon", "GET") => {
                let lease = json!({"metadata": {"resourceVersion": "5"}, "spec": {}});
                Some(Reply::Body(200, lease.to_string()))
            }
            ("carillon", _) => {
                version += 1;
                let mut lease: serde_json::Value = serde_json::from_str(&request.body).unwrap();
                lease["metadata"]["resourceVersion"] = json!(version.to_string());
                Some(Reply::Body(200, lease.to_string()))
            }
            _ => None,
        },
    )
    .await;
    let (role, mut source) = take_part(&server);
    let lead = |wanted| move |change| (change == ApiChange::Lead(wanted)).then_some(());
    let lists = || {
        server
            .of("services")
            .iter()
            .filter(|one| one.watches().is_none())
            .count()
    };
    role.outbox.able.send_replace(true);
    until(&mut source, lead(true)).await;
    let before = lists();
    role.outbox.free.send_replace(false);
    until(&mut source, lead(false)).await;
    assert_eq!(lists(), before);
    role.outbox.free.send_replace(true);
    until(&mut source, lead(true)).await;
    assert_eq!(lists(), before + 1);
    let given_back = server.of("carillon");
    let given_back = given_back
        .iter()
        .any(|one| one.body.contains(r#""holderIdentity":"""#));
    assert!(!given_back, "it stays the one that writes");
}

#[tokio::test]
async fn one_that_cannot_read_all_services_gives_the_lease_back() {
    let mut version = 5;
    let server = Server::start(
        move |request| match (&*request.resource, &*request.method) {
            ("services", "GET") if request.number > 1 => Some(refusal(500, "etcd is slow")),
            ("carillon", "GET") => {
                let lease = json!({"metadata": {"resourceVersion": "5"}, "spec": {}});
                Some(Reply::Body(200, lease.to_string()))
            }
            ("carillon", _) => {
                version += 1;
                let mut lease: serde_json::Value = serde_json::from_str(&request.body).unwrap();
                lease["metadata"]["resourceVersion"] = json!(version.to_string());
                Some(Reply::Body(200, lease.to_string()))
            }
            _ => None,
        },
    )
    .await;
    let mut told = Told::follow(&server);
    told.until(|told| told.synced).await;
    let role = role::take_part(Parts {
        cluster: server.cluster.clone(),
        namespace: "metallb-system".to_owned(),
        name: "me".to_owned(),
        may_lead: true,
        begin: Duration::from_millis(200),
        batches: told.source.sender.clone(),
        relist: told.source.relist_services.clone(),
    });
    role.outbox.able.send_replace(true);
    let gives_back = |request: &Request| {
        request.method == "PATCH" && request.body.contains(r#""holderIdentity":"""#)
    };
    timeout(SOON, server.until(gives_back)).await.unwrap();
    let requests = server.of("carillon");
    let holders = requests.iter().filter(|request| request.method == "PATCH");
    assert_eq!(holders.count(), 2, "taken, and given back");
}

#[tokio::test]
async fn one_that_may_not_lead_asks_for_nothing_and_tells_who_does() {
    let server = Server::start(|request| {
        let metadata = json!({"resourceVersion": "5"});
        let lease = json!({"metadata": metadata, "spec": {"holderIdentity": "controller-x"}});
        let line = event("ADDED", &lease);
        (request.resource == "leases").then(|| Reply::Watch(vec![line], End::Open))
    })
    .await;
    let mut source = followed(&server.cluster, &options());
    let role = source.take_part(&server.cluster, "metallb-system", "me", false);
    role.outbox.able.send_replace(true);
    let holder = |change| match change {
        ApiChange::Holder(holder) => holder,
        _ => None,
    };
    assert_eq!(until(&mut source, holder).await, "controller-x");
    timeout(SOON, role.leave.leave()).await.unwrap();
    // From here on it does nothing more.
    assert_eq!(server.of("carillon").len(), 0, "it asks for the Lease");
}

#[tokio::test]
async fn one_that_only_gives_addresses_follows_no_endpoints_or_nodes_and_of_pods_those_of_metallb()
{
    let server = Server::start(|_| None).await;
    let options = Options {
        announces: false,
        pods: Some("app=metallb".to_owned()),
        ..options()
    };
    let mut told = Told::follow_with(&server, &options);
    told.until(|told| told.synced).await;
    for resource in ["endpointslices", "nodes"] {
        assert_eq!(server.of(resource), []);
    }
    let pods = server.of("pods");
    let of_others = |request: &Request| request.query.contains("name%21%3Dcarillon");
    assert!(!pods.is_empty() && pods.iter().all(of_others), "{pods:?}");
}

#[tokio::test]
async fn one_that_only_announces_follows_no_namespaces() {
    let server = Server::start(|_| None).await;
    let options = Options {
        may_lead: false,
        ..options()
    };
    let mut told = Told::follow_with(&server, &options);
    told.until(|told| told.synced).await;
    assert_eq!(server.of("namespaces"), []);
}

#[tokio::test]
async fn a_check_asks_for_the_rights_of_its_role_only() {
    let part = |announces, may_lead| Part {
        announces,
        may_lead,
    };
    for (part, lacks, has) in [
        (
            part(true, false),
            ["endpointslices", "pods"],
            "services/status",
        ),
        (
            part(false, true),
            ["services/status", "leases"],
            "endpointslices",
        ),
    ] {
        let server = Server::start(|request| {
            let is_review = request.resource == "selfsubjectaccessreviews";
            let no = json!({"status": {"allowed": false}});
            is_review.then(|| Reply::Body(201, no.to_string()))
        })
        .await;
        let errors = snapshot::take(&server.cluster, &options().config, part)
            .await
            .errors;
        let errors = errors.join("\n");
        assert!(lacks.iter().all(|right| errors.contains(right)), "{errors}");
        assert!(!errors.contains(has), "{errors}");
    }
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
            service: key("web"),
            uid: "1-2-3".into(),
            version: "1".into(),
            action: Action::Announce,
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
    let read = snapshot::take(&server.cluster, &options().config, ALL).await;
    let expected = [
        "this user may not watch configmaps in the namespace metallb-system, as a daemon must: give \
         its Role a rule with apiGroups [\"\"], resources [\"configmaps\"], resourceNames \
         [\"config\"] and verbs [\"list\", \"watch\"], as manifests/install.yaml has it",
        "this user may not patch servicel2statuses/status in the namespace metallb-system, as a daemon \
         must: give its Role a rule with apiGroups [\"metallb.io\"], resources \
         [\"servicel2statuses/status\"] and verbs [\"patch\"], as manifests/install.yaml has it",
        "this user may not patch servicebgpstatuses/status in the namespace metallb-system, as a daemon \
         must: give its Role a rule with apiGroups [\"metallb.io\"], resources \
         [\"servicebgpstatuses/status\"] and verbs [\"patch\"], as manifests/install.yaml has it",
        "this user may not patch configurationstates/status in the namespace metallb-system, as a daemon \
         must: give its Role a rule with apiGroups [\"metallb.io\"], resources \
         [\"configurationstates/status\"] and verbs [\"patch\"], as manifests/install.yaml has it",
        "this user may not patch ipaddresspools/status in the namespace metallb-system, as a daemon \
         must: give its Role a rule with apiGroups [\"metallb.io\"], resources \
         [\"ipaddresspools/status\"] and verbs [\"patch\"], as manifests/install.yaml has it",
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

/// A book of what the daemon on `alpha` tells, whose writes go to this server.
fn book(role: &Role) -> ReportBook {
    let writer = Writer {
        namespace: "metallb-system".to_owned(),
        node: "alpha".to_owned(),
        pod: None,
    };
    ReportBook::new(writer.into(), role.outbox.reports.clone(), Jitter::new(1))
}

#[tokio::test]
async fn who_takes_a_service_over_replaces_the_object_of_the_former_owner() {
    let mut objects = Vec::from(["beta"]);
    let server = Server::start(move |request| {
        let object = |node: &str, version: &str| {
            let labels = json!({"metallb.io/node": node});
            json!({"metadata": {"resourceVersion": version, "labels": labels}}).to_string()
        };
        let is_one = request.resource.starts_with("l2-") || request.resource == "status";
        match &*request.method {
            "POST" if request.resource == "servicel2statuses" => Some(if objects.is_empty() {
                objects.push("alpha");
                Reply::Body(201, object("alpha", "8"))
            } else {
                refusal(409, "servicel2statuses.metallb.io already exists")
            }),
            "GET" if is_one => Some(Reply::Body(200, object("beta", "7"))),
            "DELETE" if is_one => {
                objects.clear();
                Some(Reply::Body(200, json!({"status": "Success"}).to_string()))
            }
            "PATCH" if is_one => Some(Reply::Body(200, object("alpha", "9"))),
            _ => None,
        }
    })
    .await;
    let (role, mut source) = take_part(&server);
    let mut book = book(&role);
    book.listed(Kind::ServiceL2Status, true);
    let announced = carillon_objects::source::Announced {
        interfaces: ["eth0".into()].into(),
        ..Default::default()
    };
    book.announced(&key("web"), announced);
    book.publish(Instant::now());
    let answer = until(&mut source, |change| match change {
        ApiChange::Reported(answer) => Some(answer),
        _ => None,
    })
    .await;
    assert_eq!(answer.outcome, Outcome::Written);
    let created = server.of("servicel2statuses");
    let created = created.iter().filter(|request| request.method == "POST");
    let names: Vec<String> = created
        .map(|request| {
            let object: serde_json::Value = serde_json::from_str(&request.body).unwrap();
            object["metadata"]["name"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(names.len(), 2);
    let there = server.of(&names[0]);
    let methods: Vec<_> = there.iter().map(|request| &*request.method).collect();
    assert_eq!(methods, ["GET", "DELETE"]);
    let options: serde_json::Value = serde_json::from_str(&there[1].body).unwrap();
    assert_eq!(options["preconditions"], json!({"resourceVersion": "7"}));
    let said: serde_json::Value = serde_json::from_str(&server.of("status")[0].body).unwrap();
    assert_eq!(said["metadata"]["resourceVersion"], "8");
    assert_eq!(said["status"]["interfaces"], json!([{"name": "eth0"}]));
}

#[tokio::test]
async fn a_kind_that_does_not_exist_is_passed_over_and_one_that_appears_is_found() {
    let exists = Arc::<AtomicBool>::default();
    let is_there = exists.clone();
    let server = Server::start(move |request| {
        let is_report = request.resource == "servicel2statuses";
        let is_absent = is_report && !is_there.load(Ordering::Relaxed);
        is_absent.then(|| refusal(404, "404 page not found"))
    })
    .await;
    let mut source = followed(&server.cluster, &options());
    let (mut synced, mut listed) = (false, Vec::new());
    while listed != [false, true] {
        let batch = timeout(SOON, source.batches.recv()).await;
        let batch = batch.expect("something to be told").expect("a source");
        assert_eq!(batch.problems, None);
        synced |= batch.synced;
        listed.extend(batch.words.into_iter().filter_map(|word| match word {
            ApiChange::ReportsListed(Kind::ServiceL2Status, exists) => Some(exists),
            _ => None,
        }));
        let is_passed_over = synced && listed == [false];
        exists.fetch_or(is_passed_over, Ordering::Relaxed);
    }
}
