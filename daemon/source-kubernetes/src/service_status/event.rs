//! What people are told of a Service beside what the controller has to say.

use carillon_core::controller::{Event, Severity};

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
