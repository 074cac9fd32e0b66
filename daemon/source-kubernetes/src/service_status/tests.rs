#![expect(clippy::disallowed_methods, reason = "any moment to begin with")]

use std::time::Duration;

use carillon_core::config::{AddressesInUse, Config, Pool, ServiceAllocation};
use carillon_core::node::Node;
use carillon_core::service::Ingress;
use carillon_core::speaker::Settings;
use carillon_core::testing::{self, labels, pool, selector};
use carillon_objects::Kind;
use carillon_objects::source::Announced;
use tokio::sync::{mpsc, watch};

use super::*;
use crate::publish::AT_ONCE;
use crate::report::{ReportWrite, Writer};

mod model;

/// The addresses of the pool.
const ADDRESSES: usize = 4;

fn config() -> Arc<Config> {
    Arc::new(testing::config([pool("p", &["192.0.2.0/30"])]))
}

fn key(n: usize) -> ServiceKey {
    testing::key(&format!("s{n}"))
}

fn service(n: usize) -> Service {
    testing::service(&format!("s{n}"))
}

/// What a daemon on the node `node` tells of itself.
fn book(writes: mpsc::Sender<ReportWrite>) -> ReportBook {
    let writer = Writer {
        namespace: "metallb-system".to_owned(),
        node: "node".to_owned(),
        pod: None,
    };
    ReportBook::new(writer.into(), writes, Jitter::new(1))
}

/// A Service as an API server has it.
#[derive(Clone, Debug)]
struct Object {
    service: Service,
    stored: Stored,
}

/// A daemon, and what it has to say.
struct Daemon {
    allocation: StatusAllocation,
    speaker: Speaker,
    writes: mpsc::Receiver<StatusWrite>,
    reports: mpsc::Receiver<ReportWrite>,
    notices: mpsc::Receiver<Notice>,
}

impl Daemon {
    fn new(seed: u64) -> Self {
        let (to_write, writes) = mpsc::channel(AT_ONCE);
        let (to_tell, notices) = mpsc::channel(1000);
        let (reports, to_report) = mpsc::channel(AT_ONCE);
        let outbox = Outbox {
            writes: to_write,
            reports,
            notices: to_tell,
            able: watch::channel(false).0,
            free: watch::channel(true).0,
        };
        let reports = book(outbox.reports.clone());
        let mut allocation = StatusAllocation::new(None, outbox, reports, Jitter::new(seed));
        allocation.controller.handle(Input::Config(config()));
        Self {
            allocation,
            speaker: Speaker::new(Node::named("node"), Settings::default(), &[]),
            writes,
            reports: to_report,
            notices,
        }
    }

    fn read(&mut self, object: &Object, now: Instant) {
        let stored = ApiChange::Stored(object.service.key.clone(), object.stored.clone());
        self.allocation.set(&object.service);
        self.allocation.take(stored, now);
    }

    fn decide(&mut self, now: Instant) {
        self.allocation.decide(&mut self.speaker, now);
        self.allocation.report(now);
    }

    fn take(&mut self, change: ApiChange, now: Instant) {
        self.allocation.take(change, now);
        self.decide(now);
    }

    fn answer(&mut self, write: &StatusWrite, outcome: Outcome, now: Instant) {
        let answer = Answer {
            object: write.service.clone(),
            version: write.version.clone(),
            outcome,
        };
        self.take(ApiChange::Answered(answer), now);
    }
}

/// An object of this version that publishes this.
fn object(n: usize, version: u32, addresses: &[&str], pool: Option<&str>) -> Object {
    let mut service = service(n);
    let addresses = addresses.iter().map(|text| text.parse().unwrap());
    service.publish(addresses.map(Ingress::Address));
    let stored = Stored {
        uid: format!("uid-{n}").into(),
        resource_version: version.to_string().into(),
        pool: pool.map(Into::into),
        ip_modes: Vec::new(),
        deprecated: [].into(),
    };
    Object { service, stored }
}

/// A daemon that has read this, and leads.
fn leader(objects: &[Object], now: Instant) -> Daemon {
    let mut daemon = Daemon::new(1);
    for object in objects {
        daemon.read(object, now);
    }
    daemon.allocation.synced(now);
    daemon.decide(now);
    assert!(daemon.writes.try_recv().is_err(), "it does not lead yet");
    daemon.take(ApiChange::Lead(true), now);
    daemon
}

#[test]
fn a_service_is_written_and_then_told() {
    let now = Instant::now();
    let mut first = object(0, 7, &[], None);
    first.stored.deprecated = ["metallb.universe.tf/a", "metallb.universe.tf/b"].into();
    let mut daemon = leader(&[first], now);
    let write = daemon.writes.try_recv().unwrap();
    let address: IpAddr = "192.0.2.0".parse().unwrap();
    let expected = StatusWrite {
        service: key(0),
        version: "7".into(),
        addresses: vec![(address, None)],
        pool: Some("p".into()),
    };
    assert_eq!(write, expected);
    assert!(daemon.notices.try_recv().is_err());
    daemon.answer(&write, Outcome::Written, now);
    let notice = daemon.notices.try_recv().unwrap();
    assert_eq!(
        (notice.event.reason, &*notice.uid),
        ("IPAllocated", "uid-0")
    );
    let notice = daemon.notices.try_recv().unwrap();
    assert_eq!(notice.event.reason, "deprecatedAnnotation");
    let both = "annotation metallb.universe.tf/a, metallb.universe.tf/b";
    assert!(notice.event.message.ends_with(both), "{:?}", notice.event);
    daemon.read(&object(0, 8, &["192.0.2.0"], Some("p")), now);
    daemon.decide(now);
    assert!(daemon.writes.try_recv().is_err() && daemon.notices.try_recv().is_err());
}

#[test]
fn only_what_differs_is_written_by_a_new_leader() {
    let now = Instant::now();
    let mut other_class = object(3, 4, &["203.0.113.1"], Some("theirs"));
    other_class.service.load_balancer_class = Some("theirs".to_owned());
    let mut cluster_ip = object(4, 5, &[], Some("p"));
    cluster_ip.service.is_load_balancer = false;
    let mut mode = object(5, 6, &["192.0.2.2"], Some("old"));
    mode.stored.ip_modes = vec![("192.0.2.2".parse().unwrap(), "Proxy".into())];
    let objects = [
        object(1, 2, &["192.0.2.1"], Some("p")),
        object(2, 3, &["203.0.113.7"], Some("p")),
        other_class,
        cluster_ip,
        mode,
    ];
    let mut daemon = leader(&objects, now);
    let mut writes = Vec::new();
    while let Ok(write) = daemon.writes.try_recv() {
        let patch = write.write().body;
        writes.push((
            write.service,
            patch["status"].to_string(),
            patch["metadata"].to_string(),
        ));
    }
    writes.sort();
    let meta = |version: u32, pool: &str| {
        let pools = format!("{{\"metallb.io/ip-allocated-from-pool\":{pool}}}");
        format!("{{\"annotations\":{pools},\"resourceVersion\":\"{version}\"}}")
    };
    let status = |ingress: &str| format!("{{\"loadBalancer\":{{\"ingress\":{ingress}}}}}");
    let expected = [
        (key(2), status("[{\"ip\":\"192.0.2.0\"}]"), meta(3, "\"p\"")),
        (key(4), status("null"), meta(5, "null")),
        (
            key(5),
            status("[{\"ip\":\"192.0.2.2\",\"ipMode\":\"Proxy\"}]"),
            meta(6, "\"p\""),
        ),
    ];
    assert_eq!(writes, expected);
}

/// Where pools select namespaces, nothing is given or taken before these are known.
#[test]
fn a_leader_that_does_not_know_the_namespaces_writes_nothing() {
    let now = Instant::now();
    let rules = ServiceAllocation {
        namespace_selectors: vec![selector("team=x")],
        ..ServiceAllocation::default()
    };
    let selecting = Config {
        addresses_in_use: AddressesInUse::Reallocate,
        ..testing::config([Pool {
            allocation: Some(rules),
            ..pool("p", &["192.0.2.0/30"])
        }])
    };
    let objects = [
        object(1, 2, &["192.0.2.1"], Some("p")),
        object(2, 3, &["203.0.113.7"], Some("p")),
        object(3, 4, &[], None),
    ];
    let mut daemon = leader(&[], now);
    let selecting = Input::Config(Arc::new(selecting));
    daemon.allocation.configure(selecting);
    for object in &objects {
        daemon.read(object, now);
    }
    daemon.decide(now);
    assert!(daemon.writes.try_recv().is_err());
    assert!(!*daemon.allocation.outbox.able.borrow());

    let namespace = Input::Namespace("default".into(), labels("team=x"));
    daemon.allocation.configure(namespace);
    daemon.take(ApiChange::NamespacesKnown, now);
    assert!(*daemon.allocation.outbox.able.borrow());
    let mut writes = BTreeMap::new();
    while let Ok(write) = daemon.writes.try_recv() {
        let addresses = write.addresses.iter();
        let addresses = addresses.map(|(address, _)| address.to_string());
        writes.insert(write.service, addresses.collect::<Vec<_>>().join(","));
    }
    let given = [(key(2), "192.0.2.0"), (key(3), "192.0.2.2")];
    let given = given.map(|(key, address)| (key, address.to_owned()));
    assert_eq!(writes, given.into());
}

/// Whether a daemon that has just started may take its turn, with what the Services publish.
#[test]
fn a_daemon_that_cannot_keep_what_is_published_does_not_take_its_turn() {
    let now = Instant::now();
    let started = |pool: Option<&str>| {
        let mut daemon = Daemon::new(1);
        let mut slipped = object(1, 2, &["203.0.113.7"], pool);
        slipped.service.set_given_from(pool.map(Into::into));
        daemon.read(&slipped, now);
        daemon.allocation.synced(now);
        daemon.decide(now);
        daemon
    };
    let is_able = |daemon: &Daemon| *daemon.allocation.outbox.able.borrow();
    assert!(is_able(&started(None)), "nobody like us has given it");
    let mut daemon = started(Some("p"));
    assert!(!is_able(&daemon));
    let pools = &daemon.allocation.controller.config().unwrap().pools;
    assert_eq!(pools["p"].blocks.len(), 2, "it can go on being announced");
    assert_eq!(
        daemon.allocation.services()[0].1.addresses,
        ["203.0.113.7".parse::<IpAddr>().unwrap()]
    );

    daemon
        .allocation
        .controller
        .handle(Input::Renumber(config()));
    daemon.decide(now);
    assert!(is_able(&daemon));
    daemon.take(ApiChange::Lead(true), now);
    assert_eq!(daemon.writes.try_recv().unwrap().service, key(1));
}

#[test]
fn a_status_that_cannot_be_written_is_a_problem_until_it_is() {
    let now = Instant::now();
    let mut daemon = leader(&[object(0, 1, &[], None), object(1, 2, &[], None)], now);
    for _ in 0..2 {
        let write = daemon.writes.try_recv().unwrap();
        daemon.answer(&write, Outcome::Refused("forbidden".to_owned()), now);
    }
    let problem = daemon.allocation.problem().unwrap().to_owned();
    assert!(
        problem.contains(" and of one other service: forbidden"),
        "{problem}"
    );
    assert_eq!(daemon.allocation.turn().unwrap().unwritten, 2);
    while let Some(now) = daemon.allocation.due() {
        daemon.decide(now);
        while let Ok(write) = daemon.writes.try_recv() {
            let version = write.version.parse::<u32>().unwrap();
            let address = write.addresses[0].0.to_string();
            daemon.answer(&write, Outcome::Written, now);
            let n = usize::from(version == 2);
            daemon.read(&object(n, version + 2, &[&address], Some("p")), now);
            daemon.decide(now);
        }
    }
    assert_eq!(daemon.allocation.problem(), None);
    assert_eq!(daemon.allocation.turn().unwrap().unwritten, 0);
}

#[test]
fn nothing_stays_of_one_that_comes_and_goes_at_once() {
    let now = Instant::now();
    let mut daemon = leader(&[], now);
    let fleeting = object(0, 1, &[], None);
    daemon.allocation.set(&fleeting.service);
    daemon.allocation.remove(&fleeting.service.key);
    let stored = ApiChange::Stored(fleeting.service.key.clone(), fleeting.stored);
    daemon.take(stored, now);
    assert!(daemon.allocation.stored.is_empty());
    assert!(daemon.writes.try_recv().is_err());
}

#[test]
fn the_addresses_of_what_cannot_be_read_are_given_to_nobody() {
    let now = Instant::now();
    let mut daemon = Daemon::new(1);
    let addresses = (0..4).map(|n| format!("192.0.2.{n}").parse().unwrap());
    let reserved = ApiChange::Reserved(key(0), addresses.collect());
    daemon.allocation.take(reserved, now);
    daemon.read(&object(1, 1, &[], None), now);
    daemon.allocation.synced(now);
    daemon.decide(now);
    daemon.take(ApiChange::Lead(true), now);
    assert!(daemon.writes.try_recv().is_err());
    assert!(!daemon.allocation.remove(&key(0)));
    daemon.decide(now);
    assert_eq!(daemon.writes.try_recv().unwrap().service, key(1));
}

#[test]
fn only_one_with_a_configuration_is_able_to_lead() {
    let now = Instant::now();
    let mut daemon = Daemon::new(1);
    daemon.allocation = {
        let outbox = daemon.allocation.outbox.clone();
        let reports = book(outbox.reports.clone());
        StatusAllocation::new(None, outbox, reports, Jitter::new(2))
    };
    let able = daemon.allocation.outbox.able.subscribe();
    daemon.allocation.synced(now);
    daemon.decide(now);
    assert!(!*able.borrow());
    daemon.allocation.controller.handle(Input::Config(config()));
    daemon.decide(now);
    assert!(*able.borrow());
}

#[test]
fn the_least_of_troubles_is_told_last() {
    let now = Instant::now();
    let mut daemon = leader(&[], now);
    let told = |daemon: &Daemon| daemon.allocation.problem().map(str::to_owned);
    daemon.take(ApiChange::EventTrouble(Some("events".to_owned())), now);
    assert_eq!(told(&daemon).as_deref(), Some("events"));
    daemon.take(ApiChange::LeaseTrouble(Some("lease".to_owned())), now);
    assert_eq!(told(&daemon).as_deref(), Some("lease"));
    daemon.take(ApiChange::LeaseTrouble(None), now);
    daemon.take(ApiChange::EventTrouble(None), now);
    assert_eq!(told(&daemon), None);
}

#[test]
fn without_the_lead_nothing_is_written_or_told() {
    let now = Instant::now();
    let mut daemon = leader(&[object(0, 1, &[], None)], now);
    let write = daemon.writes.try_recv().unwrap();
    daemon.take(ApiChange::Lead(false), now);
    daemon.answer(&write, Outcome::Written, now);
    daemon.read(&object(1, 2, &[], None), now);
    daemon.decide(now + Duration::from_secs(3600));
    assert!(daemon.writes.try_recv().is_err() && daemon.notices.try_recv().is_err());
    assert_eq!(daemon.allocation.due(), None);
}

#[test]
fn an_announcement_is_told_when_it_is_written() {
    let now = Instant::now();
    let mut daemon = Daemon::new(1);
    daemon.read(&object(0, 7, &["192.0.2.0"], Some("p")), now);
    daemon.allocation.synced(now);
    daemon.decide(now);
    let kind = Kind::ServiceBgpStatus;
    daemon.take(ApiChange::ReportsListed(kind, true), now);
    let announced = Announced {
        peers: ["tor-a".into()].into(),
        ..Announced::default()
    };
    let reports = daemon.allocation.reports().unwrap();
    reports.announced(&key(0), announced);
    reports.report(now);
    let write = daemon.reports.try_recv().unwrap();
    assert!(daemon.notices.try_recv().is_err());
    let answer = Answer {
        object: write.key,
        version: write.version,
        outcome: Outcome::Written,
    };
    daemon.take(ApiChange::Reported(answer), now);
    let notice = daemon.notices.try_recv().unwrap();
    assert_eq!(
        (notice.action, notice.event.reason),
        (Action::Announce, "nodeAssigned")
    );
    let message = "announcing from node \"node\" with protocol \"bgp\"";
    assert_eq!(notice.event.message, message);
    daemon
        .allocation
        .reports()
        .unwrap()
        .failed(&key(0), "nowhere");
    let notice = daemon.notices.try_recv().unwrap();
    assert_eq!(notice.event.reason, "announceFailed");
    assert_eq!(notice.event.severity, Severity::Warning);
}
