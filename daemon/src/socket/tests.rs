use std::os::unix::net::UnixListener as StdListener;

use super::*;
use crate::driver::Request;
use crate::status::{Service, Status};

#[test]
fn only_a_dead_socket_is_removed_to_make_way() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("carillon.sock");
    make_way(&path).unwrap();
    drop(StdListener::bind(&path).unwrap());
    make_way(&path).unwrap();
    assert!(!path.exists());
    fs::write(&path, "precious").unwrap();
    let error = make_way(&path).unwrap_err().to_string();
    assert!(
        error.contains("no socket") && error.contains("--socket"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

/// A daemon's side: answers everybody with the status of a node of this name, and so many services.
fn answering(path: &Path, node: &str, services: usize) -> SocketFile {
    let status = Status {
        node: node.to_owned(),
        services: vec![Service::default(); services],
        ..Status::default()
    };
    let driver = Client::of(move |request| {
        if let Request::Status(sender) = request {
            let _ = sender.send(status.clone().into());
        }
    });
    serve(path, driver).unwrap()
}

async fn ask(path: &Path) -> Result<String> {
    let path = path.to_owned();
    let json = tokio::task::spawn_blocking(move || fetch(&path)).await??;
    Ok(serde_json::from_slice::<Status>(&json)?.node)
}

#[tokio::test]
async fn a_live_daemon_keeps_its_socket_and_a_dead_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/carillon.sock");
    let file = answering(&path, "one", 0);
    assert_eq!(ask(&path).await.unwrap(), "one");
    let refused = serve(&path, Client::new().0).unwrap_err().to_string();
    assert!(refused.contains("another carillon answers on"), "{refused}");
    assert_eq!(ask(&path).await.unwrap(), "one");
    drop(file);
    let error = ask(&path).await.unwrap_err().to_string();
    assert!(error.contains("no carillon is running on"), "{error}");

    drop(StdListener::bind(&path).unwrap());
    let _file = answering(&path, "two", 0);
    assert_eq!(ask(&path).await.unwrap(), "two");
}

#[tokio::test]
async fn clients_that_do_not_read_do_not_hold_up_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("carillon.sock");
    // Far more than the kernel keeps for those who do not read.
    let _file = answering(&path, "n", 20_000);
    let slow: Vec<_> = (1..CLIENTS)
        .map(|_| StdStream::connect(&path).unwrap())
        .collect();
    assert_eq!(ask(&path).await.unwrap(), "n");
    drop(slow);
}

#[tokio::test]
async fn a_daemon_that_ends_tells_its_clients_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("carillon.sock");
    let (client, requests) = Client::new();
    let _file = serve(&path, client).unwrap();
    drop(requests);
    let error = ask(&path).await.unwrap_err().to_string();
    assert!(error.contains("ended without an answer"), "{error}");
}
