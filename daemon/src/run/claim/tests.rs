use super::*;

#[test]
fn a_second_daemon_of_one_node_is_refused_until_the_first_has_ended() {
    let first = claim("test-of-one-node").unwrap();
    let refused = claim("test-of-one-node").unwrap_err().to_string();
    assert!(
        refused.contains("test-of-one-node") && refused.contains("--node-name"),
        "{refused}"
    );
    let _other = claim("test-of-another-node").unwrap();
    drop(first);
    let _again = claim("test-of-one-node").unwrap();
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
        () = ended(answering) => {}
    }
    second.await.unwrap();
}
