//! That no part of the daemon dies without the whole: a node that goes on without one keeps its
//! addresses and serves them no more, and nobody takes over.
//!
//! A panic, in whichever thread or task, ends the process at once ([`abort_on_panic`]): the kernel
//! closes its sockets, routers withdraw its routes, and the daemons of other nodes notice the
//! silence. A task that returns although it should not ([`Tasks::ended`]) ends the daemon as a
//! signal does, with everything handed over.

use std::panic;
use std::process;

use tokio::task::JoinSet;

#[cfg(test)]
mod tests;

/// Ends the process with SIGABRT after the message of any panic. What the release profile does by
/// itself, every profile is to do.
pub(crate) fn abort_on_panic() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        tell(info);
        process::abort();
    }));
}

/// The tasks that have to live as long as the daemon. Those that are left are ended with it.
#[derive(Debug, Default)]
pub(crate) struct Tasks(JoinSet<&'static str>);

impl Tasks {
    /// Starts a task, for which it needs a tokio runtime; `what` it does is said if it ends.
    pub(crate) fn spawn(
        &mut self,
        what: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        self.0.spawn(async move {
            task.await;
            what
        });
    }

    /// Waits until one of them has ended; returns what is not done any more.
    pub(crate) async fn ended(&mut self) -> String {
        match self.0.join_next().await {
            Some(Ok(what)) => format!("what {what} has ended"),
            Some(Err(died)) => format!("a part of carillon has died: {died}"),
            None => std::future::pending().await,
        }
    }
}
