#![expect(
    clippy::disallowed_methods,
    reason = "a scripted API server has tasks, and whoever waits for it the clock"
)]

use std::time::{Duration, Instant};

use carillon_core::testing::key;
use carillon_objects::Kind;
use carillon_objects::source::Change;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::*;

mod role;
mod server;

use server::{End, Reply, Request, Server, event, list, refusal, service, status, wrong_service};

/// For whatever should happen at once: longer than a few pauses.
const SOON: Duration = Duration::from_secs(30);

fn options() -> Options {
    Options {
        config: ObjectKey::config_map("metallb-system", "config"),
        node: "alpha".to_owned(),
        pods: None,
        announces: true,
        may_lead: true,
        pod: None,
    }
}

/// What a daemon does that does everything.
const ALL: Part = Part {
    announces: true,
    may_lead: true,
};

/// A cluster that is being followed.
fn followed(cluster: &Cluster, options: &Options) -> Source {
    let (source, tasks) = source(cluster, options);
    for task in tasks {
        tokio::spawn(task.run);
    }
    source
}

/// What a source has told so far.
struct Told {
    source: Source,
    /// The names of the changed (`+`) and removed (`-`) Services and Namespaces, in order.
    changes: Vec<String>,
    problems: Vec<String>,
    synced: bool,
    namespaces_known: bool,
}

impl Told {
    fn follow(server: &Server) -> Self {
        Self::follow_with(server, &options())
    }

    fn follow_with(server: &Server, options: &Options) -> Self {
        Self {
            source: followed(&server.cluster, options),
            changes: Vec::new(),
            problems: Vec::new(),
            synced: false,
            namespaces_known: false,
        }
    }

    fn take(&mut self, batch: Batch) {
        self.synced |= batch.synced;
        self.namespaces_known |= batch.words.contains(&ApiChange::NamespacesKnown);
        for change in batch.changes {
            let (sign, key) = match change {
                Change::Set(key, _) => ('+', key),
                Change::Removed(key) => ('-', key),
            };
            if matches!(key.kind, Kind::Service | Kind::Namespace) {
                self.changes.push(format!("{sign}{}", key.name.name()));
            }
        }
        if let Some(problems) = batch.problems {
            self.problems = problems.unreachable.clone();
            self.problems.extend(problems.texts());
        }
    }

    /// Waits until what has been told is as it should be.
    async fn until(&mut self, what: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !what(self) {
            assert!(
                begun.elapsed() < SOON,
                "{:?} {:?}",
                self.changes,
                self.problems
            );
            let next = timeout(SOON, self.source.batches.recv()).await;
            self.take(
                next.expect("something to be told")
                    .expect("a source that lives"),
            );
        }
    }

    /// Waits until a problem says this.
    async fn until_problem(&mut self, text: &str) {
        self.until(|told| told.problems.iter().any(|problem| problem.contains(text)))
            .await;
    }
}

/// Whether this is a list of Services, or the changes after one.
fn is_list(request: &Request) -> bool {
    request.is_services() && request.watches().is_none()
}

#[tokio::test]
async fn what_is_not_understood_is_told_and_all_else_goes_on() {
    let server = Server::start(|request| match request.watches() {
        _ if !request.is_services() => None,
        None => Some(list(2, &[service("a", 1), wrong_service("b", 2)])),
        Some("2") => Some(Reply::Watch(
            vec![
                event("MODIFIED", &wrong_service("a", 3)),
                event("BOOKMARK", &json!({"metadata": {"resourceVersion": "4"}})),
                event("ADDED", &service("c", 5)),
            ],
            End::Open,
        )),
        Some(_) => None,
    })
    .await;
    let mut told = Told::follow(&server);
    told.until(|told| told.synced && told.changes == ["+a", "+c"])
        .await;
    told.until(|told| told.problems.len() == 2).await;
    let what = "spec.type: \"Balanced\" is not known; write LoadBalancer (or ClusterIP, NodePort, \
                ExternalName)";
    let kept = format!("Service default/a: {what} (the last good version stays in force)");
    assert_eq!(told.problems, [kept, format!("Service default/b: {what}")]);
}

#[tokio::test]
async fn a_watch_goes_on_where_it_ended_or_was_cut() {
    let server = Server::start(|request| match request.watches() {
        _ if !request.is_services() => None,
        None => Some(list(2, &[service("a", 1)])),
        Some("2") => Some(Reply::Watch(
            vec![event("ADDED", &service("b", 3))],
            End::Cut,
        )),
        Some("3") => Some(Reply::Watch(
            vec![event("DELETED", &service("a", 4))],
            End::Whole,
        )),
        Some("4") => Some(Reply::Watch(
            vec![event("ADDED", &service("c", 5))],
            End::Open,
        )),
        Some(_) => None,
    })
    .await;
    let mut told = Told::follow(&server);
    told.until(|told| told.changes == ["+a", "+b", "-a", "+c"])
        .await;
    assert_eq!(told.problems, [""; 0]);
    let requests = server.services();
    let versions: Vec<_> = requests.iter().map(Request::watches).collect();
    assert_eq!(versions, [None, Some("2"), Some("3"), Some("4")]);
}

#[tokio::test]
async fn what_has_expired_or_is_nonsense_is_listed_anew() {
    let watches = [
        vec![event(
            "ERROR",
            &status(410, "too old resource version: 1 (9)"),
        )],
        vec!["nonsense".to_owned()],
        vec![event("UPDATED", &service("a", 9))],
        vec![event(
            "DELETED",
            &json!({"metadata": {"resourceVersion": "9"}}),
        )],
        vec![event("ADDED", &json!({"metadata": {"name": "a"}}))],
        vec!["x".repeat(9 << 20)],
        vec![event("ADDED", &service("z", 99))],
    ];
    let mut lists = 0;
    let mut left = watches.clone().into_iter();
    let server = Server::start(move |request| match request.watches() {
        _ if !request.is_services() => None,
        None => {
            lists += 1;
            Some(list(lists, &[service(&format!("s{lists}"), lists)]))
        }
        Some(_) => left.next().map(|lines| Reply::Watch(lines, End::Open)),
    })
    .await;
    let mut told = Told::follow(&server);
    told.until(|told| told.changes.last().is_some_and(|last| last == "+z"))
        .await;
    let mut expected = vec!["+s1".to_owned()];
    for n in 2..=watches.len() {
        expected.extend([format!("+s{n}"), format!("-s{}", n - 1)]);
    }
    expected.push("+z".to_owned());
    assert_eq!(told.changes, expected);
}

/// Answers to a list that are none, and what is told.
fn bad_answers() -> Vec<(Reply, &'static str)> {
    let forbidden = "services is forbidden: User \"jane\" cannot list resource \"services\"";
    let body = |text: &str| Reply::Body(200, text.to_owned());
    let bytes = |text: &str| Reply::Bytes(text.to_owned());
    let nonsense = "does not answer like an API server";
    vec![
        (refusal(401, "Unauthorized"), "(401 Unauthorized)"),
        (
            refusal(403, forbidden),
            "the user jane may not list services",
        ),
        (
            refusal(500, "etcd is slow"),
            "is in trouble (500): etcd is slow",
        ),
        (
            Reply::Body(404, "page not found".to_owned()),
            "(404 Not Found)",
        ),
        (
            Reply::Body(502, "<html>\n<b>Bad".to_owned()),
            "(502): <html> <b>Bad",
        ),
        (Reply::Body(503, String::new()), "is in trouble (503)"),
        (body("<html>hello</html>"), nonsense),
        (body("{}"), nonsense),
        (body("[]"), nonsense),
        (body(r#"{"metadata": {}, "items": []}"#), nonsense),
        (
            body(r#"{"metadata": {"resourceVersion": "1"}, "items": {}}"#),
            nonsense,
        ),
        (bytes("SSH-2.0-OpenSSH_9.2\r\n"), "cannot be reached"),
        (bytes(""), "cannot be reached"),
        (
            bytes("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"items\": ["),
            "reached",
        ),
        (
            bytes("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\n{"),
            "reached",
        ),
        (Reply::Endless("[[[["), nonsense),
        (Reply::Endless("{\"a\": [[[["), "the list does not end"),
    ]
}

#[tokio::test]
async fn a_server_that_answers_badly_is_told_and_asked_until_it_answers_well() {
    let mut cases = JoinSet::new();
    for (reply, text) in bad_answers() {
        cases.spawn(async move {
            let (healed, heals) = std::sync::mpsc::channel::<()>();
            let mut is_well = false;
            let server = Server::start(move |request| {
                is_well |= heals.try_recv().is_ok();
                match is_list(request) {
                    true if is_well => Some(list(2, &[service("a", 1)])),
                    true => Some(reply.clone()),
                    false => None,
                }
            })
            .await;
            let mut told = Told::follow(&server);
            told.until_problem(text).await;
            assert!(!told.synced && told.changes.is_empty());
            healed.send(()).unwrap();
            told.until(|told| told.synced && told.problems.is_empty())
                .await;
            assert_eq!(told.changes, ["+a"]);
        });
    }
    while let Some(case) = cases.join_next().await {
        case.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_told() {
    let server = Server::start(|request| is_list(request).then_some(Reply::Silence)).await;
    let mut told = Told::follow(&server);
    while told.problems.is_empty() {
        let batch = told.source.batches.recv().await;
        told.take(batch.expect("a source that lives"));
    }
    let problem = told.problems.concat();
    assert!(
        problem.contains("cannot be reached: no answer in time"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_list_that_is_asked_for_is_told_before_it_is_answered() {
    let server = Server::start(|request| match request.number {
        _ if !request.is_services() => None,
        0 => Some(list(2, &[service("a", 1)])),
        // Asked for: it must be tried until there is one.
        2 => Some(refusal(500, "not now")),
        3 => Some(list(4, &[service("b", 3)])),
        _ => None,
    })
    .await;
    let mut told = Told::follow(&server);
    told.until(|told| told.synced).await;
    let (request, answer) = oneshot::channel();
    told.source.relist_services.send(request).await.unwrap();
    timeout(SOON, answer).await.unwrap().unwrap();
    while let Ok(batch) = told.source.batches.try_recv() {
        told.take(batch);
    }
    assert_eq!(told.changes, ["+a", "+b", "-a"]);
}

#[tokio::test]
async fn pages_make_one_list() {
    let server = Server::start(|request| {
        if !is_list(request) {
            return None;
        }
        let page = |next: &str, items: &[serde_json::Value]| {
            let metadata = json!({"resourceVersion": "7", "continue": next});
            let page = json!({"metadata": metadata, "items": items});
            Some(Reply::Body(200, page.to_string()))
        };
        match request.query.split_once("&continue=").map(|(_, next)| next) {
            None => page("1/+?&", &[service("a", 1)]),
            Some("1%2F%2B%3F%26") => page("2", &[service("b", 2)]),
            Some(_) => page("", &[service("c", 3)]),
        }
    })
    .await;
    let mut told = Told::follow(&server);
    told.until(|told| told.changes == ["+a", "+b", "+c"] && told.synced)
        .await;
    let read = snapshot::take(&server.cluster, &options().config, ALL).await;
    assert_eq!(read.changes.len(), 3);
    assert_eq!(read.errors, [""; 0]);
}

/// A Service of this many octets of annotation, of which JSON makes `times` as many.
fn fat_service(name: &str, octets: usize, escaped: &str) -> String {
    let text = escaped.repeat(octets);
    format!(
        r#"{{"metadata": {{"name": "{name}", "namespace": "default", "resourceVersion": "7",
        "annotations": {{"a": "{text}"}}}}, "spec": {{"type": "LoadBalancer"}},
        "status":{{"loadBalancer":{{"ingress":[{{"ip":"192.0.2.7"}}]}}}}}}"#
    )
}

/// The page of these objects that is asked for.
fn page_of(objects: &[String], query: &str) -> Reply {
    let parameter = |name: &str| {
        let mut parameters = query.split('&');
        let value = parameters.find_map(|parameter| parameter.strip_prefix(name));
        value.and_then(|value| value.parse::<usize>().ok())
    };
    let (limit, start) = (parameter("limit=").unwrap(), parameter("continue="));
    let start = start.unwrap_or_default();
    let end = objects.len().min(start + limit);
    let next = (end < objects.len()).then(|| end.to_string());
    let next = next.unwrap_or_default();
    let items = objects[start..end].join(",");
    let metadata = format!(r#"{{"resourceVersion": "7", "continue": "{next}"}}"#);
    Reply::Body(
        200,
        format!(r#"{{"metadata": {metadata}, "items": [{items}]}}"#),
    )
}

#[tokio::test]
async fn a_list_survives_fat_objects_and_the_pages_get_shorter() {
    for (count, escaped) in [(260, "x"), (45, "\\u003c")] {
        let objects: Vec<_> = (0..count)
            .map(|n| fat_service(&format!("fat-{n}"), 256 << 10, escaped))
            .collect();
        let server = Server::start(move |request| {
            is_list(request).then(|| page_of(&objects, &request.query))
        })
        .await;
        let mut told = Told::follow(&server);
        told.until(|told| told.synced).await;
        assert_eq!(told.changes.len(), count);
        assert_eq!(told.problems, [""; 0]);
        let (request, answer) = oneshot::channel();
        told.source.relist_services.send(request).await.unwrap();
        // The length of the pages is known now.
        let before = server.services().len();
        timeout(SOON, answer).await.unwrap().unwrap();
        let asked = server.services().len() - before;
        assert!(asked < 20, "{asked} requests for a list");
    }
}

#[tokio::test]
async fn an_object_that_is_too_long_is_named_and_skipped_and_keeps_its_addresses() {
    let objects = ["a", "fat", "z"].map(|name| {
        let octets = if name == "fat" { 20 << 20 } else { 1 };
        fat_service(name, octets, "x")
    });
    let fatter = fat_service("a", 9 << 20, "x").replace("\"7\"", "\"8\"");
    let line = format!(r#"{{"type": "MODIFIED", "object": {fatter}}}"#).replace('\n', "");
    let server = Server::start(move |request| match request.watches() {
        _ if !request.is_services() => None,
        None => Some(page_of(&objects, &request.query)),
        Some("7") => Some(Reply::Watch(
            vec![line.clone(), event("ADDED", &service("later", 9))],
            End::Open,
        )),
        Some(_) => None,
    })
    .await;
    let mut told = Told::follow(&server);
    let mut reserved = Vec::new();
    while told.changes.len() < 3 || told.problems.len() < 2 {
        let batch = timeout(SOON, told.source.batches.recv()).await;
        let mut batch = batch.unwrap().unwrap();
        reserved.extend(
            batch
                .words
                .extract_if(.., |change| matches!(change, ApiChange::Reserved(..))),
        );
        told.take(batch);
    }
    assert_eq!(told.changes, ["+a", "+z", "+later"]);
    let [a, fat] = &*told.problems else {
        panic!("{:?}", told.problems);
    };
    assert!(
        a.starts_with("Service default/a: is longer than 8 MiB"),
        "{a}"
    );
    assert!(a.ends_with("(the last good version stays in force)"), "{a}");
    assert!(
        fat.starts_with("Service default/fat: is longer than 8 MiB"),
        "{fat}"
    );
    let address = vec!["192.0.2.7".parse().unwrap()];
    let key = key("fat");
    assert_eq!(reserved, [ApiChange::Reserved(key, address)]);
    // None of it was asked for twice.
    let watches = server
        .services()
        .into_iter()
        .filter(|request| request.watches().is_some());
    assert_eq!(watches.count(), 1);
}

#[tokio::test]
async fn without_the_right_to_pods_all_else_is_synced() {
    let server = Server::start(|request| {
        (request.resource == "pods").then(|| refusal(403, "pods is forbidden"))
    })
    .await;
    let options = Options {
        pods: Some("app=metallb".to_owned()),
        ..options()
    };
    let mut told = Told::follow_with(&server, &options);
    told.until(|told| told.synced).await;
    told.until_problem("may not read pods").await;
}

#[tokio::test]
async fn of_all_nodes_but_this_one_the_metadata_is_enough() {
    let server = Server::start(|_| None).await;
    let mut told = Told::follow(&server);
    told.until(|told| told.synced).await;
    let watches_all = |one: &Request| {
        one.resource == "nodes" && one.watches().is_some() && !one.query.contains("alpha")
    };
    timeout(SOON, server.until(watches_all)).await.unwrap();
    let requests = server.of("nodes");
    let lists = requests.iter().filter(|one| one.watches().is_none());
    let (own, all): (Vec<_>, Vec<_>) = lists.partition(|one| one.query.contains("alpha"));
    assert_eq!((own.len(), all.len()), (1, 1));
    assert_eq!(own[0].accept, "application/json");
    let accept = &all[0].accept;
    assert!(accept.contains("PartialObjectMetadataList;"), "{accept}");
    let watch = requests.iter().find(|one| watches_all(one));
    let accept = &watch.unwrap().accept;
    assert!(accept.contains("PartialObjectMetadata;"), "{accept}");
}

#[tokio::test]
async fn without_the_right_to_other_nodes_all_else_is_synced() {
    let server = Server::start(|request| {
        let is_all = request.resource == "nodes" && !request.query.contains("alpha");
        is_all.then(|| refusal(403, "nodes is forbidden"))
    })
    .await;
    let mut told = Told::follow(&server);
    told.until(|told| told.synced).await;
}

#[tokio::test]
async fn without_the_right_to_namespaces_all_else_is_synced() {
    let server = Server::start(|request| {
        (request.resource == "namespaces").then(|| refusal(403, "namespaces is forbidden"))
    })
    .await;
    let mut told = Told::follow(&server);
    told.until(|told| told.synced).await;
    told.until_problem("may not read namespaces").await;
    assert!(!told.namespaces_known);
}

#[tokio::test]
async fn namespaces_are_told_with_their_labels_and_then_that_they_are_known() {
    let server = Server::start(|request| {
        let is_list = request.resource == "namespaces" && request.watches().is_none();
        let metadata = json!({"name": "shop", "resourceVersion": "1", "labels": {"team": "x"}});
        is_list.then(|| list(7, &[json!({ "metadata": metadata })]))
    })
    .await;
    let mut told = Told::follow(&server);
    told.until(|told| told.namespaces_known).await;
    assert_eq!(told.changes, ["+shop"]);
    let requests = server.of("namespaces");
    let accept = &requests[0].accept;
    assert!(accept.contains("PartialObjectMetadataList;"), "{accept}");
}
