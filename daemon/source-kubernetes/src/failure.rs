//! Why the API server could not be asked, in words that say who has to act.

use std::error::Error;
use std::time::Duration;

use carillon_objects::Kind;
use kube::core::Status;

use super::api::Resource;

#[cfg(test)]
mod tests;

/// Why a request has no useful answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Failure {
    /// Nobody answers, or not to the end.
    Connection(String),
    /// Who answers is not who the kubeconfig says.
    Certificate(String),
    /// Our own credentials cannot be read or made.
    Credentials(String),
    /// The API server says no.
    Refused(Box<Status>),
    /// The answer is none that an API server gives.
    Garbage(String),
}

/// Failures that are one to people, whatever the words of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Nobody answers.
    Connection,
    /// Not the right one answers.
    Certificate,
    /// We cannot say, or the server does not believe, who we are.
    Credentials,
    /// We may not see these objects.
    Forbidden(Kind),
    /// The server has its own trouble.
    Server,
    /// The answers are not understood.
    Garbage,
}

impl Class {
    /// How long it must last to be worth telling. An API server that starts refuses, for a moment,
    /// what it will allow.
    pub(super) fn grace(self) -> Duration {
        match self {
            Self::Connection | Self::Certificate => Duration::ZERO,
            Self::Credentials | Self::Forbidden(_) | Self::Server | Self::Garbage => {
                Duration::from_secs(3)
            }
        }
    }
}

impl Failure {
    /// What became of a request that was not answered.
    pub(super) fn of(error: &kube::Error) -> Self {
        let cause = innermost(error);
        match error {
            kube::Error::Api(status) => Self::Refused(status.clone()),
            kube::Error::Auth(_) => Self::Credentials(cause),
            _ if cause.contains("certificate") => Self::Certificate(cause),
            _ => Self::Connection(cause),
        }
    }

    /// Whether the version that was asked for is too old to be known: all has to be listed again.
    pub(super) fn is_expired(&self) -> bool {
        match self {
            Self::Refused(status) => {
                status.code == 410 || matches!(status.reason.as_str(), "Expired" | "Gone")
            }
            Self::Connection(_)
            | Self::Certificate(_)
            | Self::Credentials(_)
            | Self::Garbage(_) => false,
        }
    }

    /// The HTTP status of a refusal.
    pub(super) fn code(&self) -> Option<u16> {
        match self {
            Self::Refused(status) => Some(status.code),
            Self::Connection(_)
            | Self::Certificate(_)
            | Self::Credentials(_)
            | Self::Garbage(_) => None,
        }
    }

    /// What was said or seen, and no advice.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Refused(status) => excerpt(&status.message),
            Self::Connection(error)
            | Self::Certificate(error)
            | Self::Credentials(error)
            | Self::Garbage(error) => error.clone(),
        }
    }

    /// How many seconds the server asks us to wait.
    pub(super) fn retry_after(&self) -> u32 {
        match self {
            Self::Refused(status) => {
                let details = status.details.as_ref();
                details.map_or(0, |details| details.retry_after_seconds)
            }
            Self::Connection(_)
            | Self::Certificate(_)
            | Self::Credentials(_)
            | Self::Garbage(_) => 0,
        }
    }

    /// What kind of trouble this is when it comes of asking for such objects.
    pub(super) fn class(&self, resource: &Resource) -> Class {
        match self {
            Self::Connection(_) => Class::Connection,
            Self::Certificate(_) => Class::Certificate,
            Self::Credentials(_) => Class::Credentials,
            Self::Refused(status) => match status.code {
                401 => Class::Credentials,
                403 => Class::Forbidden(resource.kind),
                404 => Class::Garbage,
                _ => Class::Server,
            },
            Self::Garbage(_) => Class::Garbage,
        }
    }

    /// What is wrong, and what would be right.
    pub(super) fn text(&self, server: &str, resource: &Resource) -> String {
        match self {
            Self::Connection(cause) => {
                format!("the API server {server} cannot be reached: {cause}")
            }
            Self::Certificate(cause) => format!(
                "whoever answers as API server {server} cannot prove it ({cause}): give the \
                 address and the certificate authority of the cluster"
            ),
            Self::Credentials(cause) => {
                format!("no credentials for the API server {server}: {cause}")
            }
            Self::Refused(status) => refusal(status, server, resource),
            Self::Garbage(what) => format!(
                "what answers on {server} does not answer like an API server of Kubernetes: {what}"
            ),
        }
    }
}

fn refusal(status: &Status, server: &str, resource: &Resource) -> String {
    let said = excerpt(&status.message);
    match status.code {
        401 => format!(
            "the API server {server} does not know who we are (401 Unauthorized): the token or \
             client certificate has expired, or is not one of this cluster"
        ),
        403 => forbidden(&said, resource),
        404 => format!("the API server {server} has no {resource} (404 Not Found): {said}"),
        code => format!("the API server {server} is in trouble ({code}): {said}"),
    }
}

/// The server's own words name user, verb and resource:
/// `services is forbidden: User "system:serviceaccount:a:b" cannot list resource "services" …`.
fn forbidden(said: &str, resource: &Resource) -> String {
    let user = match between(said, "User \"", "\"") {
        Some(user) if user.starts_with("system:serviceaccount:") => {
            format!("the service account {user}")
        }
        Some(user) => format!("the user {user}"),
        None => "this user".to_owned(),
    };
    let info = resource.kind.info();
    let verb = between(said, "cannot ", " ").unwrap_or("read");
    let (role, within) = match &resource.namespace {
        Some(namespace) => ("Role", format!(" in the namespace {namespace}")),
        None => ("ClusterRole", String::new()),
    };
    format!(
        "{user} may not {verb} {resource}{within}: give its {role} a rule with apiGroups \
         [{:?}], resources [{:?}] and verbs [\"list\", \"watch\"], as manifests/install.yaml has it",
        info.group, info.plural
    )
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    let (found, _) = rest.split_once(after)?;
    Some(found)
}

/// The beginning of a text of unknown length, on one line.
pub(super) fn excerpt(text: &str) -> String {
    const SHOWN: usize = 200;
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    let start: String = text.trim().chars().take(SHOWN).map(shown).collect();
    if start.len() < text.trim().len() {
        format!("{start}…")
    } else {
        start
    }
}

/// What the outer errors only repeat or wrap.
fn innermost(error: &dyn Error) -> String {
    const DEPTH: usize = 16;
    let mut innermost = error;
    for _ in 0..DEPTH {
        match innermost.source() {
            Some(source) => innermost = source,
            None => break,
        }
    }
    excerpt(&innermost.to_string())
}
