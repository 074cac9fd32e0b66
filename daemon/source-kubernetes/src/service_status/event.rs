//! What people are told of a Service beside what the controller has to say.

use carillon_core::controller::{Event, Severity};
use carillon_core::service::ServiceKey;

/// It uses annotations that should be written with today's prefix.
pub(super) fn deprecated(annotations: &str) -> Event {
    Event {
        severity: Severity::Warning,
        reason: "deprecatedAnnotation",
        message: format!("Service uses deprecated annotation {annotations}"),
    }
}

/// Another writer has its status as well.
pub(super) fn contested() -> Event {
    let message = "another controller keeps replacing the status of this service: let one of the \
                   two serve a loadBalancerClass of its own, or remove it; until then it is \
                   corrected less and less often";
    Event {
        severity: Severity::Warning,
        reason: "StatusContested",
        message: message.to_owned(),
    }
}

/// It is announced from here since now.
pub(super) fn announced(node: &str, protocol: &str) -> Event {
    Event {
        severity: Severity::Normal,
        reason: "nodeAssigned",
        message: format!("announcing from node \"{node}\" with protocol \"{protocol}\""),
    }
}

/// No node can announce it.
pub(super) fn failed(why: &str) -> Event {
    Event {
        severity: Severity::Warning,
        reason: "announceFailed",
        message: why.to_owned(),
    }
}

/// What is to be known of statuses that cannot be written, so many; of one of them why.
pub(super) fn unwritten(service: &ServiceKey, count: usize, error: &str) -> String {
    format!(
        "cannot write the status of {service}{}: {error}",
        and_more(count.saturating_sub(1))
    )
}

/// The same of those that somebody else writes as well.
pub(super) fn replaced(service: &ServiceKey, count: usize) -> String {
    format!(
        "another controller keeps replacing the status of {service}{}: let one of the two \
         serve a loadBalancerClass of its own, or remove it",
        and_more(count.saturating_sub(1))
    )
}

/// How many other Services the same is true of, at the end of a text about one.
fn and_more(others: usize) -> String {
    match others {
        0 => String::new(),
        1 => " and of one other service".to_owned(),
        n => format!(" and of {n} other services"),
    }
}
