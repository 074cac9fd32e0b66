use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::future::poll_fn;
use std::net::IpAddr;
use std::path::Path;
use std::sync::mpsc as std_mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use carillon_core::announcement::{AnnouncementSet, Announcements};
use carillon_core::backend::mock::{MockBackend, MockLog, NEIGHBOR};
use carillon_core::backend::{BackendEvent, Detail};
use carillon_core::config;
use carillon_core::node::ExcludeLabel;
use carillon_core::testing::{self, key};
use carillon_objects::source::Feed;
use carillon_source_files::journal::{Request as ToWrite, Store};
use carillon_source_files::{Catalog, Contents, JournalAllocation, Word};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::report::join;
use super::*;
use crate::status::{Reached, Status};

mod guard;
mod network;
mod pulse;
mod report;
mod resources;
mod restarts;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A driver, the files that it reads, and what its backend was told.
struct Daemon {
    driver: Driver,
    catalog: Catalog,
    log: MockLog,
    /// That of the backend whose addresses have one owner.
    arp: MockLog,
    batch: Batch<Word>,
    batches: mpsc::Sender<Batch<Word>>,
    answers: mpsc::Sender<Word>,
    now: Instant,
    store: Store,
    asked: std_mpsc::Receiver<ToWrite>,
    /// What the store has still to answer.
    unanswered: VecDeque<ToWrite>,
    /// The disk does not answer.
    hangs: bool,
}

impl Daemon {
    /// A daemon on the node `n` that has read nothing yet.
    fn new(journal: &Path) -> Self {
        Self::of_class(journal, None)
    }

    fn of_class(journal: &Path, class: Option<&str>) -> Self {
        let class = class.map(str::to_owned);
        let settings = speaker::Settings {
            class,
            ..speaker::Settings::default()
        };
        Self::with(journal, settings, false)
    }

    fn with(journal: &Path, settings: speaker::Settings, has_others: bool) -> Self {
        let (backend, log) = MockBackend::new("bgp");
        let (arp, arp_log) = MockBackend::exclusive("arp", Family::V4);
        let config = ObjectKey::config_map("metallb-system", "config");
        let now = Instant::now();
        let (requests, asked) = std_mpsc::channel();
        let allocation = JournalAllocation::new(settings.class.clone(), requests);
        let (batches, found) = mpsc::channel(1);
        let (answers, answered) = mpsc::channel(1);
        let driver = Driver::new(Parts {
            started: now,
            node: "n".to_owned(),
            speaker: settings,
            config: config.clone(),
            description: Description {
                name: "dir".to_owned(),
                how_to_configure: "write it there".to_owned(),
            },
            source: Box::new(Feed::new(allocation, found).with_keeper(answered)),
            backends: vec![Box::new(backend), Box::new(arp)],
            rebalance: None,
            has_others,
            is_drained: false,
            drain_on: Vec::new(),
            assignment: None,
        });
        Self {
            driver,
            catalog: Catalog::new(config),
            log,
            arp: arp_log,
            batch: Batch::default(),
            batches,
            answers,
            now,
            store: Store::new(journal.to_owned(), "n", || ()),
            asked,
            unanswered: VecDeque::new(),
            hangs: false,
        }
    }

    /// A daemon that has read these files.
    fn started(journal: &Path, files: &[(&str, &str)]) -> Self {
        let mut daemon = Self::new(journal);
        daemon.start(files);
        daemon
    }

    fn start(&mut self, files: &[(&str, &str)]) {
        for (file, text) in files {
            self.read(file, text);
        }
        self.batch.synced = true;
        self.batch.pods_synced = true;
        self.settle();
    }

    /// Reads a file without acting on it.
    fn read(&mut self, file: &str, text: &str) {
        let contents = Contents::Text(text.to_owned());
        let changes = &mut self.batch.changes;
        self.catalog.set(&file.into(), contents, changes);
    }

    fn write(&mut self, file: &str, text: &str) {
        self.read(file, text);
        self.settle();
    }

    fn delete(&mut self, file: &str) {
        let changes = &mut self.batch.changes;
        self.catalog.remove(&file.into(), changes);
        self.settle();
    }

    fn settle(&mut self) {
        let problems = Arc::new(self.catalog.listed());
        self.batch.problems = Some(problems.clone());
        self.batch.words = vec![Word::Unknown(problems), Word::JournalChanged];
        let batch = std::mem::take(&mut self.batch);
        self.batches.try_send(batch).unwrap();
        self.hear();
        self.answer();
    }

    /// Has the driver hear what its source has to say.
    fn hear(&mut self) {
        let cx = &mut Context::from_waker(Waker::noop());
        while let Poll::Ready(found) = self.driver.poll_source(cx) {
            self.driver.take(found.unwrap(), self.now);
        }
        self.driver.settle(self.now);
    }

    /// Answers what the journal was asked for, as its thread does.
    fn answer(&mut self) {
        self.unanswered.extend(self.asked.try_iter());
        while !self.hangs
            && let Some(request) = self.unanswered.front()
            && let Some(answer) = self.store.answer(request)
        {
            self.unanswered.pop_front();
            self.answers.try_send(Word::Answered(answer)).unwrap();
            self.hear();
            self.unanswered.extend(self.asked.try_iter());
        }
    }

    /// Takes in all that the backends have to say.
    fn hear_backends(&mut self) {
        let cx = &mut Context::from_waker(Waker::noop());
        while let Poll::Ready((backend, event)) = self.driver.poll_event(cx) {
            self.driver.told(backend, &event, self.now);
        }
    }

    /// Waits for what this node's service proxy says.
    async fn answer_of_proxy(&mut self) {
        let (question, answer) = poll_fn(|cx| self.driver.poll_answer(cx)).await;
        self.driver.answered(&question, answer, self.now);
        self.settle();
    }

    /// Lets time pass, and does what is due then.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.driver.due().filter(|due| *due <= end) {
            assert!(due > self.now, "it has nothing left to do at once");
            self.now = due;
            self.settle();
        }
        self.now = end;
    }

    fn set(&self) -> Arc<AnnouncementSet> {
        self.log.sets().last().unwrap().clone()
    }

    fn vips(&self) -> Vec<String> {
        self.set().by_vip.keys().map(ToString::to_string).collect()
    }

    fn status(&self) -> Status {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(self.driver.snapshot(Detail::Routes).complete())
    }

    /// The addresses of the services, by name.
    fn addresses(&self) -> BTreeMap<String, Vec<IpAddr>> {
        let services = self.status().services.into_iter();
        services
            .map(|service| (service.name, service.addresses))
            .collect()
    }

    fn address(&self, service: &str) -> String {
        let all = self.addresses();
        all.get(service)
            .map_or_else(String::new, |addresses| join(addresses))
    }
}

fn config(pools: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{namespace: metallb-system, name: config}}\n\
         data:\n  config: |\n    address-pools:\n{pools}"
    )
}

fn pool(name: &str, block: &str) -> String {
    format!("    - {{name: {name}, protocol: bgp, addresses: [{block}]}}\n")
}

fn service(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n\
         spec: {{type: LoadBalancer, ports: [{{port: 80}}]{spec}}}\n---\n\
         apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: {name}-1, labels: {{kubernetes.io/service-name: {name}}}}}\n\
         endpoints: [{{addresses: [10.0.0.1], nodeName: n, conditions: {{ready: true}}}}]\n"
    )
}

fn web() -> String {
    service("web", "")
}

fn usual() -> String {
    config(&pool("a", "192.0.2.0/28"))
}

struct Dir(tempfile::TempDir);

impl Dir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn journal(&self) -> std::path::PathBuf {
        self.0.path().join("journal")
    }

    /// The lines of the journal, short.
    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.journal()).unwrap();
        let line = |line: &str| {
            let line = line
                .split(",\"pool\"")
                .next()
                .unwrap()
                .trim_end_matches('}');
            line.replace("{\"service\":\"default/", "").replace('"', "") + "}"
        };
        text.lines().map(line).collect()
    }
}

#[test]
fn a_service_with_an_endpoint_is_announced_and_ends_with_its_file() {
    let dir = Dir::new();
    let mut daemon = Daemon::started(&dir.journal(), &[("c.yaml", &usual()), ("w.yaml", &web())]);
    let set = daemon.set();
    assert_eq!(daemon.vips(), ["192.0.2.0"]);
    let announcement = set.by_vip.values().next().unwrap();
    assert_eq!(&*announcement.pool, "a");
    let services = daemon
        .driver
        .speaker
        .services_on("192.0.2.0".parse().unwrap());
    assert_eq!(services, [key("web")]);
    assert!(set.config.pools.contains_key("a"));
    assert_eq!(dir.lines(), ["web,addresses:[192.0.2.0]}"]);

    daemon.delete("w.yaml");
    assert_eq!(daemon.vips(), [""; 0]);
    assert_eq!(dir.lines().last().unwrap(), "web,addresses:[]}");
    daemon.write("x.yaml", &service("other", ""));
    assert_eq!(daemon.vips(), ["192.0.2.0"], "the address is free again");
}

#[test]
fn nothing_is_decided_before_everything_was_read() {
    let dir = Dir::new();
    let mut daemon = Daemon::new(&dir.journal());
    daemon.write("w.yaml", &web());
    daemon.write("c.yaml", &usual());
    assert!(daemon.log.sets().is_empty());
    assert!(!dir.journal().exists());
    daemon.start(&[]);
    assert_eq!(daemon.vips(), ["192.0.2.0"]);
}

#[test]
fn addresses_survive_a_restart_whatever_was_there_first() {
    let dir = Dir::new();
    let files = [("c.yaml", usual()), ("z.yaml", service("z", ""))];
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, &**text)).collect();
    let mut daemon = Daemon::started(&dir.journal(), &files);
    daemon.write("a.yaml", &service("a", ""));
    let before = daemon.addresses();
    assert_eq!(daemon.address("default/z"), "192.0.2.0");
    drop(daemon);

    let more = [("a.yaml", service("a", "")), ("b.yaml", service("b", ""))];
    let more = more.iter().map(|(name, text)| (*name, &**text));
    let files: Vec<_> = files.into_iter().chain(more).collect();
    let daemon = Daemon::started(&dir.journal(), &files);
    for (service, addresses) in before {
        assert_eq!(daemon.addresses()[&service], addresses, "{service}");
    }
    for set in daemon.log.sets() {
        let vips: Vec<_> = set.by_vip.keys().map(ToString::to_string).collect();
        assert!(vips.starts_with(&["192.0.2.0".to_owned(), "192.0.2.1".to_owned()]));
    }
}

#[test]
fn an_address_that_the_manifest_publishes_is_kept_and_remembered() {
    let dir = Dir::new();
    let published = web().replacen(
        "\n---",
        "\nstatus: {loadBalancer: {ingress: [{ip: 192.0.2.7}]}}\n---",
        1,
    );
    let files = [("c.yaml", &*usual()), ("w.yaml", &published)];
    let daemon = Daemon::started(&dir.journal(), &files);
    assert_eq!(daemon.vips(), ["192.0.2.7"]);
    drop(daemon);
    let daemon = Daemon::started(&dir.journal(), &[("c.yaml", &usual()), ("w.yaml", &web())]);
    assert_eq!(daemon.vips(), ["192.0.2.7"]);
}

#[test]
fn the_labels_of_a_namespace_decide_of_which_pool_its_services_get_addresses() {
    let journal = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::new(&journal.path().join("journal"));
    let namespace = |team: &str| {
        let kind = "apiVersion: v1\nkind: Namespace\n";
        format!("{kind}metadata: {{name: default, labels: {{team: {team}}}}}\n")
    };
    let of_team = |name: &str, block: &str, team: &str| config::Pool {
        allocation: Some(config::ServiceAllocation {
            namespace_selectors: vec![testing::selector(&format!("team={team}"))],
            ..config::ServiceAllocation::default()
        }),
        ..testing::pool(name, &[block])
    };
    let pools = [
        of_team("p", "192.0.2.1/32", "x"),
        of_team("q", "192.0.2.2/32", "y"),
    ];
    let config = config::Config {
        addresses_in_use: config::AddressesInUse::Reallocate,
        ..testing::config(pools)
    };
    let allocation = daemon.driver.source.allocation_mut();
    allocation.configure(Input::Config(Arc::new(config)));
    daemon.start(&[("ns.yaml", &namespace("x")), ("web.yaml", &web())]);
    let has = |daemon: &Daemon| {
        let controller = daemon.driver.source.allocation().controller();
        let assigned = controller.assigned(&key("web"));
        assigned.map(|assigned| assigned.addresses.to_vec())
    };
    assert_eq!(has(&daemon), Some(testing::ips(&["192.0.2.1"])));
    daemon.write("ns.yaml", &namespace("y"));
    assert_eq!(has(&daemon), Some(testing::ips(&["192.0.2.2"])));
    daemon.delete("ns.yaml");
    assert_eq!(has(&daemon), None);
}

#[test]
fn it_is_known_to_whom_a_service_is_announced() {
    let dir = Dir::new();
    let mut daemon = Daemon::started(&dir.journal(), &[("c.yaml", &usual()), ("w.yaml", &web())]);
    assert!(daemon.status().services[0].announced);
    assert_eq!(daemon.status().services[0].announced_to, []);
    daemon.hear_backends();
    let reached = Reached {
        address: IpAddr::from([192, 0, 2, 0]),
        backend: "bgp".to_owned(),
        neighbor: NEIGHBOR.to_owned(),
    };
    assert_eq!(daemon.status().services[0].announced_to, [reached]);

    let gone = BackendEvent::Reaches {
        neighbor: NEIGHBOR.into(),
        vips: Announcements::new(),
    };
    daemon.driver.told("bgp", &gone, daemon.now);
    assert_eq!(daemon.status().services[0].announced_to, []);
}

#[test]
fn a_broken_configuration_changes_nothing_and_says_why() {
    let dir = Dir::new();
    let mut daemon = Daemon::started(&dir.journal(), &[("c.yaml", &usual()), ("w.yaml", &web())]);
    let sets = daemon.log.sets().len();
    let broken = usual().replace("protocol: bgp", "protocol: bpg");
    for text in [
        broken.as_str(),
        "a: [\n",
        &usual().replace("  config", "  konfig"),
    ] {
        daemon.write("c.yaml", text);
        assert_eq!(daemon.log.sets().len(), sets, "{text}");
        let status = daemon.status();
        let problems = [status.problems.configuration, status.problems.files].concat();
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        assert!(problems[0].starts_with("c.yaml:"), "{problems:?}");
        assert!(status.services[0].announced && status.pools.len() == 1);
        assert!(daemon.driver.lacks().is_empty(), "an older one is in force");
        let started = Daemon::started(&dir.journal(), &[("c.yaml", text), ("w.yaml", &web())]);
        assert_eq!(
            started.vips(),
            ["192.0.2.0"],
            "it is known what was in force"
        );
        let problems = started.status().problems;
        assert!(problems.configuration.len() + problems.files.len() > 0);
        let elsewhere = Dir::new();
        let started = Daemon::started(&elsewhere.journal(), &[("c.yaml", text)]);
        assert!(!started.driver.lacks().is_empty(), "{text}");
        daemon.write("c.yaml", &usual());
    }
    daemon.delete("c.yaml");
    let status = daemon.status();
    let [problem] = status.problems.configuration.as_slice() else {
        panic!("{:?}", status.problems);
    };
    assert!(problem.contains("has been deleted from dir"), "{problem}");
    assert_eq!(daemon.log.sets().len(), sets);

    daemon.write("c.yaml", &usual());
    let status = daemon.status();
    assert_eq!(status.problems, crate::status::Problems::default());
    assert!(status.configuration.up_to_date);
    assert_eq!(daemon.log.sets().len(), sets, "it is what was in force");
}

#[test]
fn a_service_tells_why_it_waits_for_the_journal() {
    let dir = Dir::new();
    std::os::unix::fs::symlink("elsewhere", dir.journal()).unwrap();
    let mut daemon = Daemon::started(&dir.journal(), &[("c.yaml", &usual()), ("w.yaml", &web())]);
    let status = daemon.status();
    assert!(status.services[0].addresses.is_empty());
    for text in [
        status.services[0].why.as_ref().unwrap(),
        &status.problems.other[0],
    ] {
        assert!(
            text.contains("it is a symbolic link, which is not followed")
                && text.contains("services get none")
                && !text.contains("other addresses"),
            "{text}"
        );
    }
    fs::remove_file(dir.journal()).unwrap();
    daemon.pass(MINUTE);
    assert_eq!(daemon.status().services[0].why, None);
    assert_eq!(daemon.vips(), ["192.0.2.0"]);
}

#[test]
fn a_missing_configuration_is_told_once_all_is_read() {
    let dir = Dir::new();
    let mut daemon = Daemon::new(&dir.journal());
    let unread = "not everything in dir has been read yet";
    assert_eq!(daemon.driver.lacks(), [unread]);
    daemon.start(&[("w.yaml", &web())]);
    let status = daemon.status();
    assert!(
        status.problems.configuration[0].contains("ConfigMap metallb-system/config is not in dir"),
        "{:?}",
        status.problems
    );
    let why = status.services[0].why.as_ref().unwrap();
    assert!(why.contains("no configuration"), "{why}");
    assert_eq!(daemon.driver.lacks(), status.problems.configuration);
}

#[test]
fn of_several_versions_in_one_batch_the_last_counts() {
    let dir = Dir::new();
    let mut daemon = Daemon::started(&dir.journal(), &[("c.yaml", &usual())]);
    daemon.read("c.yaml", &config("- nonsense"));
    let changes = &mut daemon.batch.changes;
    daemon.catalog.remove(&"c.yaml".into(), changes);
    daemon.read("d.yaml", &config(&pool("b", "203.0.113.0/28")));
    daemon.settle();
    let status = daemon.status();
    assert_eq!(status.problems.configuration, [""; 0]);
    assert_eq!(status.pools[0].name, "b");

    let changes = &mut daemon.batch.changes;
    daemon.catalog.remove(&"d.yaml".into(), changes);
    daemon.settle();
    let told = &daemon.status().problems.configuration;
    assert!(told[0].contains("has been deleted from dir"), "{told:?}");
}

#[test]
fn a_configuration_without_a_pool_for_an_address_in_use_waits() {
    let dir = Dir::new();
    let mut daemon = Daemon::started(&dir.journal(), &[("c.yaml", &usual()), ("w.yaml", &web())]);
    daemon.write("c.yaml", &config(&pool("b", "203.0.113.0/28")));
    let status = daemon.status();
    assert!(
        status.problems.configuration[0].contains("192.0.2.0 of default/web"),
        "{:?}",
        status.problems
    );
    assert!(!status.configuration.up_to_date);
    assert_eq!(status.pools[0].name, "a");
    assert_eq!(daemon.vips(), ["192.0.2.0"]);

    daemon.delete("w.yaml");
    let status = daemon.status();
    assert!(status.problems.configuration.is_empty());
    assert_eq!(status.pools[0].name, "b");
    daemon.write("w.yaml", &web());
    assert_eq!(daemon.vips(), ["203.0.113.0"]);
}

#[test]
fn names_and_endpoints_of_the_other_family_draw_no_traffic() {
    let dir = Dir::new();
    let endpoints = |of: &str, address: &str| {
        let slice = format!("addressType: {of}\nendpoints: [{{addresses: ['{address}'],");
        web().replace("endpoints: [{addresses: [10.0.0.1],", &slice)
    };
    let mut daemon = Daemon::started(&dir.journal(), &[("c.yaml", &usual())]);
    for (of, address, announced) in [
        ("FQDN", "db.example.net", false),
        ("IPv4", "10.0.0.1", true),
        ("IPv6", "fd00::1", false),
    ] {
        daemon.write("w.yaml", &endpoints(of, address));
        let web = &daemon.status().services[0];
        let reason = (!announced).then_some("noEndpoints");
        assert_eq!((web.announced, web.reason.as_deref()), (announced, reason));
        assert_eq!(daemon.vips().is_empty(), !announced, "{of}");
    }
}

#[test]
fn a_configuration_that_waits_may_renumber_when_somebody_says_so() {
    let dir = Dir::new();
    let mut daemon = Daemon::started(&dir.journal(), &[("c.yaml", &usual()), ("w.yaml", &web())]);
    let other = config(&pool("b", "203.0.113.0/28"));
    daemon.write("c.yaml", &other);
    let told = daemon.status().problems.configuration.remove(0);
    let (_, rest) = told.split_once("carillon/renumber: \"").unwrap();
    let (name, _) = rest.split_once('"').unwrap();
    let annotated = |text: &str, name: &str| {
        let annotation = format!("name: config, annotations: {{carillon/renumber: \"{name}\"}}}}");
        text.replacen("name: config}", &annotation, 1)
    };
    daemon.write("c.yaml", &annotated(&other, "0badcafe"));
    assert_eq!(daemon.vips(), ["192.0.2.0"], "that is not this version");
    daemon.write("c.yaml", &annotated(&other, name));
    assert_eq!(daemon.vips(), ["203.0.113.0"]);
    assert!(daemon.status().problems.configuration.is_empty());

    // The word is about that version only.
    let third = config(&pool("c", "198.51.100.0/28"));
    daemon.write("c.yaml", &annotated(&third, name));
    assert_eq!(daemon.vips(), ["203.0.113.0"]);
    assert_eq!(daemon.status().problems.configuration.len(), 1);
}

#[test]
fn status_tells_why_a_service_is_not_announced() {
    let dir = Dir::new();
    let lonely = web().split("---").next().unwrap().to_owned();
    let local =
        service("local", ", externalTrafficPolicy: Local").replace("nodeName: n", "nodeName: m");
    let greedy = service("greedy", ", loadBalancerIP: 203.0.113.1");
    let foreign = service("foreign", ", loadBalancerClass: other");
    let files = [
        ("c.yaml", &*usual()),
        ("1.yaml", &lonely),
        ("2.yaml", &local),
        ("3.yaml", &greedy),
        ("4.yaml", &foreign),
        ("5.yaml", &service("fine", "")),
    ];
    let status = Daemon::started(&dir.journal(), &files).status();
    let seen = |name: &str| {
        let mut services = status.services.iter();
        let found = services.find(|service| service.name == format!("default/{name}"));
        let service = found.unwrap();
        let reason = service.reason.clone().unwrap_or_default();
        (
            service.announced,
            reason,
            service.why.clone().unwrap_or_default(),
        )
    };
    assert_eq!(seen("fine"), (true, String::new(), String::new()));
    for (name, reason, part) in [
        ("web", "noEndpoints", "EndpointSlice"),
        ("local", "noLocalEndpoints", "on this node"),
        (
            "greedy",
            "noIPAllocated",
            "203.0.113.1 is not allowed in config",
        ),
        ("foreign", "otherClass", "other"),
    ] {
        let (announced, token, why) = seen(name);
        assert_eq!((announced, &*token), (false, reason), "{name}");
        assert!(why.contains(part), "{name}: {why}");
    }
    assert_eq!(status.pools[0].ipv4.assigned, 3);
}

/// Every order in which two daemons may see the same two services leads to the same addresses on
/// both, each address given once.
#[test]
fn two_daemons_of_one_journal_agree_in_whatever_order_they_see_things() {
    let steps: [(usize, &str); 4] = [(0, "a"), (0, "b"), (1, "a"), (1, "b")];
    for order in orders(&[0, 1, 2, 3]) {
        let dir = Dir::new();
        let new = || Daemon::started(&dir.journal(), &[("c.yaml", &usual())]);
        let mut daemons = [new(), new()];
        for step in order.iter().map(|n| steps[*n]) {
            let (who, name) = step;
            daemons[who].write(&format!("{name}.yaml"), &service(name, ""));
        }
        agree(&mut daemons, &format!("{order:?}"));
        assert_eq!(dir.lines().len(), 2, "{order:?}: {:?}", dir.lines());
    }
}

#[test]
fn two_daemons_agree_about_deletions_and_what_follows() {
    // Each deletes `a`, and then sees `b`, which may take its address.
    let steps: [(usize, bool); 4] = [(0, true), (0, false), (1, true), (1, false)];
    let mut seen = 0;
    for order in orders(&[0, 1, 2, 3]) {
        let position = |step: usize| order.iter().position(|other| *other == step).unwrap();
        if position(0) > position(1) || position(2) > position(3) {
            continue;
        }
        seen += 1;
        let dir = Dir::new();
        let files = [
            ("c.yaml", usual()),
            ("a.yaml", service("a", "")),
            ("z.yaml", service("z", "")),
        ];
        let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
        let new = || Daemon::started(&dir.journal(), &files);
        let mut daemons = [new(), new()];
        let kept = daemons[0].address("default/z");
        for (who, deletes) in order.iter().map(|n| steps[*n]) {
            if deletes {
                daemons[who].delete("a.yaml");
            } else {
                daemons[who].write("b.yaml", &service("b", ""));
            }
            for daemon in &daemons {
                assert!(daemon.vips().contains(&kept), "{order:?}: z is not touched");
            }
        }
        agree(&mut daemons, &format!("{order:?}"));
        assert_eq!(daemons[0].address("default/z"), kept, "{order:?}");
        assert_eq!(daemons[0].addresses().len(), 2);
    }
    assert_eq!(seen, 6);
}

fn agree(daemons: &mut [Daemon; 2], context: &str) {
    for _ in 0..3 {
        for daemon in daemons.iter_mut() {
            daemon.settle();
            daemon.pass(2 * SECOND);
        }
    }
    let [one, two] = daemons;
    assert_eq!(one.addresses(), two.addresses(), "{context}");
    assert_eq!(one.vips(), two.vips(), "{context}");
    let all: Vec<_> = one.addresses().into_values().flatten().collect();
    let different: BTreeSet<_> = all.iter().collect();
    assert_eq!(all.len(), different.len(), "{context}: {all:?}");
    assert_eq!(one.vips().len(), all.len(), "{context}");
}

fn orders(items: &[usize]) -> Vec<Vec<usize>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let with_first = |first: &usize| {
        let rest: Vec<usize> = items.iter().copied().filter(|item| item != first).collect();
        orders(&rest)
            .into_iter()
            .map(|order| [vec![*first], order].concat())
            .collect::<Vec<_>>()
    };
    items.iter().flat_map(with_first).collect()
}

#[test]
fn an_address_is_not_given_away_while_its_service_is_not_here_yet() {
    let dir = Dir::new();
    let mut one = Daemon::started(
        &dir.journal(),
        &[("c.yaml", &usual()), ("a.yaml", &service("a", ""))],
    );
    let mut two = Daemon::started(&dir.journal(), &[("c.yaml", &usual())]);
    two.write("b.yaml", &service("b", ""));
    assert_eq!(two.vips(), ["192.0.2.1"]);
    assert_eq!(
        two.addresses().len(),
        1,
        "a service that is not here is not shown"
    );
    two.write("a.yaml", &service("a", ""));
    assert_eq!(two.vips(), ["192.0.2.0", "192.0.2.1"]);
    one.settle();
    assert_eq!(one.vips(), ["192.0.2.0"]);
    assert_eq!(dir.lines().len(), 2);
}

#[test]
fn an_address_is_not_given_away_while_its_file_is_broken_or_empty() {
    for broken in ["- [\n", ""] {
        let dir = Dir::new();
        drop(Daemon::started(
            &dir.journal(),
            &[("c.yaml", &usual()), ("a.yaml", &service("a", ""))],
        ));
        let files = [("c.yaml", &*usual()), ("a.yaml", broken)];
        let mut daemon = Daemon::started(&dir.journal(), &files);
        daemon.write("b.yaml", &service("b", ""));
        daemon.pass(MINUTE);
        assert_eq!(daemon.vips(), ["192.0.2.1"], "{broken:?}");
        daemon.write("a.yaml", &service("a", ""));
        assert_eq!(daemon.vips(), ["192.0.2.0", "192.0.2.1"], "{broken:?}");
    }
}

#[test]
fn tidying_waits_for_a_file_that_may_hold_any_service() {
    let dir = Dir::new();
    let usual = usual();
    drop(Daemon::started(
        &dir.journal(),
        &[("c.yaml", &usual), ("a.yaml", &web())],
    ));
    let files = [("c.yaml", &*usual), ("b.yaml", "- [\n")];
    let mut daemon = Daemon::started(&dir.journal(), &files);
    daemon.pass(MINUTE);
    assert_eq!(daemon.driver.due(), None);
    daemon.write("b.yaml", &service("other", ""));
    assert_eq!(dir.lines().last().unwrap(), "web,addresses:[]}");
    assert_eq!(daemon.driver.due(), None);
}

#[test]
fn the_address_of_a_service_that_is_no_more_is_free_after_a_while() {
    let dir = Dir::new();
    drop(Daemon::started(
        &dir.journal(),
        &[("c.yaml", &usual()), ("a.yaml", &service("a", ""))],
    ));
    let other = service("z", "");
    let files = [("c.yaml", &*usual()), ("z.yaml", &other)];
    let mut daemon = Daemon::started(&dir.journal(), &files);
    daemon.pass(MINUTE);
    assert_eq!(dir.lines().last().unwrap(), "a,addresses:[]}");
    daemon.write("b.yaml", &service("b", ""));
    assert_eq!(daemon.vips(), ["192.0.2.0", "192.0.2.1"]);
}

#[test]
fn what_another_daemon_ended_keeps_its_address_if_it_is_still_here() {
    let dir = Dir::new();
    let files = [
        ("c.yaml", usual()),
        ("a.yaml", service("a", "")),
        ("z.yaml", service("z", "")),
    ];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let mut one = Daemon::started(&dir.journal(), &files);
    let mut two = Daemon::started(&dir.journal(), &files);
    one.delete("a.yaml");
    two.delete("a.yaml");
    one.delete("z.yaml");
    two.settle();
    assert_eq!(two.vips(), ["192.0.2.1"]);
    two.pass(2 * SECOND);
    assert_eq!(two.vips(), ["192.0.2.1"], "although a lower one is free");
    assert_eq!(dir.lines().last().unwrap(), "z,addresses:[192.0.2.1]}");
    assert!(
        two.log
            .sets()
            .iter()
            .all(|set| set.generation == 1 || !set.by_vip.is_empty())
    );
}

#[test]
fn daemons_with_different_files_settle() {
    let dir = Dir::new();
    let other = config(&pool("b", "203.0.113.0/28"));
    let mut one = Daemon::started(&dir.journal(), &[("c.yaml", &usual()), ("w.yaml", &web())]);
    let mut two = Daemon::started(&dir.journal(), &[("c.yaml", &other), ("w.yaml", &web())]);
    for _ in 0..20 {
        one.settle();
        one.pass(SECOND);
        two.settle();
        two.pass(SECOND);
    }
    let lines = dir.lines();
    assert!(lines.len() <= 4, "{lines:?}");
    let last = lines.last().unwrap();
    for daemon in [&one, &two] {
        for vip in daemon.vips() {
            assert!(last.contains(&vip), "{vip} is announced, {last} is written");
        }
    }
}

/// A daemon whose files are behind waits for them, and does not undo what others did.
#[test]
fn a_newer_word_is_waited_for() {
    let dir = Dir::new();
    let pools = config(&(pool("a", "192.0.2.0/28") + &pool("b", "203.0.113.0/28")));
    let in_pool = |pool: &str| {
        let annotations = format!("annotations: {{metallb.io/address-pool: {pool}}}, name: web}}");
        web().replacen("name: web}", &annotations, 1)
    };
    let new = || {
        Daemon::started(
            &dir.journal(),
            &[("c.yaml", &pools), ("w.yaml", &in_pool("a"))],
        )
    };
    let (mut one, mut two) = (new(), new());
    one.write("w.yaml", &in_pool("b"));
    assert_eq!(one.vips(), ["203.0.113.0"]);
    two.settle();
    assert_eq!(two.vips(), ["203.0.113.0"], "the other's word is announced");
    two.write("w.yaml", &in_pool("b"));
    two.pass(2 * SECOND);
    one.settle();
    assert_eq!((one.vips(), two.vips()), (two.vips(), one.vips()));
    assert_eq!(dir.lines().len(), 2, "{:?}", dir.lines());
}

#[test]
fn daemons_of_two_classes_do_not_give_the_same_address() {
    let dir = Dir::new();
    let (red, blue) = (
        service("r", ", loadBalancerClass: red"),
        service("b", ", loadBalancerClass: blue"),
    );
    let files = [("c.yaml", &*usual()), ("r.yaml", &red), ("b.yaml", &blue)];
    let mut one = Daemon::of_class(&dir.journal(), Some("red"));
    let mut two = Daemon::of_class(&dir.journal(), Some("blue"));
    one.start(&files);
    two.start(&files);
    one.settle();
    assert_eq!(one.vips(), ["192.0.2.0"]);
    assert_eq!(two.vips(), ["192.0.2.1"]);
}

#[test]
fn a_locked_journal_holds_up_only_what_needs_it() {
    let dir = Dir::new();
    let mut daemon = Daemon::started(&dir.journal(), &[("c.yaml", &usual()), ("w.yaml", &web())]);
    let lock = fs::File::open(dir.journal()).unwrap();
    lock.lock().unwrap();
    daemon.read("x.yaml", &service("x", ""));
    daemon
        .catalog
        .remove(&"w.yaml".into(), &mut daemon.batch.changes);
    daemon.settle();
    assert_eq!(daemon.vips(), [""; 0], "what is gone is withdrawn");
    assert!(daemon.status().problems.other.is_empty());
    daemon.pass(3 * SECOND);
    let problems = daemon.status().problems.other;
    assert!(problems[0].contains("has it locked"), "{problems:?}");
    drop(lock);
    daemon.settle();
    assert_eq!(daemon.vips(), ["192.0.2.0"]);
    assert!(daemon.status().problems.other.is_empty());
}

#[test]
fn a_journal_that_cannot_be_written_is_tried_again() {
    let dir = Dir::new();
    let path = dir.0.path().join("missing/journal");
    let mut daemon = Daemon::started(&path, &[("c.yaml", &usual()), ("w.yaml", &web())]);
    assert_eq!(daemon.vips(), ["192.0.2.0"]);
    assert!(daemon.status().problems.other[0].contains("create its directory"));
    fs::create_dir(path.parent().unwrap()).unwrap();
    daemon.pass(MINUTE);
    assert!(daemon.status().problems.other.is_empty());
    assert!(fs::read_to_string(path).unwrap().contains("192.0.2.0"));
    assert_eq!(daemon.driver.due(), None);
}

#[test]
fn the_node_takes_itself_out() {
    let dir = Dir::new();
    let mut daemon = Daemon::started(&dir.journal(), &[("c.yaml", &usual()), ("w.yaml", &web())]);
    let label = "node.kubernetes.io/exclude-from-external-load-balancers";
    let node =
        format!("apiVersion: v1\nkind: Node\nmetadata: {{name: n, labels: {{{label}: ''}}}}\n");
    daemon.write("n.yaml", &node);
    assert_eq!(daemon.vips(), [""; 0]);
    daemon.write("n.yaml", &node.replace(label, "other"));
    assert_eq!(daemon.vips(), ["192.0.2.0"]);
    // Unless that label is ignored.
    let settings = speaker::Settings {
        exclude_label: ExcludeLabel::Ignored,
        ..speaker::Settings::default()
    };
    let mut daemon = Daemon::with(&dir.journal(), settings, false);
    daemon.start(&[("c.yaml", &usual()), ("w.yaml", &web()), ("n.yaml", &node)]);
    assert_eq!(daemon.vips(), ["192.0.2.0"]);
}

#[tokio::test]
async fn a_local_service_waits_for_the_proxy_of_this_node() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let proxy = tokio::spawn(async move {
        for status in [
            "503 Service Unavailable",
            "503 Service Unavailable",
            "200 OK",
        ] {
            let (mut client, _) = listener.accept().await.unwrap();
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            client.write_all(answer.as_bytes()).await.unwrap();
            let _end = client.read_to_end(&mut Vec::new()).await;
        }
    });
    let dir = Dir::new();
    let local = format!(", externalTrafficPolicy: Local, healthCheckNodePort: {port}");
    let mut daemon = Daemon::started(
        &dir.journal(),
        &[("c.yaml", &usual()), ("l.yaml", &service("local", &local))],
    );
    for _ in 0..2 {
        daemon.answer_of_proxy().await;
        assert_eq!(daemon.vips(), [""; 0]);
        let reason = daemon.driver.speaker.explain(&key("local")).unwrap();
        assert_eq!(reason.unwrap_err().token(), "proxyNotReady");
        daemon.pass(SECOND / 10);
    }
    daemon.answer_of_proxy().await;
    assert_eq!(daemon.vips(), ["192.0.2.0"]);
    proxy.await.unwrap();
}

#[tokio::test]
async fn shutdown_tells_every_backend_why() {
    let dir = Dir::new();
    let daemon = Daemon::started(&dir.journal(), &[]);
    daemon.driver.shutdown("lunch").await;
    assert_eq!(daemon.log.shutdown_reason().as_deref(), Some("lunch"));
}
