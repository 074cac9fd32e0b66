//! VIPs on an interface of this node, for hosts on which nothing else accepts traffic to them.
//!
//! ```text
//!  driver ─Wish─▶ follow ─Event─▶ Reconciler ─Request─▶ kernel
//!  driver ◀─Assigned─┘ ◀──────────netlink notices─────────┘
//! ```
//!
//! The addresses carry a mark, so that the daemon after this one knows what it may remove, however
//! this one ends. An address that somebody else has put there is left alone.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use carillon_core::address::Family;
use futures::future::join_all;
use nix::errno::Errno;
use rtnetlink::Handle;
use rtnetlink::packet_route::RouteNetlinkMessage;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{debug, error, info, warn};

use crate::netlink::{Netlink, NetlinkError};

mod message;
mod reconciler;
#[cfg(test)]
mod tests;

pub(crate) use message::is_marked;
use message::{add_message, event_of, remove_message};
use reconciler::{Outcome, Reconciler, Request};

/// How long to wait before the kernel is asked again that could not be asked.
const RETRY: Duration = Duration::from_secs(1);
/// How long to wait before what the kernel has refused is tried again.
const REFUSED: Duration = Duration::from_secs(5);
/// After which time everything is read anew, in case that a notice was not understood.
const REFRESH: Duration = Duration::from_secs(300);
/// How long the end may take: the kernel needs seconds for ten thousand addresses.
pub const LEAVE: Duration = Duration::from_secs(10);
/// How many requests are on their way at once. Their answers must fit into the smallest of buffers.
const AT_ONCE: usize = 128;

/// Why no address can be put on an interface.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no such interface.
    #[error(
        "there is no interface {name} on which to put VIPs: give one of {present} to --assign-vips"
    )]
    UnknownInterface {
        /// The name that was given.
        name: String,
        /// The names that could have been.
        present: String,
    },
    /// The kernel cannot be asked.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}

/// Which of the wanted addresses are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assigned {
    /// Those to which this node answers now.
    pub usable: Arc<BTreeSet<IpAddr>>,
    /// Those of them that somebody else has put there. They are not removed when they are not
    /// wanted any more.
    pub foreign: Arc<BTreeSet<IpAddr>>,
    /// The interface is down or gone: none is usable.
    pub is_down: bool,
    /// The families of which none can be put there.
    pub refused: BTreeSet<Family>,
    /// What keeps addresses from the interface, and the remedy.
    pub problems: Vec<String>,
}

/// What the interface is to have.
#[derive(Clone, Debug, Default)]
struct Wish {
    /// `None` as long as it is not known, and nothing is to be removed.
    desired: Option<Arc<BTreeSet<IpAddr>>>,
    /// Whether this is the end.
    leaving: bool,
}

/// Puts addresses on an interface, and keeps them there.
#[derive(Debug)]
pub struct Assignment {
    wish: watch::Sender<Wish>,
    assigned: watch::Receiver<Assigned>,
    task: JoinHandle<()>,
}

impl Assignment {
    /// Starts to look after this interface of the calling thread's network namespace. Nothing is
    /// changed before the first [`Self::set`]. To drop this leaves the addresses where they are.
    ///
    /// # Errors
    /// There is no such interface, or the kernel cannot be asked.
    pub async fn start(interface: &str) -> Result<Self, StartError> {
        let mut reconciler = Reconciler::new(interface);
        load(&mut reconciler, &Netlink::open()?.dump().await?);
        if !reconciler.has_interface() {
            return Err(StartError::UnknownInterface {
                name: interface.to_owned(),
                present: reconciler.names().join(", "),
            });
        }
        let (wish, wishes) = watch::channel(Wish::default());
        let (told, assigned) = watch::channel(Assigned::default());
        let keeper = Keeper {
            reconciler,
            wishes,
            told,
        };
        let task = tokio::spawn(keeper.run());
        Ok(Self {
            wish,
            assigned,
            task,
        })
    }

    /// These are to be there, and none else of ours.
    pub fn set(&self, desired: Arc<BTreeSet<IpAddr>>) {
        self.wish.send_if_modified(|wish| {
            let is_known = |known: &Arc<_>| Arc::ptr_eq(known, &desired) || *known == desired;
            let changed = !wish.desired.as_ref().is_some_and(is_known);
            wish.desired = Some(desired);
            changed
        });
    }

    /// What is there, at every moment.
    pub fn assigned(&self) -> watch::Receiver<Assigned> {
        self.assigned.clone()
    }

    /// Removes all that is ours.
    pub async fn shutdown(self) {
        self.wish.send_replace(Wish {
            desired: Some(Arc::default()),
            leaving: true,
        });
        if timeout(LEAVE, self.task).await.is_err() {
            warn!("not all VIPs could be taken off their interface in time");
        }
    }
}

/// The task behind an [`Assignment`].
struct Keeper {
    reconciler: Reconciler,
    wishes: watch::Receiver<Wish>,
    told: watch::Sender<Assigned>,
}

impl Keeper {
    async fn run(mut self) {
        loop {
            match timeout(REFRESH, self.follow()).await {
                Ok(Ok(())) => return,
                Err(_) => {}
                Ok(Err(NetlinkError::Lost)) => {
                    debug!("notices about addresses were lost: reading all of them again");
                }
                Ok(Err(problem)) => {
                    self.fail(&problem);
                    sleep(RETRY).await;
                }
            }
        }
    }

    /// Reads everything, follows all changes, and makes those that are wanted, until all is done or
    /// that fails.
    async fn follow(&mut self) -> Result<(), NetlinkError> {
        let mut netlink = Netlink::open()?;
        load(&mut self.reconciler, &netlink.dump().await?);
        let mut again = None;
        loop {
            while let Some(message) = netlink.try_next()? {
                apply(&mut self.reconciler, &message);
            }
            let wish = self.wishes.borrow_and_update().clone();
            if let Some(desired) = wish.desired {
                self.reconciler.set(desired);
            }
            let asked = self.ask(netlink.handle()).await?;
            self.publish();
            if wish.leaving && asked == 0 && !self.reconciler.is_waiting() {
                return Ok(());
            }
            if asked == AT_ONCE {
                continue;
            }
            let has_failed = self.reconciler.has_failed();
            again = again.filter(|_| has_failed);
            let due = *again.get_or_insert_with(|| Instant::now() + REFUSED);
            tokio::select! {
                message = netlink.next() => apply(&mut self.reconciler, &message?),
                changed = self.wishes.changed() => if changed.is_err() {
                    return Ok(());
                },
                () = sleep_until(due), if has_failed => {
                    again = None;
                    self.reconciler.retry();
                }
            }
        }
    }

    /// Asks the kernel for what is to be done next; returns how much that was, [`AT_ONCE`] at most.
    async fn ask(&mut self, handle: &Handle) -> Result<usize, NetlinkError> {
        let requests = self.reconciler.requests(AT_ONCE);
        let results = requests.iter().map(|request| execute(handle, request));
        for (request, result) in requests.iter().zip(join_all(results).await) {
            self.reconciler.done(request, result?);
        }
        Ok(requests.len())
    }

    fn publish(&self) {
        let assigned = self.reconciler.assigned();
        self.told.send_if_modified(|told| {
            if *told == assigned {
                return false;
            }
            let interface = self.reconciler.interface();
            for problem in &assigned.problems {
                if !told.problems.contains(problem) {
                    error!("{problem}");
                }
            }
            if assigned.problems.is_empty() && !told.problems.is_empty() {
                info!(interface, "VIPs can be put on their interface again");
            }
            for ip in assigned.foreign.difference(&told.foreign) {
                warn!(%ip, interface, "somebody else has put this VIP on the interface: it is \
                    used, and stays there when it is not wanted any more");
            }
            debug!(
                interface,
                usable = assigned.usable.len(),
                "VIPs on the interface"
            );
            *told = assigned;
            true
        });
    }

    fn fail(&self, problem: &NetlinkError) {
        let interface = self.reconciler.interface();
        let problem = format!("VIPs on {interface} are not looked after: {problem}");
        self.told.send_if_modified(|told| {
            if told.problems.contains(&problem) {
                return false;
            }
            error!("{problem}; trying again");
            told.problems = vec![problem];
            true
        });
    }
}

fn load(reconciler: &mut Reconciler, dump: &[RouteNetlinkMessage]) {
    reconciler.forget();
    for message in dump {
        apply(reconciler, message);
    }
}

fn apply(reconciler: &mut Reconciler, message: &RouteNetlinkMessage) {
    if let Some(event) = event_of(message) {
        reconciler.handle(event);
    }
}

/// Asks the kernel, and returns what it says.
async fn execute(handle: &Handle, request: &Request) -> Result<Outcome, NetlinkError> {
    let addresses = handle.address();
    let result = match request {
        Request::Add(place, label) => {
            let mut add = addresses.add(place.index, place.ip, place.prefix);
            *add.message_mut() = add_message(place, label.as_deref());
            add.execute().await
        }
        Request::Remove(place) => addresses.del(remove_message(place)).execute().await,
    };
    match result {
        Ok(()) => Ok(Ok(())),
        Err(rtnetlink::Error::NetlinkError(error)) => {
            Ok(Err(Errno::from_raw(error.raw_code().saturating_abs())))
        }
        Err(_) => Err(NetlinkError::Closed),
    }
}
