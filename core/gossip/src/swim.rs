//! foca, and what it needs around it.
//!
//! foca is sans I/O as well, but leaves some to its user: its timers must come in order, a lost
//! announce is never repeated, and a suspicion that was refuted still turns the member undead.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::{NonZeroU8, NonZeroUsize};
use std::time::{Duration, Instant};

use foca::{Config, Foca, Identity as _, Member, NoCustomBroadcast, Notification, PeriodicParams};
use foca::{PostcardCodec, Runtime, Timer};
use rand::rngs::StdRng;

use super::MemberId;
use super::identity::Identity;
use super::status::State;
use super::timers::Timers;
use super::wire::{MAX_CONTENT, encode};

/// How often news is passed on with each message; fewer do not reach everybody when datagrams are
/// lost.
const TRANSMISSIONS: NonZeroU8 = NonZeroU8::MIN.saturating_add(14);
/// How long members that are down are remembered, and called.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// How foca probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) period: Duration,
    pub(crate) rtt: Duration,
    /// For up to ten members; grows with the logarithm of their number.
    pub(crate) suspicion: Duration,
}

/// A member comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Up(MemberId),
    Down(MemberId),
}

/// foca of one member.
pub(crate) struct Swim {
    foca: Foca<Identity, PostcardCodec, StdRng, NoCustomBroadcast>,
    pace: Pace,
    timers: Timers<Timer<Identity>>,
    alive: BTreeMap<SocketAddr, Identity>,
    /// To whom foca wants to say what.
    pub(crate) out: Vec<(SocketAddr, Vec<u8>)>,
    pub(crate) changes: Vec<Change>,
}

impl std::fmt::Debug for Swim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Swim")
            .field("alive", &self.alive)
            .finish_non_exhaustive()
    }
}

/// What foca asks for while it handles something.
#[derive(Default)]
struct Requests {
    send: Vec<(Identity, Vec<u8>)>,
    timers: Vec<(Duration, Timer<Identity>)>,
    touched: Vec<SocketAddr>,
    rejoined: bool,
}

impl Runtime<Identity> for &mut Requests {
    fn notify(&mut self, notification: Notification<'_, Identity>) {
        match notification {
            Notification::MemberUp(member)
            | Notification::MemberDown(member)
            | Notification::Rename(_, member) => self.touched.push(member.addr()),
            Notification::Rejoin(_) => self.rejoined = true,
            Notification::Active | Notification::Idle | Notification::Defunct => {}
        }
    }

    fn send_to(&mut self, to: Identity, data: &[u8]) {
        self.send.push((to, data.to_vec()));
    }

    fn submit_after(&mut self, event: Timer<Identity>, after: Duration) {
        self.timers.push((after, event));
    }
}

impl Swim {
    pub(crate) fn new(me: MemberId, pace: Pace, rng: StdRng) -> Self {
        Self {
            foca: Foca::new(Identity::new(me), config(pace, 1), rng, PostcardCodec),
            pace,
            timers: Timers::new(),
            alive: BTreeMap::new(),
            out: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// All members that take part, without this one, ascending by address.
    pub(crate) fn alive(&self) -> impl Iterator<Item = MemberId> + Clone {
        self.alive.values().map(|identity| identity.id)
    }

    /// Whether nobody else takes part.
    pub(crate) fn is_alone(&self) -> bool {
        self.alive.is_empty()
    }

    pub(crate) fn alive_at(&self, address: SocketAddr) -> Option<&Identity> {
        self.alive.get(&address)
    }

    pub(crate) fn is_alive(&self, member: MemberId) -> bool {
        self.alive
            .get(&member.address)
            .is_some_and(|identity| identity.id == member)
    }

    /// All members of which foca knows.
    pub(crate) fn states(&self) -> impl Iterator<Item = (MemberId, State)> {
        self.foca.iter_membership_state().map(|member| {
            let state = match member.state() {
                foca::State::Alive => State::Alive,
                foca::State::Suspect => State::Suspect,
                foca::State::Down => State::Down,
            };
            (member.id().id, state)
        })
    }

    /// What foca of this peer has sent. `None` if it is malformed.
    pub(crate) fn handle(&mut self, peer: MemberId, short: &[u8], now: Instant) -> Option<()> {
        let data = restore(short, peer, self.foca.identity().id.address)?;
        let mut requests = Requests::default();
        let result = self.foca.handle_data(&data, &mut requests);
        let rejoined = requests.rejoined;
        self.carry_out(requests, now);
        if rejoined {
            // Nobody knows the new identity yet, and all others may seem to be down.
            self.announce(peer, now);
        }
        match result {
            Err(foca::Error::Decode(_) | foca::Error::MalformedPacket) => None,
            Ok(()) | Err(_) => Some(()),
        }
    }

    /// Asks this member who is there.
    pub(crate) fn announce(&mut self, to: MemberId, now: Instant) {
        let to = Identity::new(to);
        self.with(now, |foca, requests| foca.announce(to, requests));
    }

    /// This identity is lost. Others are not told by foca: they shall find it out themselves, or
    /// check what they are told.
    pub(crate) fn declare_down(&mut self, identity: Identity, now: Instant) {
        let down = std::iter::once(Member::down(identity));
        self.with(now, |foca, requests| foca.apply_many(down, false, requests));
    }

    /// This member has another generation now.
    pub(crate) fn rename(&mut self, me: MemberId, now: Instant) {
        let me = Identity::new(me);
        self.with(now, |foca, requests| foca.change_identity(me, requests));
        for identity in self.alive.values().copied().collect::<Vec<_>>() {
            self.announce(identity.id, now);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Time stood still for so long.
    pub(crate) fn delay(&mut self, by: Duration) {
        self.timers.delay(by);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop(now) {
            if self.is_refuted(&timer) {
                continue;
            }
            self.with(now, |foca, requests| foca.handle_timer(timer, requests));
        }
    }

    /// A suspicion that the member has refuted in time. foca would leave the member in peace, but
    /// still tell it that it is down, and it would believe that.
    fn is_refuted(&self, timer: &Timer<Identity>) -> bool {
        let Timer::ChangeSuspectToDown {
            member_id,
            incarnation,
            ..
        } = timer
        else {
            return false;
        };
        let mut members = self.foca.iter_membership_state();
        !members.any(|member| {
            member.id() == member_id
                && member.state() == foca::State::Suspect
                && member.incarnation() == *incarnation
        })
    }

    /// Lets foca do something. It fails only on what others say, and is as before then.
    fn with(
        &mut self,
        now: Instant,
        work: impl FnOnce(
            &mut Foca<Identity, PostcardCodec, StdRng, NoCustomBroadcast>,
            &mut Requests,
        ) -> Result<(), foca::Error>,
    ) {
        let mut requests = Requests::default();
        let _ = work(&mut self.foca, &mut requests);
        self.carry_out(requests, now);
    }

    fn carry_out(&mut self, requests: Requests, now: Instant) {
        for (after, timer) in requests.timers {
            self.timers.push(now + after, timer);
        }
        for (to, data) in requests.send {
            self.out
                .extend(shorten(&data).map(|short| (to.addr(), short)));
        }
        let touched = !requests.touched.is_empty();
        for address in requests.touched {
            self.update(address);
        }
        if touched {
            let config = config(self.pace, self.alive.len() + 1);
            // Only the settings that it lets change are different.
            let _ = self.foca.set_config(config);
        }
    }

    fn update(&mut self, address: SocketAddr) {
        let mut members = self.foca.iter_members();
        let new = members.find(|member| member.id().addr() == address);
        let new = new.map(|member| *member.id());
        let old = match new {
            Some(identity) => self.alive.insert(address, identity),
            None => self.alive.remove(&address),
        };
        if old.map(|old| old.id) == new.map(|new| new.id) {
            return;
        }
        self.changes
            .extend(old.map(|identity| Change::Down(identity.id)));
        self.changes
            .extend(new.map(|identity| Change::Up(identity.id)));
    }
}

fn config(pace: Pace, members: usize) -> Config {
    let every = |frequency, members| {
        Some(PeriodicParams {
            frequency,
            num_members: members,
        })
    };
    let one = NonZeroUsize::MIN;
    let two = one.saturating_add(1);
    let three = two.saturating_add(1);
    let size = u32::try_from(members).unwrap_or(u32::MAX);
    Config {
        probe_period: pace.period,
        probe_rtt: pace.rtt,
        num_indirect_probes: three,
        max_transmissions: TRANSMISSIONS,
        suspect_to_down_after: pace.suspicion.mul_f64(f64::from(size).log10().max(1.0)),
        remove_down_after: Some(REMEMBERED),
        max_packet_size: NonZeroUsize::new(MAX_CONTENT).unwrap_or(one),
        notify_down_members: true,
        periodic_announce: every(Duration::from_secs(10), one),
        periodic_announce_to_down_members: every(Duration::from_secs(3), two),
        periodic_gossip: every(Duration::from_millis(100), three),
    }
}

/// The head of a packet of foca: from whom, with which incarnation, to whom.
type Head = (Identity, u16, Identity);
/// What the receiver does not know anyway: renewal, incarnation, and the receiver's generation and
/// renewal.
type ShortHead = (u32, u16, u64, u32);

fn shorten(data: &[u8]) -> Option<Vec<u8>> {
    let ((from, incarnation, to), rest) = postcard::take_from_bytes::<Head>(data).ok()?;
    let head: ShortHead = (from.renewal, incarnation, to.id.generation, to.renewal);
    let mut short = encode(&head);
    short.extend(rest);
    Some(short)
}

/// The sender and the receiver are those of the session, whatever the sender would have them be.
fn restore(short: &[u8], peer: MemberId, address: SocketAddr) -> Option<Vec<u8>> {
    let ((renewal, incarnation, generation, to_renewal), rest) =
        postcard::take_from_bytes::<ShortHead>(short).ok()?;
    let from = Identity { id: peer, renewal };
    let to = Identity {
        id: MemberId {
            address,
            generation,
        },
        renewal: to_renewal,
    };
    let head: Head = (from, incarnation, to);
    let mut data = encode(&head);
    data.extend(rest);
    Some(data)
}
