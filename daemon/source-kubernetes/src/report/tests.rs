#![expect(clippy::disallowed_methods, reason = "any moment to begin with")]

use std::collections::{BTreeMap, VecDeque};

use carillon_core::allocator::Usage;
use carillon_core::testing::key;
use carillon_objects::Object;
use serde_json::{Value, json};

use super::content::{Content, Judgement};
use super::*;
use crate::publish::{AT_ONCE, Write};

const SECOND: Duration = Duration::from_secs(1);
const KINDS: [Kind; 5] = [
    Kind::ServiceL2Status,
    Kind::ServiceBgpStatus,
    Kind::ConfigurationState,
    Kind::ControllerState,
    Kind::PoolStatus,
];

/// An API server that has such objects, and what was asked of it.
#[derive(Default)]
struct Api {
    /// By path.
    objects: BTreeMap<String, Value>,
    versions: u32,
    log: Vec<String>,
}

impl Api {
    /// Does what a request says, as an API server does it.
    fn send(&mut self, write: &Write<Value>) -> Result<String, Outcome> {
        self.versions += 1;
        let path = write.path.trim_end_matches("/status");
        let name = path.rsplit('/').next().unwrap();
        self.log.push(format!("{:?} {name}", write.verb));
        let version = self.versions.to_string();
        match write.verb {
            crate::publish::Verb::Create => {
                let name = write.body["metadata"]["name"].as_str().unwrap();
                let path = format!("{path}/{name}");
                if self.objects.contains_key(&path) {
                    return Err(Outcome::Conflict);
                }
                let mut object = write.body.clone();
                object["metadata"]["resourceVersion"] = json!(version);
                object["metadata"]["namespace"] = json!("metallb-system");
                self.objects.insert(path, object);
            }
            crate::publish::Verb::Patch => {
                let object = self.objects.get_mut(path).ok_or(Outcome::Gone)?;
                let on = &write.body["metadata"]["resourceVersion"];
                if !on.is_null() && *on != object["metadata"]["resourceVersion"] {
                    return Err(Outcome::Conflict);
                }
                if path == write.path {
                    for (field, value) in write.body["metadata"].as_object().unwrap() {
                        object["metadata"][field] = value.clone();
                    }
                } else {
                    object["status"] = write.body["status"].clone();
                }
                object["metadata"]["resourceVersion"] = json!(version);
            }
            crate::publish::Verb::Delete => {
                let object = self.objects.get(path).ok_or(Outcome::Gone)?;
                let on = &write.body["preconditions"]["resourceVersion"];
                if *on != object["metadata"]["resourceVersion"] {
                    return Err(Outcome::Conflict);
                }
                self.objects.remove(path);
            }
        }
        Ok(version)
    }

    /// The same as the writer of a daemon does it.
    fn write(&mut self, write: &ReportWrite, now: &str) -> Outcome {
        let sent = match &write.change {
            Change::Create(content) => {
                let mut created = self.send(&write.create());
                if let (Err(Outcome::Conflict), Some(before)) =
                    (&created, self.objects.get(&write.path()))
                {
                    let version = before["metadata"]["resourceVersion"]
                        .as_str()
                        .unwrap()
                        .to_owned();
                    self.send(&write.delete(&version)).unwrap();
                    created = self.send(&write.create());
                }
                created.and_then(|version| self.send(&write.say(&version, content, now)))
            }
            Change::Adopt => self.send(&write.adopt()),
            Change::Say(content) => self.send(&write.say(&write.version, content, now)),
            Change::Delete => self.send(&write.delete(&write.version)),
        };
        sent.err().unwrap_or(Outcome::Written)
    }

    fn log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }
}

/// A daemon on a node.
struct Daemon {
    book: ReportBook,
    writes: mpsc::Receiver<ReportWrite>,
    now: Instant,
    /// What it knows of, by path, and the version.
    seen: BTreeMap<String, (ObjectKey, Value)>,
    /// What it told that it announces since now.
    begun: Vec<String>,
}

impl Daemon {
    fn new(node: &str, pod: Option<&str>) -> Self {
        let (writes, to_write) = mpsc::channel(AT_ONCE);
        let pod = pod.map(|uid| Pod {
            name: "pod".to_owned(),
            uid: uid.to_owned(),
        });
        let writer = Writer {
            namespace: "metallb-system".to_owned(),
            node: node.to_owned(),
            pod,
        };
        Self {
            book: ReportBook::new(writer.into(), writes, Jitter::new(1)),
            writes: to_write,
            now: Instant::now(),
            seen: BTreeMap::new(),
            begun: Vec::new(),
        }
    }

    /// One that has listed everything.
    fn started(node: &str, api: &Api) -> Self {
        let mut daemon = Self::new(node, Some(node));
        daemon.watch(api);
        for kind in KINDS {
            daemon.book.listed(kind, true);
        }
        daemon
    }

    /// The watches bring what is news.
    fn watch(&mut self, api: &Api) {
        let node = self.book.node().to_owned();
        let own = |object: &Value| {
            let labels = &object["metadata"]["labels"];
            labels[carillon_objects::report::NODE_LABEL] == node.as_str()
        };
        for (path, object) in &api.objects {
            let kind = match object["kind"].as_str().unwrap() {
                "ServiceL2Status" if own(object) => Kind::ServiceL2Status,
                "ServiceBGPStatus" if own(object) => Kind::ServiceBgpStatus,
                "ConfigurationState" if path.ends_with("/controller") => Kind::ControllerState,
                "ConfigurationState" if path.ends_with(&format!("speaker-{node}")) => {
                    Kind::ConfigurationState
                }
                "IPAddressPool" => Kind::PoolStatus,
                _ => continue,
            };
            let read = carillon_objects::read(kind, object.to_string().as_bytes(), false).unwrap();
            let version = object["metadata"]["resourceVersion"].clone();
            let before = self
                .seen
                .insert(path.clone(), (read.key.clone(), version.clone()));
            let Object::Report(report) = read.object else {
                panic!("{read:?}");
            };
            if before.is_none_or(|(_, before)| before != version) {
                self.book.stored(read.key, read.version, &report);
            }
        }
        let is_gone = |path: &String| {
            api.objects.get(path).is_none_or(|object| {
                object["metadata"]["labels"]
                    .get("metallb.io/node")
                    .is_some()
                    && !own(object)
            })
        };
        let gone: Vec<String> = self
            .seen
            .keys()
            .filter(|path| is_gone(path))
            .cloned()
            .collect();
        for path in gone {
            let (key, _) = self.seen.remove(&path).unwrap();
            self.book.gone(&key, self.now);
        }
    }

    /// Decides, and has done what it wants, until it wants nothing more.
    fn settle(&mut self, api: &mut Api) {
        self.watch(api);
        self.book.publish(self.now);
        let mut under_way = VecDeque::new();
        loop {
            while let Ok(write) = self.writes.try_recv() {
                under_way.push_back(write);
            }
            let Some(write) = under_way.pop_front() else {
                return;
            };
            self.carry_out(write, api, "2026-01-01T00:00:00Z");
        }
    }

    /// Does the one thing that it wants done.
    fn write(&mut self, api: &mut Api, time: &str) {
        let write = self.writes.try_recv().unwrap();
        self.carry_out(write, api, time);
    }

    fn carry_out(&mut self, write: ReportWrite, api: &mut Api, time: &str) {
        let outcome = api.write(&write, time);
        let answer = Answer {
            object: write.key,
            version: write.version,
            outcome,
        };
        if let Some((service, protocol)) = self.book.answered(answer, self.now) {
            self.begun.push(format!("{service} {protocol}"));
        }
        self.watch(api);
        self.book.publish(self.now);
    }

    fn announce(&mut self, interfaces: &[&str], peers: &[&str]) {
        let list = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect();
        let announced = Announced {
            interfaces: list(interfaces),
            peers: list(peers),
        };
        let begun = self.book.announced(&key("web"), announced);
        let begun = begun.into_iter().map(|protocol| format!("told {protocol}"));
        self.begun.extend(begun);
    }

    fn pass(&mut self, time: Duration, api: &mut Api) {
        self.now += time;
        self.settle(api);
    }
}

fn status<'a>(api: &'a Api, kind: &str) -> Vec<&'a Value> {
    let objects = api.objects.values();
    let those = objects.filter(|object| object["kind"] == kind);
    those.map(|object| &object["status"]).collect()
}

#[test]
fn a_service_has_one_object_for_each_protocol_and_the_next_daemon_writes_nothing() {
    let mut api = Api::default();
    let mut daemon = Daemon::started("alpha", &api);
    daemon.announce(&["eth0", "eth1"], &["tor-a"]);
    daemon.settle(&mut api);
    assert_eq!(api.log().len(), 4, "two are made, and say something");
    let layer2 = json!({
        "node": "alpha", "serviceName": "web", "serviceNamespace": key("web").namespace(),
        "interfaces": [{"name": "eth0"}, {"name": "eth1"}],
    });
    assert_eq!(status(&api, "ServiceL2Status"), [&layer2]);
    let bgp = json!({
        "node": "alpha", "serviceName": "web", "serviceNamespace": key("web").namespace(),
        "peers": ["tor-a"],
    });
    assert_eq!(status(&api, "ServiceBGPStatus"), [&bgp]);
    for (path, object) in &api.objects {
        let name = path.rsplit('/').next().unwrap();
        assert!(
            name.starts_with("l2-") || name.starts_with("bgp-"),
            "{name}"
        );
        let metadata = &object["metadata"];
        let labels = json!({
            "metallb.io/node": "alpha", "metallb.io/service-name": "web",
            "metallb.io/service-namespace": key("web").namespace(),
        });
        assert_eq!(metadata["labels"], labels);
        let owner = json!([{"apiVersion": "v1", "kind": "Pod", "name": "pod", "uid": "alpha"}]);
        assert_eq!(metadata["ownerReferences"], owner);
        assert_eq!(object["spec"], json!({}));
    }
    let service = key("web");
    let begun = [format!("{service} layer2"), format!("{service} bgp")];
    assert_eq!(daemon.begun, begun);

    let mut next = Daemon::started("alpha", &api);
    next.settle(&mut api);
    next.pass(START / 2, &mut api);
    next.announce(&["eth0", "eth1"], &["tor-a"]);
    next.pass(START, &mut api);
    assert_eq!(api.log(), [""; 0]);
    assert_eq!(next.begun, [""; 0], "nothing has changed");
    next.announce(&["eth1"], &["tor-a"]);
    next.settle(&mut api);
    assert_eq!(api.log().len(), 1);
    assert_eq!(
        status(&api, "ServiceL2Status")[0]["interfaces"],
        json!([{"name": "eth1"}])
    );
}

#[test]
fn what_is_over_is_removed_and_of_what_was_before_the_start_that_is_known_late() {
    let mut api = Api::default();
    let mut daemon = Daemon::started("alpha", &api);
    daemon.announce(&["eth0"], &["tor-a"]);
    daemon.settle(&mut api);
    daemon.announce(&["eth0"], &[]);
    daemon.settle(&mut api);
    assert_eq!(status(&api, "ServiceBGPStatus").len(), 0, "at once");
    let mut next = Daemon::started("alpha", &api);
    next.settle(&mut api);
    next.pass(START.checked_sub(SECOND).unwrap(), &mut api);
    assert_eq!(status(&api, "ServiceL2Status").len(), 1);
    assert_eq!(next.book.due(), Some(next.now + SECOND));
    next.pass(SECOND, &mut api);
    assert_eq!(api.objects.len(), 0);

    let mut daemon = Daemon::started("alpha", &api);
    daemon.announce(&["eth0"], &["tor-a"]);
    daemon.settle(&mut api);
    let mut next = Daemon::started("alpha", &api);
    next.settle(&mut api);
    next.book.remove(&key("web"));
    next.settle(&mut api);
    assert_eq!(api.objects.len(), 0, "the service is gone");
}

/// The former owner hears that its object is gone before it stops.
#[test]
fn a_new_owner_replaces_the_word_of_the_former_one_who_does_not_contradict() {
    let mut api = Api::default();
    let mut former = Daemon::started("alpha", &api);
    former.announce(&["eth0"], &[]);
    former.settle(&mut api);
    let mut owner = Daemon::started("beta", &api);
    owner.announce(&["ens1"], &[]);
    owner.settle(&mut api);
    let node = |api: &Api| {
        let statuses = status(api, "ServiceL2Status");
        assert_eq!(statuses.len(), 1);
        statuses[0]["node"].clone()
    };
    assert_eq!(node(&api), "beta");
    former.settle(&mut api);
    former.pass(SECOND, &mut api);
    assert_eq!(node(&api), "beta");
    former.announce(&[], &[]);
    former.pass(SECOND, &mut api);
    former.pass(START, &mut api);
    assert_eq!(node(&api), "beta");
    owner.settle(&mut api);
    api.log.clear();
    former.pass(START, &mut api);
    owner.pass(START, &mut api);
    assert_eq!(api.log(), [""; 0]);

    // Both believe to have it: neither gives in, and nothing turns in a circle.
    former.announce(&["eth0"], &[]);
    for _ in 0..600 {
        former.pass(SECOND, &mut api);
        owner.pass(SECOND, &mut api);
    }
    let log = api.log();
    assert!(log.len() < 100, "{}", log.len());
}

#[test]
fn what_others_do_to_an_object_is_put_right() {
    let mut api = Api::default();
    let mut daemon = Daemon::started("alpha", &api);
    daemon.announce(&["eth0"], &[]);
    daemon.settle(&mut api);
    let good = api.objects.clone();
    let path = api.objects.keys().next().unwrap().clone();
    let spoil = |api: &mut Api, spoil: &dyn Fn(&mut Value)| {
        api.versions += 1;
        let version = json!(api.versions.to_string());
        let object = api.objects.get_mut(&path).unwrap();
        spoil(object);
        object["metadata"]["resourceVersion"] = version;
    };
    let same = |api: &Api| {
        let one = |objects: &BTreeMap<String, Value>| {
            let mut object = objects[&path].clone();
            object["metadata"]["resourceVersion"] = Value::Null;
            object
        };
        one(&api.objects) == one(&good)
    };
    spoil(&mut api, &|object| {
        object["status"]["interfaces"] = json!([]);
    });
    daemon.settle(&mut api);
    assert!(same(&api), "{:?}", api.objects);
    spoil(&mut api, &|object| object["status"]["node"] = json!("beta"));
    daemon.settle(&mut api);
    daemon.pass(REMOVED, &mut api);
    assert!(same(&api), "{:?}", api.objects);
    spoil(&mut api, &|object| {
        object["metadata"]["ownerReferences"] = json!([]);
    });
    daemon.settle(&mut api);
    assert!(same(&api), "{:?}", api.objects);
    api.objects.clear();
    daemon.settle(&mut api);
    assert_eq!(api.objects.len(), 0, "a new owner would be about to tell");
    assert!(daemon.book.due().unwrap() <= daemon.now + REMOVED);
    daemon.pass(REMOVED, &mut api);
    assert!(same(&api), "{:?}", api.objects);
}

#[test]
fn another_writer_is_corrected_less_and_less_often() {
    let mut api = Api::default();
    let mut daemon = Daemon::started("alpha", &api);
    daemon.announce(&["eth0"], &[]);
    daemon.settle(&mut api);
    api.log.clear();
    for _ in 0..600 {
        api.versions += 1;
        for object in api.objects.values_mut() {
            object["status"]["interfaces"] = json!([{"name": "eth9"}]);
            object["metadata"]["resourceVersion"] = json!(api.versions.to_string());
        }
        daemon.pass(SECOND, &mut api);
    }
    let log = api.log();
    assert!((4..20).contains(&log.len()), "{}", log.len());
}

#[test]
fn without_the_kind_nothing_is_written_until_there_is_one() {
    let mut api = Api::default();
    let mut daemon = Daemon::new("alpha", None);
    daemon.announce(&["eth0"], &["tor-a"]);
    daemon.settle(&mut api);
    assert_eq!(daemon.begun, [""; 0], "it is not known what there is");
    daemon.book.listed(Kind::ServiceBgpStatus, true);
    daemon.book.listed(Kind::ServiceL2Status, false);
    daemon.settle(&mut api);
    assert_eq!(daemon.begun, [format!("{} bgp", key("web"))]);
    daemon.announce(&[], &["tor-a"]);
    daemon.announce(&["eth0"], &["tor-a"]);
    assert_eq!(daemon.begun[1..], ["told layer2"]);
    assert_eq!(status(&api, "ServiceL2Status").len(), 0);
    daemon.book.listed(Kind::ServiceL2Status, true);
    daemon.settle(&mut api);
    assert_eq!(status(&api, "ServiceL2Status").len(), 1);
    let object = api.objects.values().next().unwrap();
    assert_eq!(object["metadata"].get("ownerReferences"), None);

    // It is removed, with all that there was of it.
    api.objects
        .retain(|_, object| object["kind"] != "ServiceL2Status");
    daemon.book.listed(Kind::ServiceL2Status, false);
    daemon
        .seen
        .retain(|_, (key, _)| key.kind != Kind::ServiceL2Status);
    api.log.clear();
    daemon.pass(START, &mut api);
    assert_eq!(api.log(), [""; 0]);
}

fn state(api: &Api, name: &str) -> Option<Value> {
    let mut objects = api.objects.iter();
    let found = objects.find(|(path, _)| path.ends_with(&format!("/{name}")));
    found.map(|(_, object)| object.clone())
}

/// A state with the condition of this type.
fn judged(result: &str, r#type: &str, message: &str) -> Value {
    let (status, reason) = match result {
        "Valid" => ("True", "Reconciled"),
        _ => ("False", "ConfigurationError"),
    };
    json!({"result": result, "errorSummary": message, "conditions": [{
        "type": r#type, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]})
}

fn invalid(causes: &[&str]) -> Verdict {
    Verdict::Invalid {
        causes: causes.iter().map(|cause| (*cause).to_owned()).collect(),
        of_pools: Vec::new(),
    }
}

#[test]
fn each_daemon_says_what_it_makes_of_the_configuration() {
    let mut api = Api::default();
    let mut daemon = Daemon::started("alpha", &api);
    daemon.book.judged(Verdict::Valid);
    daemon.settle(&mut api);
    assert_eq!(state(&api, "controller"), None, "it does not lead");
    let speaker = state(&api, "speaker-alpha").unwrap();
    assert_eq!(
        speaker["status"],
        judged("Valid", "configReconcilerValid", "")
    );
    let labels = json!({
        "metallb.io/component-type": "speaker", "metallb.io/node-name": "alpha",
    });
    assert_eq!(speaker["metadata"]["labels"], labels);
    daemon.book.lead(true);
    daemon.book.judged(invalid(&["peer p is wrong", "other"]));
    daemon.settle(&mut api);
    let message = "configuration error: peer p is wrong\nconfiguration error: other";
    let speaker = state(&api, "speaker-alpha").unwrap();
    let expected = judged("Invalid", "configReconcilerValid", message);
    assert_eq!(speaker["status"], expected);
    let controller = state(&api, "controller").unwrap();
    let expected = judged("Valid", "poolReconcilerValid", "");
    assert_eq!(
        controller["status"], expected,
        "it is no matter of the pools"
    );
    let labels = json!({"metallb.io/component-type": "controller"});
    assert_eq!(controller["metadata"]["labels"], labels);
    daemon.book.judged(Verdict::Unknown);
    daemon.settle(&mut api);
    let unknown = json!({"result": "Unknown", "errorSummary": "", "conditions": []});
    assert_eq!(state(&api, "speaker-alpha").unwrap()["status"], unknown);
}

#[test]
fn the_time_of_a_condition_is_that_of_its_last_change() {
    let mut api = Api::default();
    let mut daemon = Daemon::started("alpha", &api);
    daemon.book.judged(invalid(&["one", "other"]));
    daemon.settle(&mut api);
    let mut next = Daemon::started("alpha", &api);
    next.book.judged(invalid(&["one", "other"]));
    api.log.clear();
    next.settle(&mut api);
    assert_eq!(api.log(), [""; 0], "all of it is there");
    let time = |api: &Api| {
        let state = state(api, "speaker-alpha").unwrap();
        let time = &state["status"]["conditions"][0]["lastTransitionTime"];
        time.as_str().unwrap().to_owned()
    };
    for (verdict, expected) in [(invalid(&["one"]), "2026"), (Verdict::Valid, "2027")] {
        next.book.judged(verdict);
        next.book.publish(next.now);
        next.write(&mut api, "2027-01-01T00:00:00Z");
        assert!(time(&api).starts_with(expected), "{}", time(&api));
    }
    api.objects.clear();
    next.settle(&mut api);
    assert!(state(&api, "speaker-alpha").is_some(), "it is made again");
}

#[test]
fn very_many_causes_fit_into_a_condition() {
    let causes: Vec<String> = (0..10_000)
        .map(|n| format!("object {n} is wrong"))
        .collect();
    let verdict = Verdict::Invalid {
        of_pools: causes.clone(),
        causes,
    };
    let judgement = Judgement::new(&ReportKey::Controller, &verdict);
    let status = Content::Configuration(judgement).status(&ReportKey::Controller, "alpha", "");
    let message = status["conditions"][0]["message"].as_str().unwrap();
    assert!(message.len() < 32768);
    assert!(message.ends_with("… and 9900 more"), "{message}");
}

#[test]
fn of_long_causes_too_it_is_told_how_many_there_are() {
    let cause = "x".repeat(1000);
    let verdict = Verdict::Invalid {
        of_pools: Vec::new(),
        causes: vec![cause; 50],
    };
    let key = ReportKey::Node;
    let judgement = Judgement::new(&key, &verdict);
    let content = format!("{judgement:?}");
    assert!(content.contains("… and 42 more"), "{content}");
}

#[test]
fn names_and_labels_fit_however_long_a_node_is_called() {
    let node = "n".repeat(253);
    assert_eq!(node_label(&node).len(), 63);
    assert_eq!(state_of_node(&node).len(), 253);
    assert_eq!(state_of_node("alpha"), "speaker-alpha");
    let (one, other) = (format!("{node}a"), format!("{node}b"));
    assert_ne!(node_label(&one), node_label(&other));
    let of = |service| ReportKey::Layer2(key(service)).name(&node);
    assert_ne!(of("a"), of("b"));
    assert!(of("a").len() <= 63);
}

/// With so many addresses, of which so many are in use.
fn usage(pool: &str, assigned: u128, total: u128) -> PoolUsage {
    let usage = Usage {
        assigned,
        total,
        avoided: 0,
    };
    PoolUsage {
        name: pool.into(),
        ipv4: usage,
        ipv6: Usage {
            total: u128::MAX,
            ..usage
        },
    }
}

#[test]
fn how_full_a_pool_is_is_told_by_one_now_and_then() {
    let mut api = Api::default();
    for (name, version) in [("a", "900"), ("controller", "901")] {
        let pool = json!({
            "kind": "IPAddressPool",
            "metadata": {"namespace": "metallb-system", "name": name, "resourceVersion": version},
            "spec": {"addresses": ["192.0.2.0/28"]},
        });
        let path =
            format!("/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools/{name}");
        api.objects.insert(path, pool);
    }
    let mut leader = Daemon::started("alpha", &api);
    let mut other = Daemon::started("beta", &api);
    leader.book.lead(true);
    for daemon in [&mut leader, &mut other] {
        for used in 0..=5 {
            let now = daemon.now;
            daemon
                .book
                .pool("a".into(), Some(&usage("a", used, 16)), now);
            daemon.book.pool("gone".into(), None, now);
            daemon.settle(&mut api);
        }
        assert_eq!(api.log(), [""; 0], "there may be more");
    }
    for (daemon, writes) in [(&mut leader, &["Patch a"][..]), (&mut other, &[])] {
        daemon.pass(SECOND, &mut api);
        assert_eq!(api.log(), writes);
    }
    let told = json!({
        "assignedIPv4": 5, "availableIPv4": 11, "assignedIPv6": 5, "availableIPv6": i64::MAX,
    });
    assert_eq!(status(&api, "IPAddressPool"), [&told, &Value::Null]);
    assert!(leader.book.due() > Some(leader.now), "it waits for nothing");

    let mut next = Daemon::started("gamma", &api);
    next.book.lead(true);
    let now = next.now;
    next.book.pool("a".into(), Some(&usage("a", 5, 16)), now);
    let of_no_object = usage("controller", 1, 16);
    next.book.pool("other".into(), Some(&of_no_object), now);
    next.pass(SECOND, &mut api);
    assert_eq!(api.log(), [""; 0], "it is stored");
    next.book
        .pool("a".into(), Some(&usage("a", 6, 16)), next.now);
    next.book.lead(false);
    next.pass(SECOND, &mut api);
    assert_eq!(api.log(), [""; 0], "it is for others to tell");
    next.book.lead(true);
    next.settle(&mut api);
    assert_eq!(
        api.log(),
        [""; 0],
        "what it knew is older than what is stored"
    );
    next.book
        .pool("a".into(), Some(&usage("a", 6, 16)), next.now);
    next.pass(SECOND, &mut api);
    assert_eq!(api.log(), ["Patch a"]);
    assert_eq!(status(&api, "IPAddressPool")[0]["assignedIPv4"], 6);
}

#[test]
fn what_is_left_to_metallb_is_neither_written_nor_removed() {
    let mut api = Api::default();
    let mut before = Daemon::started("alpha", &api);
    before.announce(&["eth0"], &["tor-a"]);
    before.book.judged(Verdict::Valid);
    before.settle(&mut api);
    api.log();

    // With MetalLB there, nothing is announced by this one, and those objects are not its own.
    let mut daemon = Daemon::started("alpha", &api);
    let left = |addresses, node| LeftToMetallb { addresses, node };
    daemon.book.leave(left(true, true));
    daemon.book.judged(Verdict::Unknown);
    daemon.book.lead(true);
    daemon.settle(&mut api);
    daemon.pass(10 * START, &mut api);
    assert_eq!(api.log(), [""; 0]);

    // Its controller may still be there when the speaker of the node is gone.
    daemon.book.judged(Verdict::Valid);
    daemon.book.leave(left(true, false));
    daemon.settle(&mut api);
    let log = api.log();
    assert!(
        log.iter().filter(|line| line.starts_with("Delete")).count() == 2,
        "{log:?}"
    );
    assert!(
        !log.iter().any(|line| line.contains("controller")),
        "{log:?}"
    );
    daemon.book.leave(left(false, false));
    daemon.settle(&mut api);
    let log = api.log();
    assert!(
        log.iter().any(|line| line.contains("controller")),
        "{log:?}"
    );
}
