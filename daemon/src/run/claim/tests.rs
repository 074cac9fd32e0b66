use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use super::*;

const SQUATTER: &str = "CARILLON_TEST_OF_CLAIMS";

#[test]
fn root_and_the_own_user_are_believed() {
    assert!(is_believed(0, 0) && is_believed(0, 1000) && is_believed(1000, 1000));
    assert!(!is_believed(1000, 0) && !is_believed(1000, 1001));
}

/// The other user's process is this test, run once more, which takes root.
#[test]
fn another_user_keeps_nobody_from_starting() {
    let node = format!("test-of-squatters-{}", std::process::id());
    if let Ok(node) = std::env::var(SQUATTER) {
        let address = SocketAddr::from_abstract_name(name(&node)).unwrap();
        let _listener = UnixListener::bind_addr(&address).unwrap();
        println!("squatting");
        io::stdin().read_line(&mut String::new()).unwrap();
        return;
    }
    if own_uid().unwrap() != 0 {
        return;
    }
    // The nobody of all systems may not be allowed to read the directory of the build.
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    let program = dir.path().join("squatter");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(dir.path(), open).unwrap();
    let this = "run::claim::tests::another_user_keeps_nobody_from_starting";
    let mut squatter = Command::new(program)
        .args(["--exact", this, "--nocapture"])
        .env(SQUATTER, &node)
        .current_dir("/")
        .uid(65534)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(squatter.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("squatting")));
    assert_eq!(holder(&name(&node)), Ok(65534));
    assert!(claim(&node).unwrap().is_none(), "without the name");
    drop(squatter.stdin.take());
    squatter.wait().unwrap();
    assert!(claim(&node).unwrap().is_some());
}

#[tokio::test]
async fn whose_a_claim_is_can_always_be_asked() {
    let node = "test-of-many-questions";
    let held = tokio::spawn(hold(claim(node).unwrap()));
    for _ in 0..10_000 {
        while holder(&name(node)) == Err(nix::errno::Errno::EAGAIN) {
            tokio::task::yield_now().await;
        }
    }
    assert!(matches!(claim(node), Err(Refused::Taken(_))));
    held.abort();
}

#[test]
fn a_second_daemon_of_one_node_is_refused_until_the_first_has_ended() {
    let first = claim("test-of-one-node").unwrap();
    let refused = claim("test-of-one-node").unwrap_err().to_string();
    assert!(
        refused.contains("test-of-one-node") && refused.contains("--node-name"),
        "{refused}"
    );
    assert!(claim("test-of-another-node").unwrap().is_some());
    drop(first);
    assert!(claim("test-of-one-node").unwrap().is_some());
}

#[test]
fn a_name_as_long_as_kubernetes_has_them_can_be_claimed() {
    let long = "n".repeat(253);
    let _first = claim(&long).unwrap();
    assert!(matches!(claim(&long), Err(Refused::Taken(_))));
    let _other = claim(&format!("{}m", &long[..252])).unwrap();
    for length in 0..300 {
        let node = "ü".repeat(length);
        assert!(name(&node).len() <= NAME_BYTES, "{length}");
    }
}

#[tokio::test]
async fn a_second_daemon_may_wait_for_the_end_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("socket");
    let first = claim("test-of-waiting").unwrap();
    let answering = UnixListener::bind(&socket).unwrap();
    let mut second = Box::pin(await_claim("test-of-waiting", &socket));
    let ended = async |what| {
        sleep(2 * LOOK).await;
        drop(what);
    };
    tokio::select! {
        claimed = &mut second => panic!("{claimed:?} beside the first"),
        () = ended(first) => {}
    }
    tokio::select! {
        claimed = &mut second => panic!("{claimed:?} while the first answers"),
        () = ended(Some(answering)) => {}
    }
    second.await.unwrap();
}
