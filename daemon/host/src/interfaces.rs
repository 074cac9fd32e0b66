//! The network interfaces of this node, as they are at every moment.
//!
//! ```text
//!  kernel ─netlink─▶ follow ─Change─▶ Table ─list─▶ watch ─▶ driver
//! ```

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use carillon_core::interface::{Interface, Segments};
use ipnet::IpNet;
use rtnetlink::packet_route::RouteNetlinkMessage;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{debug, error, info};

use crate::netlink::{Netlink, NetlinkError};

mod change;
mod table;
#[cfg(test)]
mod tests;

use change::Change;
use table::Table;

/// How long to wait before the kernel is asked again that could not be asked.
const RETRY: Duration = Duration::from_secs(1);
/// How often the kernel is asked by which of several interfaces it sends: of a route that changes it
/// gives no notice here, since some nodes have a million of them.
const ROUTES: Duration = Duration::from_secs(1);
/// After which time everything is read anew, in case that a notice was not understood.
const REFRESH: Duration = Duration::from_secs(300);

/// What is known of this node's interfaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// All of them, ascending by index; `None` until they have been read once.
    pub interfaces: Option<Arc<[Interface]>>,
    /// Which of them are on one segment.
    pub segments: Arc<Segments>,
    /// Why changes are not noticed at present.
    pub problem: Option<Arc<str>>,
}

/// Starts to follow the interfaces of the network namespace of the calling thread; the end of all
/// receivers ends it. Needs a tokio runtime.
pub fn spawn() -> watch::Receiver<Known> {
    let (sender, receiver) = watch::channel(Known::default());
    tokio::spawn(async move {
        tokio::select! {
            () = sender.closed() => {}
            () = run(&sender) => {}
        }
    });
    receiver
}

/// Never ends.
async fn run(sender: &watch::Sender<Known>) {
    loop {
        match timeout(REFRESH, follow(sender)).await {
            Err(_) => {}
            Ok(Err(NetlinkError::Lost)) => {
                debug!("notices about interfaces were lost: reading all of them again");
            }
            Ok(Err(problem)) => {
                fail(sender, &problem);
                sleep(RETRY).await;
            }
        }
    }
}

/// Reads everything and follows all changes until that fails.
async fn follow(sender: &watch::Sender<Known>) -> Result<Infallible, NetlinkError> {
    let mut netlink = Netlink::open()?;
    let mut table = Table::default();
    apply(&mut table, &netlink.dump().await?);
    loop {
        // All that is there, so that nothing is told that is over already.
        while let Some(message) = netlink.try_next()? {
            apply(&mut table, &[message]);
        }
        let list = table.list();
        let shared = Segments::shared(&list);
        let segments = segments(&netlink, &table, &shared).await?;
        publish(sender, list, segments);
        let next = netlink.next();
        if shared.is_empty() {
            apply(&mut table, &[next.await?]);
        } else if let Ok(change) = timeout(ROUTES, next).await {
            apply(&mut table, &[change?]);
        }
    }
}

/// Which interfaces are on one segment, and by which of them the kernel sends to the subnets that
/// several have.
async fn segments(
    netlink: &Netlink,
    table: &Table,
    shared: &[IpNet],
) -> Result<Segments, NetlinkError> {
    let mut segments = Segments {
        lower: table.lower(),
        ..Segments::default()
    };
    for subnet in shared {
        if let Some(index) = netlink.route_to(*subnet).await? {
            segments.routes.insert(*subnet, index);
        }
    }
    Ok(segments)
}

fn apply(table: &mut Table, messages: &[RouteNetlinkMessage]) {
    for change in messages.iter().filter_map(Change::of) {
        table.apply(change);
    }
}

fn publish(sender: &watch::Sender<Known>, list: Vec<Interface>, segments: Segments) {
    sender.send_if_modified(|known| {
        let is_same = known.interfaces.as_deref() == Some(&*list) && *known.segments == segments;
        if known.problem.is_none() && is_same {
            return false;
        }
        debug!(interfaces = ?list, ?segments, "interfaces changed");
        if known.problem.take().is_some() {
            info!("the network interfaces can be followed again");
        }
        known.interfaces = Some(list.into());
        known.segments = Arc::new(segments);
        true
    });
}

fn fail(sender: &watch::Sender<Known>, problem: &NetlinkError) {
    let problem = format!("changes of the network interfaces are not noticed: {problem}");
    sender.send_if_modified(|known| {
        if known.problem.as_deref() == Some(&*problem) {
            return false;
        }
        error!("{problem}; trying again");
        known.problem = Some(problem.into());
        true
    });
}
