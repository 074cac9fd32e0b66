//! The driver and its backends, as they answer whether they are alive.

use carillon_core::backend::mock::MockPulse;
use tokio::time::sleep;

use super::*;
use crate::notify::Notifier;
use crate::pulse::{Heart, Pulse};

/// What is felt of the pulse of a daemon after some time, of whose backends this is so.
async fn felt(bgp: MockPulse, arp: MockPulse) -> Pulse {
    let dir = Dir::new();
    let daemon = Daemon::new(&dir.journal());
    daemon.log.set_pulse(bgp);
    daemon.arp.set_pulse(arp);
    let (heart, mut questions, felt) = Heart::new(Notifier::default());
    let answering = async {
        while let Some(question) = questions.recv().await {
            daemon.driver.pulse(question);
        }
    };
    tokio::select! {
        () = heart.run() => {}
        () = answering => {}
        () = sleep(5 * SECOND) => {}
    }
    felt.borrow().clone()
}

#[tokio::test(start_paused = true)]
async fn only_backends_whose_addresses_have_one_owner_are_waited_for_with_each_beat() {
    let well = felt(MockPulse::Beats, MockPulse::Beats).await;
    assert!(well.beats > 40 && well.rounds > 40, "{well:?}");
    assert_eq!((well.other, well.died), (None, None));

    let bgp_hangs = felt(MockPulse::Hangs, MockPulse::Beats).await;
    assert!(
        bgp_hangs.beats > 40 && bgp_hangs.rounds == 0,
        "{bgp_hangs:?}"
    );
    assert_eq!(bgp_hangs.other, Some("bgp"));

    let arp_hangs = felt(MockPulse::Beats, MockPulse::Hangs).await;
    assert_eq!((arp_hangs.beats, arp_hangs.waits_for), (0, "arp"));

    for (bgp, arp) in [
        (MockPulse::Died, MockPulse::Beats),
        (MockPulse::Beats, MockPulse::Died),
    ] {
        let died = felt(bgp, arp).await.died;
        assert_eq!(died.as_deref(), Some("the task has died"));
    }
}
