use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

use tokio::time::timeout;

use super::*;

const CHILD: &str = "CARILLON_TEST_OF_PANICS";

/// A process of its own is needed: this test runs itself once more for it.
#[test]
fn a_panic_of_a_task_or_thread_ends_the_process() {
    if let Ok(place) = std::env::var(CHILD) {
        abort_on_panic();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async move {
            match &*place {
                "task" => drop(tokio::spawn(async { panic!("a task dies") })),
                "thread" => drop(std::thread::spawn(|| panic!("a thread dies"))),
                other => unreachable!("{other}"),
            }
            // Neither is waited for, as in the daemon.
            tokio::time::sleep(Duration::from_secs(60)).await;
        });
        return;
    }
    for place in ["task", "thread"] {
        let this = "supervise::tests::a_panic_of_a_task_or_thread_ends_the_process";
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", this, "--nocapture"])
            .env(CHILD, place)
            .output()
            .unwrap();
        assert_eq!(
            output.status.signal(),
            Some(nix::libc::SIGABRT),
            "{output:?}"
        );
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(&format!("a {place} dies")), "{said}");
    }
}

#[tokio::test]
async fn the_end_of_a_task_is_told() {
    let mut tasks = Tasks::default();
    let soon = Duration::from_millis(20);
    assert!(timeout(soon, tasks.ended()).await.is_err(), "there is none");
    let (end, ends) = tokio::sync::oneshot::channel::<()>();
    tasks.spawn("never ends", std::future::pending());
    tasks.spawn("reads", async { drop(ends.await) });
    assert!(timeout(soon, tasks.ended()).await.is_err(), "all live");
    drop(end);
    assert_eq!(tasks.ended().await, "what reads has ended");
    tasks.spawn("dies", async { panic!("of itself") });
    assert!(tasks.ended().await.contains("of itself"));
}
