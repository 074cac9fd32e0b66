//! Tasks against scripted routers on the loopback interface, and on ports that the kernel chooses.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use carillon_core::backend::Detail;
use carillon_core::config::{Community, Peer};
use ipnet::IpNet;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::*;
use crate::export::Routes;
use crate::packet::Attributes;
use crate::packet::attribute::Communities;
use crate::packet::message::put_keepalive;
use crate::packet::{Message, Reason};
use crate::reach::Vips;
use crate::testing::{Connection, peer_at, soon};

struct Router {
    listener: TcpListener,
    reports: mpsc::Receiver<Report>,
    task: Task,
}

impl Router {
    async fn new(address: &str, change: impl FnOnce(&mut Peer)) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let local = listener.local_addr().unwrap();
        let mut peer = peer_at(local);
        change(&mut peer);
        let (reporter, reports) = mpsc::channel(WAITING);
        let id = Ipv4Addr::new(9, 9, 9, 9);
        let task = Task::spawn(7, nothing_for(peer), id, reporter, Vec::new());
        Self {
            listener,
            reports,
            task,
        }
    }

    async fn accept(&self) -> Connection {
        Connection::accept(&self.listener).await
    }

    async fn establish(&self) -> Connection {
        Connection::establish(&self.listener).await
    }

    fn wish(&self, generation: u64, routes: Routes) {
        wish(&self.task, generation, routes);
    }

    /// The next report that is not about a generation.
    async fn news(&mut self) -> News {
        loop {
            let report = soon(self.reports.recv()).await.expect("the task runs");
            assert_eq!(report.task, 7);
            if !matches!(report.news, News::Applied { .. }) {
                return report.news;
            }
        }
    }

    async fn applied(&mut self, generation: u64) {
        loop {
            let report = soon(self.reports.recv()).await.expect("the task runs");
            if matches!(report.news, News::Applied { generation: applied, .. } if applied == generation)
            {
                return;
            }
        }
    }
}

/// The wish for a session with this peer, which is told nothing.
fn nothing_for(peer: Peer) -> Wish {
    Wish {
        generation: 0,
        peer: Arc::new(peer),
        routes: Routes::new(),
        vips: Vips::default(),
    }
}

fn wish(task: &Task, generation: u64, routes: Routes) {
    let peer = task.peer();
    task.set(Wish {
        generation,
        peer,
        routes,
        vips: Vips::default(),
    });
}

fn hosts(count: u32) -> Routes {
    let attributes = Arc::new(Attributes::default());
    (0..count)
        .map(|n| {
            let address = IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n));
            (IpNet::from(address), attributes.clone())
        })
        .collect()
}

/// Routes of 840 octets each, so that the kernel's buffers do not hold them all.
fn heavy(count: u32) -> Routes {
    let attributes = |n| Attributes::default().with(Communities::new((n..n + 200).map(Community)));
    hosts(count)
        .keys()
        .copied()
        .zip((0..).map(|n| Arc::new(attributes(n))))
        .collect()
}

#[tokio::test]
async fn comes_up_announces_and_says_goodbye() {
    for address in ["127.0.0.1", "::1"] {
        let mut router = Router::new(address, |_| ()).await;
        let mut connection = router.establish().await;
        assert!(matches!(router.news().await, News::Up(_)));
        let prefix: IpNet = match address {
            "::1" => "2001:db8::1/128".parse().unwrap(),
            _ => "198.51.100.1/32".parse().unwrap(),
        };
        router.wish(5, [(prefix, Arc::default())].into_iter().collect());
        connection.table_of(1).await;
        router.applied(5).await;

        let reason = Notification::with_communication(Reason::AdministrativeShutdown, "draining");
        router.task.stop(reason.clone());
        let Some(Message::Update(update)) = connection.message().await else {
            panic!("no withdrawal");
        };
        assert_eq!(update.withdrawn, [prefix]);
        assert_eq!(
            connection.message().await,
            Some(Message::Notification(reason))
        );
        assert_eq!(connection.message().await, None);
        drop(connection);
        assert!(matches!(router.news().await, News::Down(..)));
        assert!(matches!(router.news().await, News::Ended));
    }
}

#[tokio::test]
async fn messages_may_come_in_pieces() {
    let mut router = Router::new("127.0.0.1", |_| ()).await;
    let mut connection = router.establish().await;
    assert!(matches!(router.news().await, News::Up(_)));
    let mut octets = Vec::new();
    for _ in 0..3 {
        put_keepalive(&mut octets);
    }
    for octet in octets {
        connection.stream.write_all(&[octet]).await.unwrap();
        tokio::task::yield_now().await;
    }
    router.wish(2, hosts(1));
    connection.table_of(1).await;
}

#[tokio::test]
async fn a_router_that_reads_late_gets_it_all() {
    let mut router = Router::new("127.0.0.1", |_| ()).await;
    let mut connection = router.establish().await;
    assert!(matches!(router.news().await, News::Up(_)));
    router.wish(1, heavy(20_000));
    assert!(!router.task.status(Detail::Routes).await.unwrap().in_sync);
    while router
        .task
        .status(Detail::Routes)
        .await
        .unwrap()
        .announced
        .is_empty()
    {
        tokio::task::yield_now().await;
    }
    router.wish(2, hosts(1000));
    router.wish(3, hosts(10));
    let mut most = 0;
    while most < 100 || connection.table.len() != 10 {
        connection.update().await;
        most = most.max(connection.table.len());
    }
    assert!(most < 20_000, "the older wish was given up");
    router.applied(3).await;
    assert!(router.task.status(Detail::Routes).await.unwrap().in_sync);
}

/// A router whose TCP has room for few octets.
async fn narrow(change: impl FnOnce(&mut Peer)) -> (Router, Connection) {
    let router = Router::new("127.0.0.1", change).await;
    socket2::SockRef::from(&router.listener)
        .set_recv_buffer_size(4096)
        .unwrap();
    let connection = router.establish().await;
    (router, connection)
}

/// What is written is in sync when the router's TCP has it, and not before: here, this node's kernel
/// holds it back.
#[tokio::test]
async fn what_is_not_acknowledged_is_not_in_sync() {
    let (mut router, mut connection) = narrow(|_| ()).await;
    assert!(matches!(router.news().await, News::Up(_)));
    while router.reports.try_recv().is_ok() {}
    router.wish(1, heavy(40));
    while router
        .task
        .status(Detail::Routes)
        .await
        .unwrap()
        .announced
        .len()
        < 40
    {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        assert!(!router.task.status(Detail::Routes).await.unwrap().in_sync);
    }
    assert!(router.reports.try_recv().is_err(), "nothing is applied yet");
    connection.table_of(40).await;
    router.applied(1).await;
    assert!(router.task.status(Detail::Routes).await.unwrap().in_sync);
}

#[tokio::test]
async fn a_router_that_sends_and_does_not_read_is_given_up_after_the_hold_time() {
    let (mut router, mut connection) = narrow(|peer| peer.hold_time = Duration::from_secs(3)).await;
    assert!(matches!(router.news().await, News::Up(_)));
    router.wish(1, heavy(20_000));
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    let start = now();
    let reason = loop {
        tokio::select! {
            report = router.reports.recv() => if let News::Down(_, reason) = report.unwrap().news {
                break reason;
            },
            _ = ticks.tick() => connection.say(put_keepalive).await,
        }
    };
    assert!(
        reason.starts_with("connection lost: the router has taken nothing of what was sent"),
        "{reason}"
    );
    let taken = now() - start;
    assert!(taken < Duration::from_secs(10), "{taken:?}");
}

#[tokio::test]
async fn a_task_whose_reports_nobody_takes_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = peer_at(listener.local_addr().unwrap());
    let (reporter, mut reports) = mpsc::channel(1);
    let id = Ipv4Addr::new(9, 9, 9, 9);
    let task = Task::spawn(7, nothing_for(peer), id, reporter, Vec::new());
    let mut connection = Connection::establish(&listener).await;
    for count in 1..=100 {
        wish(&task, count.into(), hosts(count));
        connection.table_of(count as usize).await;
        assert_eq!(soon(task.pulse()).await, Ok(()));
    }
    while !task.status(Detail::Routes).await.unwrap().in_sync {}
    let mut told = 0;
    loop {
        told += 1;
        let report = soon(reports.recv()).await.unwrap();
        if matches!(
            report.news,
            News::Applied {
                generation: 100,
                ..
            }
        ) {
            break;
        }
    }
    assert!(told < 5, "old news are replaced by new ones: {told}");
    task.stop(Notification::new(Reason::AdministrativeShutdown));
    soon(task.clone().ended()).await;
    assert_eq!(task.status(Detail::Routes).await, None, "it has ended");
}

#[tokio::test]
async fn a_reset_connection_is_made_again() {
    let mut router = Router::new("127.0.0.1", |_| ()).await;
    let connection = router.establish().await;
    assert!(matches!(router.news().await, News::Up(_)));
    let stream = socket2::SockRef::from(&connection.stream);
    stream.set_linger(Some(Duration::ZERO)).unwrap();
    drop(connection);
    let News::Down(_, reason) = router.news().await else {
        panic!("not lost");
    };
    assert!(reason.starts_with("connection lost (") || reason.starts_with("the router closed"));
    let _again = router.establish().await;
    assert!(matches!(router.news().await, News::Up(_)));
}

#[tokio::test]
async fn a_notification_right_before_the_close_is_heard() {
    let mut router = Router::new("127.0.0.1", |_| ()).await;
    let mut connection = router.accept().await;
    connection
        .say(|out| Notification::new(Reason::BadPeerAs).encode(out))
        .await;
    drop(connection);
    let News::Down(_, reason) = router.news().await else {
        panic!("not refused");
    };
    assert!(reason.contains("Bad Peer AS"), "{reason}");
}

#[tokio::test]
async fn our_notification_reaches_a_router_that_talks_on() {
    let router = Router::new("127.0.0.1", |_| ()).await;
    let mut connection = router.establish().await;
    connection.stream.write_all(&[0; 19]).await.unwrap();
    connection
        .stream
        .write_all(&vec![0xff; 100_000])
        .await
        .unwrap();
    let notification = loop {
        match connection.message().await {
            Some(Message::Notification(notification)) => break notification,
            Some(_) => {}
            None => panic!("closed without a NOTIFICATION"),
        }
    };
    assert_eq!(
        notification.reason(),
        Some(Reason::ConnectionNotSynchronized)
    );
    assert_eq!(connection.message().await, None);
}

/// All on one thread: if the task of the session never waited, nothing else would run there.
#[test]
fn a_router_that_never_stops_talking_leaves_time_for_others() {
    let (finished, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(async {
            let mut router = Router::new("127.0.0.1", |_| ()).await;
            let connection = router.establish().await;
            assert!(matches!(router.news().await, News::Up(_)));
            let mut flood = connection.stream.into_std().unwrap();
            flood.set_nonblocking(false).unwrap();
            let mut octets = Vec::new();
            while octets.len() < 100_000 {
                put_keepalive(&mut octets);
            }
            std::thread::spawn(move || while flood.write_all(&octets).is_ok() {});
            for _ in 0..100 {
                let status = router.task.status(Detail::Routes).await.unwrap();
                assert_eq!(status.state, "Established");
            }
        });
        finished.send(()).unwrap();
    });
    end.recv_timeout(Duration::from_secs(60)).unwrap();
}

#[tokio::test]
async fn nobody_listens() {
    let mut router = Router::new("127.0.0.1", |peer| peer.port = 1).await;
    let News::Down(name, reason) = router.news().await else {
        panic!("connected");
    };
    assert_eq!(name, "127.0.0.1:1");
    assert_eq!(
        reason,
        "connection refused: nothing listens on 127.0.0.1:1; is BGP running there?"
    );
    let status = router.task.status(Detail::Routes).await.unwrap();
    assert_eq!(
        (status.state.as_str(), status.last_error),
        ("Active", Some(reason))
    );
}

#[tokio::test]
async fn a_source_address_is_used_and_must_exist() {
    let source = "127.0.0.2".parse().unwrap();
    let router = Router::new("127.0.0.1", |peer| peer.source_address = Some(source)).await;
    let connection = router.accept().await;
    assert_eq!(connection.stream.peer_addr().unwrap().ip(), source);

    let foreign = "192.0.2.77".parse().unwrap();
    let mut router = Router::new("127.0.0.1", |peer| peer.source_address = Some(foreign)).await;
    let News::Down(_, reason) = router.news().await else {
        panic!("connected");
    };
    assert_eq!(
        reason,
        "the source address 192.0.2.77 is not an address of this node"
    );
}

#[tokio::test]
async fn a_password_that_is_too_long_is_refused() {
    let long = carillon_core::config::Password("x".repeat(81));
    let mut router = Router::new("127.0.0.1", |peer| peer.password = Some(long)).await;
    let News::Down(_, reason) = router.news().await else {
        panic!("connected");
    };
    assert!(
        reason.contains("the password has 81 octets, TCP MD5 takes at most 80"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_task_that_nobody_wants_ends() {
    let Router {
        listener,
        mut reports,
        task,
    } = Router::new("127.0.0.1", |_| ()).await;
    let (_stream, _) = soon(listener.accept()).await.unwrap();
    drop(task);
    while let Some(report) = soon(reports.recv()).await {
        if matches!(report.news, News::Ended) {
            return;
        }
    }
    panic!("ended without a word");
}

#[tokio::test]
async fn a_successor_waits_for_its_predecessor() {
    let mut router = Router::new("127.0.0.1", |_| ()).await;
    let mut connection = router.establish().await;
    assert!(matches!(router.news().await, News::Up(_)));
    let (reporter, _reports) = mpsc::channel(WAITING);
    let _successor = Task::spawn(
        8,
        nothing_for(Peer::clone(&router.task.peer())),
        Ipv4Addr::new(9, 9, 9, 9),
        reporter,
        vec![router.task.clone()],
    );
    router
        .task
        .stop(Notification::new(Reason::OtherConfigurationChange));
    while let Some(message) = connection.message().await {
        if let Message::Notification(notification) = message {
            assert_eq!(
                notification.reason(),
                Some(Reason::OtherConfigurationChange)
            );
        }
    }
    drop(connection);
    assert!(matches!(router.news().await, News::Down(..)));
    assert!(matches!(router.news().await, News::Ended));
    router.establish().await;
}

/// The handle of a task that a test plays, and what the task gets.
fn played() -> (
    Task,
    mpsc::Receiver<Question>,
    watch::Receiver<Option<Notification>>,
) {
    let (questions, asked) = mpsc::channel(WAITING);
    let (stop, stopped) = watch::channel(None);
    let peer = peer_at("127.0.0.1:179".parse().unwrap());
    let (wish, _) = watch::channel(nothing_for(peer));
    let task = Task {
        number: 1,
        wish,
        questions,
        stop,
    };
    (task, asked, stopped)
}

#[tokio::test]
async fn many_tasks_are_asked_at_once_whether_they_are_alive() {
    let (task, mut asked, _stopped) = played();
    let mut pulses: Vec<_> = (0..=WAITING).map(|_| Box::pin(task.pulse())).collect();
    // Nobody has waited for an answer yet.
    let mut first = Vec::new();
    while let Ok(Question::Pulse(sender)) = asked.try_recv() {
        first.push(sender);
    }
    assert_eq!(first.len(), WAITING);
    let last = pulses.pop().unwrap();
    let last = tokio::spawn(last);
    let Some(Question::Pulse(sender)) = soon(asked.recv()).await else {
        panic!("it waits for room");
    };
    for sender in first.into_iter().chain([sender]) {
        sender.send(()).unwrap();
    }
    for pulse in pulses {
        assert_eq!(soon(pulse).await, Ok(()));
    }
    assert_eq!(soon(last).await.unwrap(), Ok(()));
}

#[tokio::test]
async fn a_task_that_ends_as_it_was_told_to_is_well() {
    let reason = || Notification::new(Reason::PeerDeconfigured);
    let router = Router::new("127.0.0.1", |_| ()).await;
    let before = router.task.pulse();
    router.task.stop(reason());
    soon(router.task.clone().ended()).await;
    assert_eq!(soon(before).await, Ok(()));
    assert_eq!(soon(router.task.pulse()).await, Ok(()));

    // It ends with questions that it has not come to.
    let (task, asked, stopped) = played();
    let pulses: Vec<_> = (0..=WAITING).map(|_| task.pulse()).collect();
    task.stop(reason());
    drop((asked, stopped));
    for pulse in pulses {
        assert_eq!(soon(pulse).await, Ok(()));
    }

    let (task, asked, stopped) = played();
    let before = task.pulse();
    drop((asked, stopped));
    for pulse in [soon(before).await, soon(task.pulse()).await] {
        assert!(pulse.unwrap_err().contains("127.0.0.1 has died"));
    }
}
