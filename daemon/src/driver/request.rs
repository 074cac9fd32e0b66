//! What other tasks ask the driver.

use std::net::IpAddr;
use std::time::Instant;

use carillon_core::backend::Detail;
use carillon_objects::Purpose;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use super::{Driver, Snapshot};
use crate::pulse::{self, Question};
use crate::socket::{Answer, Held, LISTED};
use crate::status::Status;

/// How many questions may wait; who has another one waits too.
const WAITING: usize = 8;

/// A question.
pub(crate) enum Request {
    /// What is known now.
    Status(Detail, oneshot::Sender<Snapshot>),
    /// What it holds, of what one node announces at a time.
    Held(oneshot::Sender<Held>),
    /// The name of the node that has an address.
    Owner(IpAddr, oneshot::Sender<Option<String>>),
    /// Why this daemon cannot do its work yet; see [`Driver::lacks`].
    Lacks(oneshot::Sender<Vec<String>>),
    /// Give all addresses to other nodes and take none, or be as others again.
    Drain(bool, oneshot::Sender<Answer>),
    /// Give an address to the node of this name.
    Move(IpAddr, String, oneshot::Sender<Answer>),
}

/// A way to ask the driver.
#[derive(Clone)]
pub(crate) struct Client(mpsc::Sender<Request>);

/// The driver answers no more.
#[derive(Clone, Copy, Debug, Error)]
#[error("carillon is being stopped")]
pub(crate) struct Stopping;

impl Client {
    /// A client, and where its questions come out.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Request>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), receiver)
    }

    /// What is known now.
    ///
    /// # Errors
    /// The driver answers no more.
    pub(crate) async fn status(&self, detail: Detail) -> Result<Status, Stopping> {
        let snapshot = self.ask(|sender| Request::Status(detail, sender)).await?;
        Ok(snapshot.complete().await)
    }

    /// What this node holds, of what one node announces at a time.
    ///
    /// # Errors
    /// The driver answers no more.
    pub(crate) async fn held(&self) -> Result<Held, Stopping> {
        self.ask(Request::Held).await
    }

    /// The name of the node that has an address, if one has it.
    ///
    /// # Errors
    /// The driver answers no more.
    pub(crate) async fn owner(&self, vip: IpAddr) -> Result<Option<String>, Stopping> {
        self.ask(|sender| Request::Owner(vip, sender)).await
    }

    /// Why this daemon cannot do its work yet, in whole sentences; nothing if it can.
    ///
    /// # Errors
    /// The driver answers no more.
    pub(crate) async fn lacks(&self) -> Result<Vec<String>, Stopping> {
        self.ask(Request::Lacks).await
    }

    /// Gives all addresses to other nodes and takes none, or is as others again.
    ///
    /// # Errors
    /// The driver answers no more.
    pub(crate) async fn drain(&self, is_draining: bool) -> Result<Answer, Stopping> {
        self.ask(|sender| Request::Drain(is_draining, sender)).await
    }

    /// Gives an address to the node of this name.
    ///
    /// # Errors
    /// The driver answers no more.
    pub(crate) async fn move_to(&self, vip: IpAddr, node: String) -> Result<Answer, Stopping> {
        self.ask(|sender| Request::Move(vip, node, sender)).await
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, Stopping> {
        let (sender, receiver) = oneshot::channel();
        let sent = self.0.send(request(sender)).await;
        sent.map_err(|_| Stopping)?;
        receiver.await.map_err(|_| Stopping)
    }
}

impl Driver {
    /// Answers a question. Who asked may have gone away.
    pub(crate) fn answer(&mut self, request: Request, now: Instant) {
        match request {
            Request::Drain(is_draining, sender) => {
                let answer = self.drain(is_draining, now);
                drop(sender.send(answer));
            }
            Request::Move(vip, node, sender) => {
                let answer = self.move_to(vip, &node, now);
                drop(sender.send(answer));
            }
            Request::Status(detail, sender) => drop(sender.send(self.snapshot(detail))),
            Request::Lacks(sender) => drop(sender.send(self.lacks())),
            Request::Held(sender) => drop(sender.send(self.held())),
            Request::Owner(vip, sender) => {
                let explanation = self.election.ownership().explain(vip);
                let owner = explanation.and_then(|explanation| explanation.owner);
                drop(sender.send(owner.map(|owner| owner.node.to_string())));
            }
        }
    }

    /// What it holds. The cost is that of a few addresses as long as some can go to other nodes.
    fn held(&self) -> Held {
        let ownership = self.election.ownership();
        let has_alternative = |vip: &IpAddr| {
            let explanation = ownership.explain(*vip);
            explanation.is_some_and(|explanation| explanation.has_alternative)
        };
        let movable = ownership.held().filter(has_alternative);
        Held {
            total: ownership.held().count(),
            first: ownership.held().take(LISTED).collect(),
            movable: movable.take(LISTED).collect(),
        }
    }

    /// Answers that it is there, and has its backends and the gossip thread answer, too.
    pub(crate) fn pulse(&self, question: Question) {
        let (mut exclusive, mut others) = (Vec::new(), Vec::new());
        for backend in &self.backends {
            let caps = backend.caps();
            if caps.ownership.is_exclusive() {
                exclusive.push((caps.name, backend.pulse()));
            } else if question.all {
                others.push((caps.name, backend.pulse()));
            }
        }
        others.extend(self.gossip_pulse().map(|alive| ("gossip", alive)));
        let answer = pulse::Answer { exclusive, others };
        // Who asked may have gone away.
        drop(question.answer.send(answer));
    }

    /// Why this daemon cannot do its work yet: something has not been read, no configuration is in
    /// force, or it is not known what other nodes announce. One that is refused while an older one is
    /// in force does not matter: this daemon goes on as before.
    pub(super) fn lacks(&self) -> Vec<String> {
        if self.has_read && !self.synced {
            let mut lacks = vec!["the journal has not been read yet".to_owned()];
            lacks.extend(self.source.allocation().problem().map(str::to_owned));
            return lacks;
        }
        if !self.synced {
            let source = self.config.source();
            let mut lacks = vec![format!("not everything in {source} has been read yet")];
            lacks.extend(self.problems.unreachable.iter().cloned());
            return lacks;
        }
        if self.config.in_force.is_some() {
            let is_asking = self.network.gossip.is_some() && !self.election.is_settled();
            let text = "the daemons of other nodes have not told what they announce yet";
            return Vec::from_iter(is_asking.then(|| text.to_owned()));
        }
        let mut lacks = self.problems().configuration;
        let misread = self.problems.objects.iter();
        let misread = misread.filter(|problem| {
            let kind = problem.object.as_ref().map(|key| key.kind);
            kind.is_some_and(|kind| kind.info().purpose == Purpose::Setting)
        });
        lacks.extend(misread.map(ToString::to_string));
        if lacks.is_empty() {
            lacks.push("no configuration is in force yet".to_owned());
        }
        lacks
    }
}

#[cfg(test)]
impl Client {
    /// A client whose questions this function answers.
    pub(crate) fn of(mut driver: impl FnMut(Request) + Send + 'static) -> Self {
        let (client, mut requests) = Self::new();
        tokio::spawn(async move {
            while let Some(request) = requests.recv().await {
                driver(request);
            }
        });
        client
    }
}
