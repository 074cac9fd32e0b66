use std::future::{pending, ready};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::Command;

use tokio::time::{sleep, timeout};

use super::*;

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_count_that_stands_still_is_found_by_who_is_awake() {
    let start = Instant::now();
    let at = |milliseconds: u32| start + milliseconds * MILLISECOND;
    let mut vigil = Vigil::new(start);
    for (time, count, still) in [
        (100, 1, 0),
        (200, 2, 0),
        (300, 2, 100),
        (400, 2, 200),
        (500, 2, 300),
        // Nobody knows what happened in a minute of sleep.
        (60_500, 2, 0),
        (60_600, 2, 100),
        (60_700, 2, 200),
        (60_800, 2, 300),
        (60_900, 3, 0),
    ] {
        assert_eq!(vigil.look(count, at(time)), still * MILLISECOND, "{time}");
    }
}

/// How it is with a part.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Well,
    /// It answers after this time.
    Busy(Duration),
    Hangs,
    Died,
}

impl State {
    fn answer(self) -> BoxFuture<Result<(), String>> {
        match self {
            Self::Well => Box::pin(ready(Ok(()))),
            Self::Busy(time) => Box::pin(async move {
                sleep(time).await;
                Ok(())
            }),
            Self::Hangs => Box::pin(pending()),
            Self::Died => Box::pin(ready(Err("it has died".to_owned()))),
        }
    }
}

/// The parts of a daemon.
#[derive(Clone, Copy, Debug)]
struct Parts {
    driver: State,
    arp: State,
    bgp: State,
}

const WELL: Parts = Parts {
    driver: State::Well,
    arp: State::Well,
    bgp: State::Well,
};

/// A heart that beats, and how it is with those that it asks.
fn daemon(notifier: Notifier) -> (watch::Sender<Parts>, watch::Receiver<Pulse>) {
    let (heart, mut asked, felt) = Heart::new(notifier);
    let (parts, known) = watch::channel(WELL);
    tokio::spawn(heart.run());
    tokio::spawn(async move {
        while let Some(question) = asked.recv().await {
            let parts = *known.borrow();
            drop(parts.driver.answer().await);
            let bgp = question.all.then(|| ("bgp", parts.bgp.answer()));
            let answer = Answer {
                exclusive: vec![("arp", parts.arp.answer())],
                others: Vec::from_iter(bgp),
            };
            drop(question.answer.send(answer));
        }
    });
    (parts, felt)
}

/// Looks on for this time: whether the daemon hangs at its end.
async fn hangs_after(watcher: &mut Watcher, time: Duration) -> bool {
    let end = now() + time;
    while now() < end {
        sleep(Watcher::LOOK).await;
        watcher.hangs();
    }
    watcher.hangs()
}

#[tokio::test(start_paused = true)]
async fn a_part_that_hangs_is_named_and_one_that_comes_round_again_is_alive() {
    for (name, sick) in [
        (
            "the driver",
            Parts {
                driver: State::Hangs,
                ..WELL
            },
        ),
        (
            "arp",
            Parts {
                arp: State::Hangs,
                ..WELL
            },
        ),
    ] {
        let (parts, felt) = daemon(Notifier::default());
        let mut watcher = Watcher::new(felt.clone());
        assert!(!hangs_after(&mut watcher, 5 * SECOND).await);
        let busy = Parts {
            driver: State::Busy(200 * MILLISECOND),
            arp: State::Busy(200 * MILLISECOND),
            ..WELL
        };
        parts.send_replace(busy);
        assert!(!hangs_after(&mut watcher, 5 * SECOND).await);
        parts.send_replace(sick);
        assert!(hangs_after(&mut watcher, SECOND).await);
        let hung = felt.borrow().clone();
        assert_eq!(hung.waits_for, name);
    }
    // One that hung for a while.
    let (parts, mut felt) = daemon(Notifier::default());
    let mut watcher = Watcher::new(felt.clone());
    let arp = State::Busy(5 * SECOND);
    parts.send_replace(Parts { arp, ..WELL });
    assert!(hangs_after(&mut watcher, 2 * SECOND).await);
    let hung = felt.borrow().beats;
    parts.send_replace(WELL);
    timeout(5 * SECOND, watcher.revival()).await.unwrap();
    assert!(felt.borrow().beats > hung);

    let arp = State::Died;
    parts.send_replace(Parts { arp, ..WELL });
    let died = felt.wait_for(|pulse| pulse.died.is_some());
    let died = timeout(SECOND, died).await.unwrap().unwrap().died.clone();
    assert_eq!(died.as_deref(), Some("it has died"));
}

/// A thousand sessions may have much to do, and others do not take over from them.
#[tokio::test(start_paused = true)]
async fn beats_do_not_wait_for_parts_from_which_others_do_not_take_over() {
    for bgp in [State::Busy(3 * SECOND), State::Hangs] {
        let (parts, mut felt) = daemon(Notifier::default());
        let mut watcher = Watcher::new(felt.clone());
        parts.send_replace(Parts { bgp, ..WELL });
        sleep(2 * SECOND).await;
        let before = felt.borrow_and_update().clone();
        assert_eq!(before.other, Some("bgp"));
        assert!(!hangs_after(&mut watcher, 20 * SECOND).await);
        let after = felt.borrow().clone();
        assert!(after.beats >= before.beats + 195, "{after:?}");
        assert_eq!(after.rounds > before.rounds, bgp != State::Hangs);
    }
    let (parts, mut felt) = daemon(Notifier::default());
    let bgp = State::Died;
    parts.send_replace(Parts { bgp, ..WELL });
    let died = felt.wait_for(|pulse| pulse.died.is_some());
    timeout(2 * SECOND, died).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_driver_is_no_hang() {
    let (heart, asked, felt) = Heart::new(Notifier::default());
    drop(asked);
    heart.run().await;
    let mut watcher = Watcher::new(felt);
    assert!(!hangs_after(&mut watcher, 60 * SECOND).await);
}

/// What a service manager has been told until now.
fn told(manager: &UnixDatagram) -> Vec<String> {
    let mut all = Vec::new();
    let mut buffer = [0; 64];
    while let Ok(length) = manager.recv(&mut buffer) {
        all.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
    }
    all
}

#[tokio::test(start_paused = true)]
async fn the_watchdog_is_fed_as_long_as_all_parts_come_round() {
    for sick in [
        Parts {
            driver: State::Hangs,
            ..WELL
        },
        Parts {
            arp: State::Hangs,
            ..WELL
        },
        Parts {
            bgp: State::Hangs,
            ..WELL
        },
    ] {
        let name = format!("carillon-test-of-the-watchdog-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        manager.set_nonblocking(true).unwrap();
        let notifier = Notifier::to(format!("@{name}").as_ref()).unwrap();
        let (parts, _felt) = daemon(notifier);
        sleep(SECOND / 2).await;
        assert_eq!(told(&manager), ["READY=1", "WATCHDOG=1"]);
        for _ in 0..5 {
            sleep(2 * SECOND).await;
            let told = told(&manager);
            assert!(
                !told.is_empty() && told.iter().all(|one| one == "WATCHDOG=1"),
                "{told:?}"
            );
        }
        parts.send_replace(sick);
        sleep(2 * SECOND).await;
        told(&manager);
        sleep(60 * SECOND).await;
        assert_eq!(told(&manager), [""; 0], "{sick:?}");
    }
}

const CHILD: &str = "CARILLON_TEST_OF_HANGS";

/// A process of its own is needed: this test runs itself once more for it.
#[test]
fn a_daemon_that_stays_without_a_beat_ends() {
    if std::env::var(CHILD).is_ok() {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (parts, felt) = daemon(Notifier::default());
            let mut watcher = Watcher::new(felt);
            let arp = State::Hangs;
            parts.send_replace(Parts { arp, ..WELL });
            assert!(hangs_after(&mut watcher, SECOND).await);
            let mut revival = pin!(watcher.revival());
            assert!(timeout(8 * SECOND, &mut revival).await.is_err());
            eprintln!("it waits");
            let _ = timeout(2 * SECOND, revival).await;
            eprintln!("it waits on");
        });
        return;
    }
    let this = "pulse::tests::a_daemon_that_stays_without_a_beat_ends";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", this, "--nocapture"])
        .env(CHILD, "")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(nix::libc::SIGABRT), "{said}");
    assert!(
        said.contains("it waits") && !said.contains("it waits on"),
        "{said}"
    );
}
