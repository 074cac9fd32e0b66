use std::net::IpAddr;

use carillon_gossip::record::{Claim, Value};
use tokio::sync::oneshot;

use super::*;

fn claim(vip: u32, term: u64) -> Command {
    let key = Key::Claim(IpAddr::from(vip.to_be_bytes()));
    let successor = None;
    Command::Publish(key, Some(Value::Claim(Claim { term, successor })))
}

#[test]
fn a_thread_that_does_not_listen_is_told_later_how_it_stands() {
    let (mut commands, mut told) = Commands::new();
    let vips = 10_000;
    for term in 1..=20 {
        for vip in 0..vips {
            commands.tell(claim(vip, term));
        }
        commands.tell(Command::Owner(term % 2 == 0));
    }
    assert_eq!(told.len(), ROOM - QUESTIONS);
    let (answer, mut answered) = oneshot::channel();
    commands.tell(Command::Pulse(answer));
    let mut newest = std::collections::BTreeMap::new();
    let (mut owns, mut count) = (false, 0);
    let now = Instant::now();
    loop {
        while let Ok(command) = told.try_recv() {
            count += 1;
            match command {
                Command::Publish(key, value) => drop(newest.insert(key, value)),
                Command::Owner(last) => owns = last,
                Command::Pulse(answer) => answer.send(()).unwrap(),
                _ => panic!("nobody said so"),
            }
        }
        if commands.review(now).is_none() && told.is_empty() {
            break;
        }
    }
    assert_eq!(answered.try_recv(), Ok(()), "there is room for questions");
    assert!(owns);
    assert_eq!(newest.len(), 10_000);
    let last = Value::Claim(Claim {
        term: 20,
        successor: None,
    });
    assert!(newest.values().all(|value| value.as_ref() == Some(&last)));
    assert!(count < 2 * ROOM + 10_000, "{count} commands");
}
