use std::os::unix::net::UnixListener as StdListener;
use std::time::Instant;

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

/// The tasks of a daemon that does not end before its runtime does.
fn serving(path: &Path, driver: Client) -> Result<SocketFile> {
    let mut tasks = Tasks::default();
    let file = serve(path, driver, &mut tasks)?;
    tokio::spawn(async move { tasks.ended().await });
    Ok(file)
}

/// A daemon's side: answers everybody with the status of a node of this name, and so many services.
fn answering(path: &Path, node: &str, services: usize) -> SocketFile {
    let status = Status {
        node: node.to_owned(),
        services: vec![Service::default(); services],
        ..Status::default()
    };
    let driver = Client::of(move |request| {
        if let Request::Status(_, sender) = request {
            let _ = sender.send(status.clone().into());
        }
    });
    serving(path, driver).unwrap()
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
    let refused = serving(&path, Client::new().0).unwrap_err().to_string();
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
    let _file = answering(&path, "n", 5_000);
    let slow: Vec<_> = (0..2 * CLIENTS)
        .map(|_| {
            let mut slow = StdStream::connect(&path).unwrap();
            slow.write_all(b"\"status\"").unwrap();
            slow.shutdown(Shutdown::Write).unwrap();
            slow
        })
        .collect();
    assert_eq!(ask(&path).await.unwrap(), "n");
    drop(slow);
}

#[tokio::test]
async fn clients_that_do_nothing_do_not_hold_up_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("carillon.sock");
    let _file = answering(&path, "n", 0);
    let idle: Vec<_> = (0..5 * CLIENTS)
        .map(|_| StdStream::connect(&path).unwrap())
        .collect();
    let start = Instant::now();
    assert_eq!(ask(&path).await.unwrap(), "n");
    assert!(start.elapsed() < PATIENCE / 2, "{:?}", start.elapsed());
    drop(idle);
}

/// The last one to come does not find that all have been sent away for nothing.
#[tokio::test]
async fn as_long_as_there_are_places_nobody_is_hurried() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("carillon.sock");
    let _file = answering(&path, "n", 0);
    let mut idle: Vec<_> = (1..CLIENTS)
        .map(|_| StdStream::connect(&path).unwrap())
        .collect();
    tokio::time::sleep(2 * HASTE).await;
    assert_eq!(ask(&path).await.unwrap(), "n");
    let mut first = idle.remove(0);
    let answer = tokio::task::spawn_blocking(move || {
        first.write_all(b"\"status\"").unwrap();
        first.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        first.read_to_string(&mut answer).unwrap();
        answer
    });
    assert!(answer.await.unwrap().contains("\"node\": \"n\""));
}

#[tokio::test]
async fn a_daemon_that_ends_tells_its_clients_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("carillon.sock");
    let (client, requests) = Client::new();
    let _file = serving(&path, client).unwrap();
    drop(requests);
    let error = ask(&path).await.unwrap_err().to_string();
    assert!(error.contains("ended without an answer"), "{error}");
}

#[tokio::test]
async fn orders_are_carried_out_or_refused_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("carillon.sock");
    let driver = Client::of(|request| match request {
        Request::Drain(true, sender) => drop(sender.send(Ok("draining".to_owned()))),
        Request::Move(vip, node, sender) => {
            drop(sender.send(Err(format!("{node} may not have {vip}"))));
        }
        _ => {}
    });
    let _file = serving(&path, driver).unwrap();
    let order = async |order: Order| {
        let path = path.clone();
        let answer = tokio::task::spawn_blocking(move || super::order(&path, &order));
        answer.await.unwrap().map_err(|error| error.to_string())
    };
    assert_eq!(order(Order::Drain(true)).await, Ok("draining".to_owned()));
    assert!(
        drained::is_remembered(&path),
        "the next daemon drains as well"
    );
    let (vip, node) = ("192.0.2.1".parse().unwrap(), "m".to_owned());
    let refused = "m may not have 192.0.2.1".to_owned();
    assert_eq!(order(Order::Move { vip, node }).await, Err(refused));
}

#[tokio::test]
async fn what_is_no_order_is_answered_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("carillon.sock");
    let _file = answering(&path, "n", 0);
    let answer = |sent: &'static [u8]| {
        let path = path.clone();
        tokio::task::spawn_blocking(move || {
            let mut client = StdStream::connect(&path).unwrap();
            // A daemon that has read enough does not wait for the rest.
            let _ = client.write_all(sent);
            let _ = client.shutdown(Shutdown::Write);
            let mut answer = String::new();
            let _ = client.read_to_string(&mut answer);
            answer
        })
    };
    assert_eq!(answer(b"").await.unwrap(), "");
    assert!(
        answer(b"{\"drain\": 7}")
            .await
            .unwrap()
            .contains("not understood")
    );
    answer(vec![b'x'; 100_000].leak()).await.unwrap();
    assert_eq!(ask(&path).await.unwrap(), "n");
}
