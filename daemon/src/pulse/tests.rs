use std::sync::atomic::{AtomicU8, Ordering};

use tokio::time::{sleep, timeout};

use super::*;

const MILLISECOND: Duration = Duration::from_millis(1);

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

/// A driver with one backend, as it answers.
async fn driver(mut asked: mpsc::Receiver<Question>, state: Arc<AtomicU8>) {
    while let Some(question) = asked.recv().await {
        let backend: BoxFuture<_> = match state.load(Ordering::Relaxed) {
            0 => Box::pin(std::future::ready(Ok(()))),
            1 => Box::pin(sleep(Duration::from_secs(2)).then_ok()),
            _ => Box::pin(std::future::ready(Err("it has died".to_owned()))),
        };
        let backends = vec![("arp", backend)];
        let gossip = None;
        drop(question.answer.send(Answer { backends, gossip }));
    }
}

trait ThenOk {
    fn then_ok(self) -> BoxFuture<Result<(), String>>;
}

impl ThenOk for tokio::time::Sleep {
    fn then_ok(self) -> BoxFuture<Result<(), String>> {
        Box::pin(async move {
            self.await;
            Ok(())
        })
    }
}

#[tokio::test]
async fn a_part_that_hangs_is_named_and_one_that_comes_round_again_is_alive() {
    let (heart, asked, felt) = Heart::new(Notifier::default());
    let state = Arc::new(AtomicU8::new(0));
    let driver = tokio::spawn(driver(asked, state.clone()));
    let heart = tokio::spawn(heart.run());
    let mut pulse = felt.clone();
    let mut watcher = Watcher::new(felt.clone());
    timeout(
        Duration::from_secs(60),
        pulse.wait_for(|pulse| pulse.rounds > 2),
    )
    .await
    .unwrap()
    .unwrap();
    assert!(!watcher.hangs());
    state.store(1, Ordering::Relaxed);
    while !watcher.hangs() {
        sleep(Watcher::LOOK / 2).await;
    }
    let hung = pulse.borrow().beats;
    assert_eq!(pulse.borrow().waits_for, "arp");
    state.store(0, Ordering::Relaxed);
    timeout(Duration::from_secs(60), watcher.revival())
        .await
        .unwrap();
    assert!(pulse.borrow().beats > hung);

    state.store(2, Ordering::Relaxed);
    let died = timeout(
        Duration::from_secs(60),
        pulse.wait_for(|pulse| pulse.died.is_some()),
    );
    assert_eq!(
        died.await.unwrap().unwrap().died.as_deref(),
        Some("it has died")
    );
    heart.await.unwrap();
    driver.abort();
}

#[tokio::test]
async fn the_end_of_the_driver_is_no_hang() {
    let (heart, asked, felt) = Heart::new(Notifier::default());
    drop(asked);
    heart.run().await;
    let mut watcher = Watcher::new(felt);
    for _ in 0..10 {
        sleep(Watcher::LOOK).await;
        assert!(!watcher.hangs());
    }
}
