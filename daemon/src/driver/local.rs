//! Services with external traffic policy `Local`: the questions to this node's service proxy.

use std::task::{Context, Poll};
use std::time::Instant;

use carillon_core::node::local_traffic::{Answer, LocalTraffic, Question};
use tokio::task::JoinSet;
use tracing::{debug, info};

use super::Driver;
use crate::proxy;

/// What waits for the proxy, and the questions to it.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) traffic: LocalTraffic,
    questions: JoinSet<(Question, Answer)>,
}

impl Driver {
    /// Does what has been waited for long enough.
    pub(super) fn expire_local(&mut self, now: Instant) {
        for given_up in self.local.traffic.expire(&mut self.speaker, now) {
            let (service, port) = (&given_up.service, given_up.port);
            let says = if given_up.is_refused {
                "still says that it does not pass the traffic on"
            } else {
                "does not say whether it passes the traffic on"
            };
            info!(%service, port, "kube-proxy {says} (healthCheckNodePort): not waiting for it any longer");
        }
    }

    /// Asks what is to be asked now.
    pub(super) fn ask_proxy(&mut self, now: Instant) {
        let Traffic { traffic, questions } = &mut self.local;
        traffic.take_in(&mut self.speaker, now);
        while let Some(question) = traffic.poll_question(now) {
            let addresses = self.speaker.node().addresses.clone();
            questions.spawn(async move {
                let answer = proxy::ask(addresses, question.port).await;
                (question, answer)
            });
        }
    }

    /// The next answer; as long as nothing is asked there is none.
    pub(super) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<(Question, Answer)> {
        match self.local.questions.poll_join_next(cx) {
            Poll::Ready(Some(Ok(answered))) => Poll::Ready(answered),
            Poll::Ready(Some(Err(_)) | None) | Poll::Pending => Poll::Pending,
        }
    }

    /// Takes in what the proxy has said.
    pub(crate) fn answered(&mut self, question: &Question, answer: Answer, now: Instant) {
        debug!(service = %question.service, port = question.port, ?answer, "the service proxy was asked");
        let traffic = &mut self.local.traffic;
        traffic.answered(question, answer, &mut self.speaker, now);
    }
}
