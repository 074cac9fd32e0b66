use std::fs;
use std::path::Path;
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use carillon_core::address::Family;
use carillon_core::backend::mock::{MockBackend, MockLog};
use carillon_core::ownership::FAREWELL;
use carillon_core::speaker::Settings;
use carillon_host::neighbours::Neighbours;
use carillon_host::{assignment, exclusion, interfaces};
use carillon_objects::ObjectKey;
use carillon_objects::source::{Batch, Feed};
use carillon_source_files::{JournalAllocation, Word};
use clap::Parser;

use super::*;
use crate::cli;
use crate::driver;

/// The lines `key=value` of the unit of systemd.
fn unit() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/systemd/carillon.service");
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let lines = lines.filter_map(|line| line.split_once('='));
    lines
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn value(key: &str) -> String {
    let unit = unit();
    let mut found = unit.iter().filter(|(name, _)| name == key);
    let (_, value) = found.next().unwrap_or_else(|| panic!("no {key}"));
    assert!(found.next().is_none(), "{key} twice");
    value.clone()
}

fn seconds(key: &str) -> Duration {
    Duration::from_secs(value(key).parse().unwrap())
}

/// systemd kills what has not ended in time, and layer 2 addresses would stay on the interface;
/// Kubernetes does so after 30 s.
#[test]
fn the_end_takes_less_time_than_the_unit_allows() {
    let phases = FAREWELL + GOODBYE + driver::SHUTDOWN + assignment::LEAVE;
    assert!(
        phases + Duration::from_secs(5) <= Duration::from_secs(30),
        "{phases:?}"
    );
    assert!(seconds("TimeoutStopSec") >= Duration::from_secs(30));
}

#[test]
fn the_unit_never_gives_up() {
    assert_eq!(value("Restart"), "always");
    assert_eq!(value("StartLimitIntervalSec"), "0");
    assert_eq!(value("RestartSec"), "1");
}

/// What is remembered beside the socket outlives the daemon, and so does a drain.
#[test]
fn the_unit_keeps_what_a_drain_is_remembered_by() {
    assert_eq!(value("RuntimeDirectoryPreserve"), "yes");
    let directory = Path::new("/run").join(value("RuntimeDirectory"));
    let default = cli::Cli::try_parse_from(["carillon", "status"]).unwrap();
    let cli::Command::Status(status) = default.command else {
        panic!("{default:?}");
    };
    assert_eq!(status.socket.path.parent(), Some(&*directory));
}

#[test]
fn the_unit_is_told_of_the_pulse() {
    assert_eq!(value("Type"), "notify");
    // A daemon that hangs ends itself before, if others take over from it.
    assert!(seconds("WatchdogSec") > pulse::END);
}

/// A driver, all that it is told by, and what its backend is told.
struct Daemon {
    driver: Driver,
    inputs: Inputs,
    end: End,
    log: MockLog,
    sources: Sources,
}

/// The other ends of the channels.
struct Sources {
    batches: Option<mpsc::Sender<Batch<Word>>>,
    answers: Option<mpsc::Sender<Word>>,
    interfaces: Option<watch::Sender<interfaces::Known>>,
    excluded: Option<watch::Sender<exclusion::Excluded>>,
    heard: Option<mpsc::Sender<carillon_gossip::Event>>,
    assigned: Option<watch::Sender<assignment::Assigned>>,
    neighbours: Option<watch::Sender<Neighbours>>,
    pulse: Heart,
}

impl Daemon {
    fn new() -> Self {
        let (backend, log) = MockBackend::exclusive("arp", Family::V4);
        let (batches, batch) = mpsc::channel(1);
        let (answers, answer) = mpsc::channel(1);
        let allocation = JournalAllocation::new(None, std_mpsc::channel().0);
        let driver = Driver::new(Parts {
            started: Instant::now(),
            node: "n".to_owned(),
            speaker: Settings::default(),
            config: ObjectKey::config_map("metallb-system", "config"),
            description: Description {
                name: "dir".to_owned(),
                how_to_configure: "write it there".to_owned(),
            },
            source: Box::new(Feed::new(allocation, batch).with_keeper(answer)),
            backends: vec![Box::new(backend)],
            rebalance: None,
            has_others: true,
            is_drained: false,
            drain_on: Vec::new(),
            assignment: None,
        });
        let (interfaces, known) = watch::channel(interfaces::Known::default());
        let (excluded, exclusion) = watch::channel(exclusion::Excluded::default());
        let (heard, events) = mpsc::channel(1);
        let (assigned, addresses) = watch::channel(assignment::Assigned::default());
        let (neighbours, hosts) = watch::channel(Neighbours::default());
        let (pulse, questions, felt) = Heart::new(Notifier::default());
        let inputs = Inputs {
            requests: Client::new().1,
            questions,
            network: Surroundings {
                interfaces: Some(known),
                excluded: Some(exclusion),
                arrivals: None,
                heard: Some(events),
                assigned: Some(addresses),
                neighbours: Some(hosts),
            },
        };
        let sources = Sources {
            batches: Some(batches),
            answers: Some(answers),
            interfaces: Some(interfaces),
            excluded: Some(excluded),
            heard: Some(heard),
            assigned: Some(assigned),
            neighbours: Some(neighbours),
            pulse,
        };
        Self {
            driver,
            inputs,
            end: End::new(felt).unwrap(),
            log,
            sources,
        }
    }

    /// One step, which is not the last thing to happen.
    async fn step(&mut self) -> Option<Reason> {
        let again = &mut Some(Instant::now());
        step(&mut self.driver, &mut self.inputs, &mut self.end, again).await
    }
}

#[tokio::test]
async fn the_end_of_a_part_is_told_once() {
    let ends: [fn(&mut Sources); 7] = [
        |sources| sources.batches = None,
        |sources| sources.answers = None,
        |sources| sources.interfaces = None,
        |sources| sources.excluded = None,
        |sources| sources.heard = None,
        |sources| sources.assigned = None,
        |sources| sources.neighbours = None,
    ];
    for (number, ends) in ends.into_iter().enumerate() {
        let mut daemon = Daemon::new();
        ends(&mut daemon.sources);
        let reason = drive(&mut daemon.driver, &mut daemon.inputs, &mut daemon.end).await;
        assert!(matches!(reason, Reason::Failed), "{number}: {reason:?}");
        for _ in 0..20 {
            let reason = daemon.step().await;
            assert!(reason.is_none(), "{number}: {reason:?}");
        }
    }
}

#[tokio::test]
async fn when_a_part_has_returned_everything_is_handed_over() {
    let mut daemon = Daemon::new();
    daemon.end.tasks.spawn("reads", std::future::ready(()));
    let reason = drive(&mut daemon.driver, &mut daemon.inputs, &mut daemon.end).await;
    // What dies next is no reason to hurry.
    (daemon.sources.batches, daemon.sources.answers) = (None, None);
    hand_over(&mut daemon.driver, &mut daemon.inputs, &mut daemon.end).await;
    assert!(daemon.driver.has_left());
    let leave = Box::pin(std::future::ready(()));
    let stopped = Box::pin(stop(daemon.driver, reason, leave, &mut daemon.end));
    let code = stopped.await.unwrap();
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::FAILURE));
    let said = daemon.log.shutdown_reason();
    assert_eq!(said.as_deref(), Some("a part of carillon has failed"));
    drop(daemon.sources.pulse);
}
