//! A network namespace for a test.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

use std::future::Future;
use std::process::Command;
use std::time::Duration;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use tokio::sync::watch;

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Runs a test in a network namespace of its own, which needs root.
pub fn in_namespace<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let thread = std::thread::spawn(move || {
        match unshare(CloneFlags::CLONE_NEWNET) {
            Err(Errno::EPERM) => {
                eprintln!("NOT TESTED: a network namespace of its own needs root");
                return;
            }
            result => result.unwrap(),
        }
        ip("link set lo up");
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(test());
    });
    thread.join().unwrap();
}

/// Runs `ip` with these arguments; returns what it prints.
pub fn ip(arguments: &str) -> String {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Sets interfaces up, and waits until frames leave all of them: the kernel drops them for a while after
/// the other end of a wire has come up.
pub async fn set_up(names: &[&str]) {
    for name in names {
        ip(&format!("link set {name} up"));
    }
    let is_up = |name: &&str| ip(&format!("-oneline link show {name}")).contains("state UP");
    let all = async {
        while !names.iter().all(is_up) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, all).await;
    in_time.unwrap();
}

/// Waits until what is watched is as it should be.
pub async fn until<T: Clone + std::fmt::Debug>(
    receiver: &mut watch::Receiver<T>,
    is_right: impl FnMut(&T) -> bool,
) -> T {
    let result = tokio::time::timeout(PATIENCE, receiver.wait_for(is_right)).await;
    let Ok(value) = result.map(|value| value.unwrap().clone()) else {
        panic!("it stays {:?}", receiver.borrow().clone());
    };
    value
}
