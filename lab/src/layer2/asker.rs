//! Asking for addresses by ARP and Neighbour Discovery, past the kernel's table: so that nothing is
//! remembered, and every station that answers is seen.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Result;
use carillon_core::interface::MacAddress;
use nix::sys::socket::LinkAddr;

use super::frame::{self, Arp, Frame, Message};
use super::packet::{self, PacketSocket};
use crate::host::Host;

/// How long after the last question answers are waited for.
const GRACE: Duration = Duration::from_millis(300);

/// The pause when there is nothing left to ask for.
const IDLE: Duration = Duration::from_millis(1);

/// Who asks: the host's interface, and its addresses.
#[derive(Clone, Copy)]
struct Station {
    interface: LinkAddr,
    v4: Ipv4Addr,
    v6: Ipv6Addr,
}

/// Asks for addresses in turn, one at each tick.
///
/// Every question comes from another Ethernet address, to which it is answered: so every answer
/// tells its question.
pub struct Asker {
    interval: Duration,
    record: Arc<Mutex<Record>>,
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Record {
    /// The questions, by number.
    asked: Vec<(Instant, IpAddr)>,
    answers: Vec<(usize, Answer)>,
    /// What stations said of addresses without being asked.
    announced: Vec<Answer>,
    /// See [`Asker::ask_until_taken_from`].
    former: Option<MacAddress>,
    taken: HashSet<IpAddr>,
}

/// That a station has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// When it was read.
    pub at: Instant,
    /// The station.
    pub station: MacAddress,
    /// The address.
    pub address: IpAddr,
}

/// What an [`Asker`] heard.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Each question: when, for what, and who answered.
    pub questions: Vec<(Instant, IpAddr, Vec<Answer>)>,
    /// What stations said of addresses without being asked.
    pub announced: Vec<Answer>,
    interval: Duration,
}

impl Asker {
    /// Asks from an interface of a host, which has one IPv4 and one IPv6 address of its own there.
    pub fn start(
        host: &Host,
        own: (Ipv4Addr, Ipv6Addr),
        addresses: Vec<IpAddr>,
        interval: Duration,
    ) -> Result<Self> {
        let socket = Arc::new(PacketSocket::open(host)?);
        let station = Station {
            interface: packet::interface(host, "eth0")?,
            v4: own.0,
            v6: own.1,
        };
        let record: Arc<Mutex<Record>> = Arc::default();
        let ended: Arc<AtomicBool> = Arc::default();
        let asking = {
            let (socket, record, ended) = (socket.clone(), record.clone(), ended.clone());
            move || ask_all(&socket, &station, &addresses, interval, &record, &ended)
        };
        let listening = {
            let (record, ended) = (record.clone(), ended.clone());
            move || listen(&socket, &record, &ended)
        };
        let threads = vec![thread::spawn(listening), thread::spawn(asking)];
        Ok(Self {
            interval,
            record,
            ended,
            threads,
        })
    }

    /// From now on, does not ask any more for an address for which another station than this has
    /// answered.
    pub fn ask_until_taken_from(&self, station: MacAddress) {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.former = Some(station);
    }

    /// What was heard so far. Questions of the last moment may yet be answered.
    pub fn answers(&self) -> Answers {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = record.asked.iter();
        let mut questions: Vec<_> = asked.map(|(at, address)| (*at, *address, vec![])).collect();
        for (number, answer) in &record.answers {
            if let Some((_, address, answers)) = questions.get_mut(*number)
                && *address == answer.address
            {
                answers.push(*answer);
            }
        }
        Answers {
            questions,
            announced: record.announced.clone(),
            interval: self.interval,
        }
    }

    /// Ends asking, and returns all that was heard.
    pub fn stop(mut self) -> Answers {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(asking) = self.threads.pop() {
            let _ = asking.join();
        }
        thread::sleep(GRACE);
        self.answers()
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Answers {
    /// All stations that answered.
    pub fn stations(&self) -> BTreeSet<MacAddress> {
        let answers = self.questions.iter().flat_map(|(_, _, answers)| answers);
        answers.map(|answer| answer.station).collect()
    }

    /// How long more than one station answered for the same address.
    pub fn time_with_two_owners(&self) -> Duration {
        let owners = self.owners();
        let doubled = owners.filter(|owners| owners.len() > 1).count();
        self.interval * u32::try_from(doubled).unwrap_or(u32::MAX)
    }

    /// How often the one station that answered for an address was another than before.
    pub fn moves(&self) -> usize {
        let mut last: BTreeMap<IpAddr, MacAddress> = BTreeMap::new();
        let mut moves = 0;
        for (_, address, answers) in &self.questions {
            let owners: BTreeSet<_> = answers.iter().map(|answer| answer.station).collect();
            if let [owner] = Vec::from_iter(owners)[..] {
                let before = last.insert(*address, owner);
                moves += usize::from(before.is_some_and(|before| before != owner));
            }
        }
        moves
    }

    /// Those about some of the addresses.
    pub fn about(&self, addresses: &[IpAddr]) -> Self {
        let asked = self.questions.iter();
        let asked = asked.filter(|(_, address, _)| addresses.contains(address));
        let said = self.announced.iter();
        let said = said.filter(|answer| addresses.contains(&answer.address));
        Self {
            questions: asked.cloned().collect(),
            announced: said.copied().collect(),
            interval: self.interval,
        }
    }

    /// How many stations answered one question at most.
    pub fn most_owners(&self) -> usize {
        self.owners().map(|owners| owners.len()).max().unwrap_or(0)
    }

    /// How many questions nobody answered.
    pub fn unanswered(&self) -> usize {
        self.owners().filter(BTreeSet::is_empty).count()
    }

    /// How long the first answers took.
    pub fn delays(&self) -> impl Iterator<Item = Duration> {
        self.questions
            .iter()
            .filter_map(|(asked, _, answers)| Some(answers.first()?.at - *asked))
    }

    /// The stations that answered, question by question.
    fn owners(&self) -> impl Iterator<Item = BTreeSet<MacAddress>> {
        let questions = self.questions.iter();
        questions.map(|(_, _, answers)| answers.iter().map(|answer| answer.station).collect())
    }
}

fn ask_all(
    socket: &PacketSocket,
    station: &Station,
    addresses: &[IpAddr],
    interval: Duration,
    record: &Mutex<Record>,
    ended: &AtomicBool,
) {
    let mut next = Instant::now();
    for address in addresses.iter().cycle() {
        if ended.load(Ordering::Relaxed) {
            return;
        }
        let mut list = record.lock().unwrap_or_else(PoisonError::into_inner);
        if list.taken.contains(address) {
            if list.taken.len() == addresses.len() {
                drop(list);
                thread::sleep(IDLE);
            }
            continue;
        }
        let question = question(station, list.asked.len(), *address);
        list.asked.push((Instant::now(), *address));
        drop(list);
        // With a cut cable nothing goes out; that shows as unanswered.
        let _ = socket.send(&station.interface, &question);
        next += interval;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

fn question(station: &Station, number: usize, address: IpAddr) -> Vec<u8> {
    let source = source(number);
    match address {
        IpAddr::V4(target) => frame::arp(&Arp {
            is_request: true,
            sender_mac: source,
            sender: station.v4,
            target_mac: MacAddress([0; 6]),
            target,
        }),
        IpAddr::V6(target) => frame::solicitation(source, station.v6, target, None),
    }
}

/// The Ethernet address from which a question is asked: 02:ca and its number.
fn source(number: usize) -> MacAddress {
    let [.., a, b, c, d] = number.to_be_bytes();
    MacAddress([0x02, 0xca, a, b, c, d])
}

/// The question that is asked from this address.
fn number(source: MacAddress) -> Option<usize> {
    match source.0 {
        [0x02, 0xca, a, b, c, d] => usize::try_from(u32::from_be_bytes([a, b, c, d])).ok(),
        _ => None,
    }
}

fn listen(socket: &PacketSocket, record: &Mutex<Record>, ended: &AtomicBool) {
    let mut buffer = [0; 2048];
    let mut end = None;
    while end.is_none_or(|end| Instant::now() < end) {
        if end.is_none() && ended.load(Ordering::Relaxed) {
            end = Some(Instant::now() + GRACE);
        }
        let Ok(Some((length, _))) = socket.receive(&mut buffer) else {
            continue;
        };
        let at = Instant::now();
        let frame = buffer.get(..length).and_then(Frame::parse);
        let Some((frame, (address, station))) =
            frame.and_then(|frame| Some((frame, frame.claim()?)))
        else {
            continue;
        };
        let answer = Answer {
            at,
            station,
            address,
        };
        let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
        match number(frame.destination) {
            Some(number) => {
                if record.former.is_some_and(|former| former != station) {
                    record.taken.insert(address);
                }
                record.answers.push((number, answer));
            }
            None if is_announcement(&frame) => record.announced.push(answer),
            None => {}
        }
    }
}

/// Whether it is about its sender and for all.
fn is_announcement(frame: &Frame) -> bool {
    match frame.message {
        Message::Arp(arp) => arp.sender == arp.target,
        Message::Solicitation { .. } => false,
        Message::Advertisement { to, .. } => to.is_multicast(),
    }
}
