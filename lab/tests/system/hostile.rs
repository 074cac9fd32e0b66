//! Peers that mean harm, all at once and for some time. Neither the daemon nor its good session may
//! suffer.

use std::env;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use carillon_lab::test;

use crate::bad_peer::{BadSite, resident};
use crate::scripted::{KEEPALIVE, Listener, NOTIFICATION, Open, ROUTE_REFRESH, message, update};

/// How long they go on unless `HOSTILE_SECONDS` says otherwise.
const SECONDS: u64 = 5;

/// A sequence of numbers that is the same in every run (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }

    fn octet(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }

    /// Changes a few octets, adds some, or takes some away.
    fn mutate(&mut self, octets: &mut Vec<u8>) {
        for _ in 0..self.below(3) {
            let at = self.below(octets.len() + 1);
            match self.below(4) {
                0 => octets.truncate(at),
                1 => octets.insert(at, self.octet()),
                2 if at < octets.len() => octets[at] = self.octet(),
                _ if at < octets.len() => octets[at] ^= 1 << self.below(8),
                _ => {}
            }
        }
    }

    /// Anything that a peer can send, mostly an UPDATE whose three parts have the right lengths.
    fn message(&mut self) -> Vec<u8> {
        let mut withdrawn = vec![24, 203, 0, 113, 0];
        let mut attributes = [
            &[0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 3, 4, 192, 0, 2, 2][..],
            &[0x40, 5, 4, 0, 0, 0, 100, 0xc0, 8, 4, 0, 1, 0, 2],
            &[0x80, 14, 5, 0, 2, 1, 0, 0, 0xc0, 99, 1, 7],
        ]
        .concat();
        let mut nlri = vec![24, 203, 0, 113, 32, 198, 51, 100, 7];
        let mut body = vec![0, 1, 0, 1];
        match self.below(1000) {
            0 => return self.whole_message(Open::default().encode()),
            1 => return message(NOTIFICATION, &[6, self.octet(), self.octet()]),
            2 => return (0..self.below(5000)).map(|_| self.octet()).collect(),
            3..30 => {
                self.mutate(&mut body);
                return message(ROUTE_REFRESH, &body);
            }
            30..40 => return message(KEEPALIVE, &[]),
            40 => self.mutate(&mut nlri),
            41 => self.mutate(&mut withdrawn),
            _ => self.mutate(&mut attributes),
        }
        update(&withdrawn, &attributes, &nlri)
    }

    fn whole_message(&mut self, mut octets: Vec<u8>) -> Vec<u8> {
        self.mutate(&mut octets);
        octets
    }
}

/// Sends mutated messages on one connection after the other.
fn fuzz(listener: &Listener, random: &mut Random, end: &AtomicBool) {
    while !end.load(Relaxed) {
        let Some(mut session) = listener.try_accept() else {
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        let mut octets = Open::default().encode();
        if random.below(10) == 0 {
            random.mutate(&mut octets);
        }
        octets.extend(message(KEEPALIVE, &[]));
        while !end.load(Relaxed) && session.send(&octets).is_ok() {
            octets = random.message();
            thread::sleep(Duration::from_micros(100));
        }
    }
}

/// Sends the same over and over, as fast as it is read.
fn flood(listener: &Listener, octets: &[u8], end: &AtomicBool) -> Result<()> {
    let mut session = listener.establish()?;
    session.set_write_timeout(Duration::from_secs(1))?;
    while !end.load(Relaxed) {
        session.send(octets)?;
    }
    Ok(())
}

/// Drops every connection at once, as a session or before.
fn drop_all(listener: &Listener, establish: bool, end: &AtomicBool) {
    while !end.load(Relaxed) {
        match listener.try_accept() {
            Some(mut session) if establish => drop(session.establish(&Open::default())),
            Some(session) => drop(session),
            None => thread::sleep(Duration::from_millis(10)),
        }
    }
}

#[test]
fn a_crowd_of_hostile_peers_disturbs_nobody() {
    test(|lab| {
        let site = BadSite::new(lab, 12, "")?;
        let before = resident(&site.node)?;
        let seconds = env::var("HOSTILE_SECONDS").ok();
        let seconds = seconds.and_then(|text| text.parse().ok());
        let time = Duration::from_secs(seconds.unwrap_or(SECONDS));
        let (droppers, rest) = site.bad.split_at(2);
        let (flooders, fuzzers) = rest.split_at(3);
        let floods = [
            message(KEEPALIVE, &[]),
            message(ROUTE_REFRESH, &[0, 1, 0, 1]),
            update(&[32, 203, 0, 113, 1].repeat(800), &[], &[]),
        ];
        let end = AtomicBool::new(false);
        let result = thread::scope(|scope| {
            let end = &end;
            for (listener, establish) in droppers.iter().zip([false, true]) {
                scope.spawn(move || drop_all(listener, establish, end));
            }
            let floods = flooders.iter().zip(floods).map(|(listener, octets)| {
                let octets = octets.repeat(60_000 / octets.len());
                scope.spawn(move || flood(listener, &octets, end))
            });
            let floods: Vec<_> = floods.collect();
            for (seed, listener) in fuzzers.iter().enumerate() {
                let mut random = Random(seed as u64);
                scope.spawn(move || fuzz(listener, &mut random, end));
            }
            thread::sleep(time);
            let result = site.check_good_session();
            end.store(true, Relaxed);
            result?;
            for flood in floods {
                flood.join().unwrap()?;
            }
            Ok::<_, anyhow::Error>(())
        });
        result?;
        let growth = resident(&site.node)?.saturating_sub(before);
        ensure!(growth < 16 * 1024, "they took {growth} KiB");
        let lines = site.node.process.log()?.lines().count();
        ensure!(lines < 1000, "they made {lines} lines of the log");
        Ok(())
    });
}
