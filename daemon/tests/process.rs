//! The binary as a process: signals, closed outputs, exit codes.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]
#![expect(clippy::disallowed_methods, reason = "a process takes time")]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n\
                       spec: {type: LoadBalancer, ports: [{port: 80}]}\n";

/// A running daemon, its files, and its socket.
struct Daemon {
    dir: tempfile::TempDir,
    process: Child,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn carillon() -> Command {
    Command::new(env!("CARGO_BIN_EXE_carillon"))
}

fn run(node: &Path, dir: &Path) -> Command {
    let mut command = carillon();
    command.arg("run").arg("--files").arg(dir);
    command.arg("--node-name").arg(node);
    command.arg("--socket").arg(dir.join("socket"));
    command
}

impl Daemon {
    fn start(stderr: Stdio) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // One name for each test: no two daemons of a host may have the same.
        let process = run(dir.path(), dir.path()).stderr(stderr).spawn().unwrap();
        let daemon = Self { dir, process };
        daemon.wait_for("Services");
        daemon
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    fn status(&self) -> String {
        let mut status = carillon();
        let output = status.arg("status").arg("--socket").arg(self.socket());
        text(&output.output().unwrap().stdout)
    }

    /// Waits until its status has this text.
    fn wait_for(&self, part: &str) {
        let end = Instant::now() + Duration::from_secs(20);
        let mut status = self.status();
        while !status.contains(part) {
            assert!(Instant::now() < end, "{part:?} does not come: {status}");
            std::thread::sleep(Duration::from_millis(10));
            status = self.status();
        }
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.process.id().try_into().unwrap());
        kill(id, signal).unwrap();
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join(name), text).unwrap();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn errors(output: &Output) -> String {
    text(&output.stderr)
}

#[test]
fn it_ends_in_order_when_told_to() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut daemon = Daemon::start(Stdio::piped());
        daemon.signal(signal);
        assert!(daemon.process.wait().unwrap().success());
        assert!(!daemon.socket().exists());
        let mut log = String::new();
        let mut stderr = daemon.process.stderr.take().unwrap();
        stderr.read_to_string(&mut log).unwrap();
        assert!(log.trim_end().ends_with("stopped"), "{log}");
    }
}

#[test]
fn a_hangup_does_not_end_it() {
    let mut daemon = Daemon::start(Stdio::piped());
    let mut log = BufReader::new(daemon.process.stderr.take().unwrap()).lines();
    daemon.signal(Signal::SIGHUP);
    assert!(log.any(|line| line.unwrap().contains("SIGHUP")));
    daemon.write("web.yaml", SERVICE);
    daemon.wait_for("default/web");
}

#[test]
fn a_log_that_nobody_reads_does_not_end_it() {
    let mut daemon = Daemon::start(Stdio::piped());
    drop(daemon.process.stderr.take());
    daemon.write("web.yaml", "- [\n");
    daemon.wait_for("web.yaml:1:");
    daemon.write("web.yaml", SERVICE);
    daemon.wait_for("default/web");
}

#[test]
fn a_second_daemon_of_the_same_node_or_socket_is_refused() {
    let daemon = Daemon::start(Stdio::null());
    let (dir, other) = (daemon.dir.path(), tempfile::tempdir().unwrap());
    let same_node = run(dir, other.path()).output().unwrap();
    assert!(!same_node.status.success());
    assert!(errors(&same_node).contains("as node"), "{same_node:?}");
    let same_socket = run(other.path(), dir).output().unwrap();
    assert!(!same_socket.status.success());
    assert!(errors(&same_socket).contains("--socket"), "{same_socket:?}");
    assert!(
        daemon.status().contains("Services"),
        "the first is not harmed"
    );
}

/// As with `carillon status | head -1`.
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let daemon = Daemon::start(Stdio::null());
    let many: Vec<String> = (0..2000)
        .map(|n| SERVICE.replace("web", &format!("web-{n}")))
        .collect();
    daemon.write("web.yaml", &many.join("---\n"));
    daemon.wait_for("of 2000");
    for format in ["--all", "--json"] {
        let mut status = carillon();
        status
            .args(["status", format, "--socket"])
            .arg(daemon.socket());
        let (reader, writer) = std::io::pipe().unwrap();
        let status = status.stdout(writer).stderr(Stdio::piped()).spawn();
        drop(reader);
        let output = status.unwrap().wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(errors(&output), "");
    }
}

#[test]
fn check_tells_with_its_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("web.yaml"), SERVICE).unwrap();
    let check = || carillon().arg("check").arg(dir.path()).output().unwrap();
    let good = check();
    assert_eq!(good.status.code(), Some(0), "{good:?}");
    assert!(text(&good.stdout).starts_with("ok: 1 file\n"));
    std::fs::write(dir.path().join("bad.yaml"), "- [\n").unwrap();
    let bad = check();
    assert_eq!(bad.status.code(), Some(1));
    assert!(errors(&bad).contains("bad.yaml:1:"), "{bad:?}");
    assert!(errors(&bad).ends_with("1 error in 2 files\n"));
}

#[test]
fn status_without_a_daemon_says_how_to_go_on() {
    let mut status = carillon();
    status.args(["status", "--socket", "/nonexistent/socket"]);
    let output = status.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = errors(&output);
    assert!(
        error.contains("no carillon is running on /nonexistent/socket"),
        "{error}"
    );
}
