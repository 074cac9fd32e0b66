use std::fs;
use std::path::Path;
use std::time::Duration;

use carillon_core::ownership::FAREWELL;

use clap::Parser;

use super::*;
use crate::{assignment, driver};

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
