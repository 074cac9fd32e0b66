use std::sync::Mutex;

use carillon_core::backend::Detail;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::probes::PATIENCE;
use super::server::{CLIENTS, accept};
use super::*;
use crate::driver::Request as Question;
use crate::status::{Neighbor, Status};

/// What the driver would say.
#[derive(Clone, Default)]
struct Driver(Arc<Mutex<Said>>);

#[derive(Default)]
struct Said {
    lacks: Vec<String>,
    status: Status,
    asked_for_status: usize,
}

impl Driver {
    fn lacks(&self, lacks: &[&str]) {
        self.0.lock().unwrap().lacks = lacks.iter().map(ToString::to_string).collect();
    }

    fn neighbor(&self, in_sync: bool) {
        self.0.lock().unwrap().status.neighbors = vec![Neighbor {
            backend: "bgp".into(),
            name: "192.168.7.10".into(),
            state: "Connect".into(),
            since_seconds: 0.0,
            facts: Vec::new(),
            last_error: None,
            in_sync,
            sent_prefixes: 0,
            announced: Vec::new(),
        }];
    }

    fn client(&self) -> Client {
        let said = self.0.clone();
        Client::of(move |question| {
            let mut said = said.lock().unwrap();
            match question {
                Question::Lacks(sender) => sender.send(said.lacks.clone()).unwrap(),
                Question::Status(Detail::Routes, _) => panic!("a probe lists no routes"),
                Question::Status(Detail::Counters, sender) => {
                    said.asked_for_status += 1;
                    drop(sender.send(said.status.clone().into()));
                }
                Question::Drain(..)
                | Question::Move(..)
                | Question::Held(..)
                | Question::Owner(..) => panic!("probes order nothing"),
            }
        })
    }
}

/// The pulse of a daemon that is well.
fn beating() -> watch::Receiver<Pulse> {
    let (beats, pulse) = watch::channel(Pulse::default());
    tokio::spawn(async move {
        while !beats.is_closed() {
            tokio::time::sleep(Duration::from_millis(100)).await;
            beats.send_modify(|pulse| pulse.rounds += 1);
        }
    });
    pulse
}

#[tokio::test]
async fn what_the_driver_lacks_makes_it_not_ready_but_not_dead() {
    let driver = Driver::default();
    let probes = Probes::new(driver.client(), beating());
    for lacks in [&["one", "two"][..], &["three"]] {
        driver.lacks(lacks);
        assert_eq!(probes.ready().await, Err(lacks.join("\n")));
        assert_eq!(probes.alive().await, Ok(()));
    }
    driver.lacks(&[]);
    assert_eq!(probes.ready().await, Ok(()));
    driver.lacks(&["four"]);
    assert_eq!(probes.ready().await, Err("four".to_owned()), "each time");
}

#[tokio::test(start_paused = true)]
async fn neighbors_are_waited_for_once() {
    let driver = Driver::default();
    let probes = Probes::new(driver.client(), beating());
    driver.neighbor(false);
    tokio::time::advance(PATIENCE * 2).await;
    let untold = "the bgp neighbor 192.168.7.10 has not been told everything yet: Connect";
    assert_eq!(probes.ready().await, Err(untold.to_owned()));
    driver.neighbor(true);
    assert_eq!(probes.ready().await, Ok(()));
    let asked = driver.0.lock().unwrap().asked_for_status;
    driver.neighbor(false);
    assert_eq!(probes.ready().await, Ok(()), "a neighbor lost later");
    assert_eq!(driver.0.lock().unwrap().asked_for_status, asked);
}

#[tokio::test(start_paused = true)]
async fn neighbors_that_stay_away_are_not_waited_for_for_ever() {
    let driver = Driver::default();
    let probes = Probes::new(driver.client(), beating());
    driver.lacks(&["no configuration"]);
    driver.neighbor(false);
    assert!(probes.ready().await.is_err());
    tokio::time::advance(PATIENCE).await;
    driver.lacks(&[]);
    assert!(probes.ready().await.is_err(), "they had no time so far");
    tokio::time::advance(PATIENCE).await;
    assert_eq!(probes.ready().await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_hangs_and_one_that_is_gone_are_told_apart() {
    let (client, requests) = Client::new();
    let (beats, pulse) = watch::channel(Pulse {
        waits_for: "the driver",
        ..Pulse::default()
    });
    let probes = Probes::new(client, pulse);
    let hangs = Err("the driver does not answer".to_owned());
    assert_eq!(probes.alive().await, hangs);
    assert_eq!(probes.ready().await, hangs);
    drop(requests);
    drop(beats);
    let gone = Err("carillon is being stopped".to_owned());
    assert_eq!(probes.alive().await, gone);
    assert_eq!(probes.ready().await, gone);
}

/// An address on which a daemon answers.
async fn serving(driver: &Driver) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(accept(
        listener,
        Arc::new(Site::new(driver.client(), beating())),
    ));
    address
}

/// What comes back for this.
async fn send(address: SocketAddr, octets: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Who sends too much is not heard to the end.
    let _ = stream.write_all(octets).await;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

async fn get(address: SocketAddr, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: node\r\n\r\n");
    send(address, request.as_bytes()).await
}

#[tokio::test]
async fn answers_are_http() {
    let driver = Driver::default();
    driver.lacks(&["no configuration"]);
    let address = serving(&driver).await;
    let healthy = get(address, "/healthz").await;
    assert!(healthy.starts_with("HTTP/1.1 200 OK\r\n"), "{healthy}");
    assert!(healthy.contains("connection: close\r\n"), "{healthy}");
    assert!(healthy.ends_with("\r\n\r\nok\n"), "{healthy}");
    let unready = get(address, "/readyz?verbose").await;
    assert!(unready.starts_with("HTTP/1.1 503 "), "{unready}");
    assert!(unready.ends_with("\r\n\r\nno configuration\n"), "{unready}");

    let head = send(address, b"HEAD /healthz HTTP/1.0\r\n\r\n").await;
    assert!(
        head.starts_with("HTTP/1.0 200 ") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    let unknown = get(address, "/metrics").await;
    assert!(unknown.starts_with("HTTP/1.1 404 "), "{unknown}");
}

#[tokio::test]
async fn hostile_clients_do_not_keep_others_from_being_answered() {
    let address = serving(&Driver::default()).await;
    let mut open = Vec::new();
    for _ in 0..CLIENTS * 3 {
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET /healthz HTT").await.unwrap();
        open.push(slow);
    }
    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200 "));

    let mut endless = b"GET /healthz HTTP/1.1\r\n".to_vec();
    endless.extend(b"X: y\r\n".repeat(100_000));
    let refused = send(address, &endless).await;
    assert!(!refused.contains("200 OK"), "{refused}");
    send(address, b"\xff\0\r\n\r\n\x16\x03\x01").await;
    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_cannot_be_had_is_told_and_tried_again() {
    let holder = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = holder.local_addr().unwrap();
    let elsewhere = "192.0.2.1:7479".parse().unwrap();
    let driver = Driver::default();
    let mut tasks = Tasks::default();
    let mut last = None;
    for (bind, hint) in [
        (elsewhere, "no such address"),
        (taken, "another program has that port"),
    ] {
        let mut told = serve(bind, driver.client(), beating(), &mut tasks).await;
        let trouble = told.borrow_and_update().clone().unwrap();
        assert!(
            trouble.contains(hint) && trouble.contains("--http-bind"),
            "{trouble}"
        );
        assert!(trouble.contains(&bind.to_string()), "{trouble}");
        last = Some(told);
    }
    drop(holder);
    last.unwrap().wait_for(Option::is_none).await.unwrap();
    tokio::time::resume();
    assert!(get(taken, "/healthz").await.starts_with("HTTP/1.1 200 "));
}
