//! A client that asks a service again and again: when it gets no answer, and who answers.

use std::io;
use std::net::{IpAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::responder::Responder;
use crate::host::Host;

/// How long after the last probe answers are waited for; what comes later was lost.
const GRACE: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_millis(50);

/// Sends a datagram to the [`Responder`] of an address at every tick.
pub struct Prober {
    probes: Arc<Mutex<Vec<Probe>>>,
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Clone, Copy)]
struct Probe {
    sent: Instant,
    answered_by: Option<u8>,
}

/// What a [`Prober`] saw.
#[derive(Clone, Default)]
pub struct Probes(Vec<Probe>);

/// A time without answers, by when the probes were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// When the first probe was sent that was not answered.
    pub from: Instant,
    /// When the next one was sent that was; or the last of all, if none was.
    pub to: Instant,
    /// How many were not answered.
    pub lost: usize,
}

impl Prober {
    /// Probes an address from a host.
    pub fn start(host: &Host, address: IpAddr, interval: Duration) -> Result<Self> {
        let bind = || -> io::Result<UdpSocket> {
            let any = if address.is_ipv4() {
                "0.0.0.0:0"
            } else {
                "[::]:0"
            };
            let socket = UdpSocket::bind(any)?;
            socket.connect((address, Responder::PORT))?;
            socket.set_read_timeout(Some(PATIENCE))?;
            Ok(socket)
        };
        let socket = host.enter(bind)?.context("no socket for probes")?;
        let receiver = socket.try_clone()?;
        let probes: Arc<Mutex<Vec<Probe>>> = Arc::default();
        let ended: Arc<AtomicBool> = Arc::default();
        let listening = {
            let (probes, ended) = (probes.clone(), ended.clone());
            move || listen(&receiver, &probes, &ended)
        };
        let sending = {
            let (probes, ended) = (probes.clone(), ended.clone());
            move || send(&socket, interval, &probes, &ended)
        };
        let threads = vec![thread::spawn(listening), thread::spawn(sending)];
        Ok(Self {
            probes,
            ended,
            threads,
        })
    }

    /// What it saw so far. Probes of the last moment may yet be answered.
    pub fn probes(&self) -> Probes {
        let probes = self.probes.lock();
        Probes(probes.unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Ends probing, and returns all that it saw.
    pub fn stop(mut self) -> Probes {
        self.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..).rev() {
            let _ = thread.join();
        }
        self.probes()
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Probes {
    /// Every time without answers.
    pub fn outages(&self) -> Vec<Outage> {
        let mut outages: Vec<Outage> = Vec::new();
        let mut is_out = false;
        for probe in &self.0 {
            match outages.last_mut() {
                Some(outage) if is_out => {
                    outage.to = probe.sent;
                    outage.lost += usize::from(probe.answered_by.is_none());
                }
                _ if probe.answered_by.is_none() => outages.push(Outage {
                    from: probe.sent,
                    to: probe.sent,
                    lost: 1,
                }),
                _ => {}
            }
            is_out = probe.answered_by.is_none();
        }
        outages
    }

    /// From the first lost probe to the one after the last lost; zero without loss.
    pub fn outage(&self) -> Duration {
        let outages = self.outages();
        let span = outages.first().zip(outages.last());
        span.map_or(Duration::ZERO, |(first, last)| last.to - first.from)
    }

    /// How many were not answered.
    pub fn lost(&self) -> usize {
        let lost = self.0.iter().filter(|probe| probe.answered_by.is_none());
        lost.count()
    }

    /// How many were sent.
    pub fn sent(&self) -> usize {
        self.0.len()
    }

    /// The numbers of the responders that answered, in their order, each once in a row.
    pub fn answered_by(&self) -> Vec<u8> {
        let mut hosts: Vec<_> = self
            .0
            .iter()
            .filter_map(|probe| probe.answered_by)
            .collect();
        hosts.dedup();
        hosts
    }

    /// Those that were sent after a moment.
    pub fn since(&self, moment: Instant) -> Self {
        let recent = self.0.iter().filter(|probe| probe.sent >= moment);
        Self(recent.copied().collect())
    }

    /// The responder that answered all probes that were sent in this time before the last 50 ms, if
    /// there was exactly one and nothing was lost.
    pub fn steady(&self, time: Duration) -> Option<u8> {
        let end = Instant::now().checked_sub(Duration::from_millis(50))?;
        let start = end.checked_sub(time)?;
        let first = self.0.first()?.sent;
        let window = self
            .0
            .iter()
            .filter(|probe| probe.sent >= start && probe.sent <= end);
        let mut answers = window.map(|probe| probe.answered_by);
        let host = answers.next()??;
        (first <= start && answers.all(|answer| answer == Some(host))).then_some(host)
    }
}

fn send(socket: &UdpSocket, interval: Duration, probes: &Mutex<Vec<Probe>>, ended: &AtomicBool) {
    let mut next = Instant::now();
    let mut number = 0_u32;
    while !ended.load(Ordering::Relaxed) {
        probes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Probe {
                sent: Instant::now(),
                answered_by: None,
            });
        // An error, such as of a neighbour that was not found, is a lost probe.
        let _ = socket.send(&number.to_be_bytes());
        number += 1;
        next += interval;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

fn listen(socket: &UdpSocket, probes: &Mutex<Vec<Probe>>, ended: &AtomicBool) {
    let mut buffer = [0; 64];
    let mut end = None;
    while end.is_none_or(|end| Instant::now() < end) {
        if end.is_none() && ended.load(Ordering::Relaxed) {
            end = Some(Instant::now() + GRACE);
        }
        let Ok(5) = socket.recv(&mut buffer) else {
            continue;
        };
        let [a, b, c, d, host, ..] = buffer;
        let number = u32::from_be_bytes([a, b, c, d]) as usize;
        let mut probes = probes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(probe) = probes.get_mut(number) {
            probe.answered_by = Some(host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probes(answers: &str) -> Probes {
        let start = Instant::now();
        let probe = |(number, answer): (u64, char)| Probe {
            sent: start + Duration::from_millis(number),
            answered_by: answer.to_digit(10).and_then(|digit| digit.try_into().ok()),
        };
        Probes((0..).zip(answers.chars()).map(probe).collect())
    }

    #[test]
    fn outages_last_from_the_first_lost_to_the_next_answered() {
        let probes = probes("11--2-22");
        let lengths: Vec<_> = probes
            .outages()
            .iter()
            .map(|o| (o.to - o.from, o.lost))
            .collect();
        let ms = Duration::from_millis;
        assert_eq!(lengths, [(ms(2), 2), (ms(1), 1)]);
        assert_eq!(probes.outage(), ms(4));
        assert_eq!((probes.lost(), probes.answered_by()), (3, vec![1, 2]));
    }

    #[test]
    fn without_loss_there_is_no_outage() {
        assert_eq!(probes("111").outage(), Duration::ZERO);
        assert_eq!(probes("").outages(), []);
    }
}
