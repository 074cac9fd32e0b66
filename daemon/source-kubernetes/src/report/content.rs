//! What objects say.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;

use carillon_core::service::ServiceKey;
use carillon_objects::configuration_state::{Condition, ConfigurationResult, ConfigurationStatus};
use carillon_objects::metallb::ip_address_pool::IpAddressPoolStatus;
use carillon_objects::report::ReportStatus;
use carillon_objects::source::Verdict;
use serde_json::{Value, json};

use super::key::ReportKey;

/// How long the causes in the message of a condition may be together, in characters.
const MESSAGE: usize = 8192;
/// How many causes are told.
const CAUSES: usize = 100;

/// What an object is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// The interfaces on which this node announces the Service.
    Layer2(Arc<[Arc<str>]>),
    /// The peers to which it does.
    Bgp(Arc<[Arc<str>]>),
    /// What the daemon makes of the configuration.
    Configuration(Judgement),
    /// How full the pool is.
    Pool(IpAddressPoolStatus),
}

/// What a daemon makes of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    result: ConfigurationResult,
    /// Without its time.
    condition: Option<Condition>,
    /// Since when its status has been the same, if it is no news (RFC 3339).
    since: Option<String>,
}

impl Judgement {
    /// What the daemon that writes this object makes of it.
    pub(super) fn new(key: &ReportKey, verdict: &Verdict) -> Self {
        let is_controller = *key == ReportKey::Controller;
        let causes: &[String] = match verdict {
            Verdict::Unknown => {
                return Self {
                    result: ConfigurationResult::Unknown,
                    condition: None,
                    since: None,
                };
            }
            Verdict::Valid => &[],
            Verdict::Invalid { of_pools, .. } if is_controller => of_pools,
            Verdict::Invalid { causes, .. } => causes,
        };
        let is_valid = causes.is_empty();
        let r#type = if is_controller {
            "poolReconcilerValid"
        } else {
            "configReconcilerValid"
        };
        let reason = if is_valid {
            "Reconciled"
        } else {
            "ConfigurationError"
        };
        Self {
            result: if is_valid {
                ConfigurationResult::Valid
            } else {
                ConfigurationResult::Invalid
            },
            condition: Some(Condition {
                r#type: r#type.to_owned(),
                status: if is_valid { "True" } else { "False" }.to_owned(),
                observed_generation: None,
                last_transition_time: String::new(),
                reason: reason.to_owned(),
                message: message(causes),
            }),
            since: None,
        }
    }

    /// The same, with the time of what is stored if its status is no news.
    pub(super) fn after(mut self, stored: Option<&ConfigurationStatus>) -> Self {
        let before = stored.and_then(|stored| stored.conditions.first());
        let same = before.filter(|before| {
            let condition = self.condition.as_ref();
            condition.is_some_and(|now| now.r#type == before.r#type && now.status == before.status)
        });
        self.since = same.map(|before| before.last_transition_time.clone());
        self
    }

    fn summary(&self) -> &str {
        let condition = self.condition.as_ref();
        condition.map_or("", |condition| &condition.message)
    }

    fn is_said(&self, stored: &ConfigurationStatus) -> bool {
        let conditions = stored.conditions.iter().map(|condition| Condition {
            last_transition_time: String::new(),
            observed_generation: None,
            ..condition.clone()
        });
        stored.result == Some(self.result)
            && stored.error_summary == self.summary()
            && conditions.eq(self.condition.clone())
    }

    fn status(&self, now: &str) -> Value {
        let since = self.since.as_deref().unwrap_or(now);
        let conditions = self.condition.iter().map(|condition| Condition {
            last_transition_time: since.to_owned(),
            ..condition.clone()
        });
        let conditions: Vec<Condition> = conditions.collect();
        json!({
            "result": self.result,
            "errorSummary": self.summary(),
            "conditions": conditions,
        })
    }
}

/// One cause a line, as many as fit, and how many more there are.
fn message(causes: &[String]) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut room = MESSAGE;
    for cause in causes.iter().take(CAUSES) {
        let line: String = "configuration error: "
            .chars()
            .chain(cause.chars())
            .take(MESSAGE)
            .collect();
        let Some(left) = room.checked_sub(line.chars().count()) else {
            break;
        };
        room = left;
        lines.push(line);
    }
    if let Some(more) = causes
        .len()
        .checked_sub(lines.len())
        .filter(|more| *more > 0)
    {
        lines.push(format!("… and {more} more"));
    }
    lines.join("\n")
}

/// What is kept of what an object says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// About a Service: a hash of it.
    Hash(u64),
    /// About a Service, but of another one or another node, which nobody can change.
    Other,
    /// About the configuration.
    Configuration(ConfigurationStatus),
    /// About a pool.
    Pool(Option<IpAddressPoolStatus>),
}

impl Said {
    /// What is said by an object of this key on this node.
    pub(super) fn of(key: &ReportKey, node: &str, status: &ReportStatus) -> Self {
        let (of, list): (_, Vec<&str>) = match status {
            ReportStatus::Layer2(status) => {
                let names = status.interfaces.iter();
                let of = [
                    &status.node,
                    &status.service_name,
                    &status.service_namespace,
                ];
                (of, names.map(|one| &*one.name).collect())
            }
            ReportStatus::Bgp(status) => {
                let of = [
                    &status.node,
                    &status.service_name,
                    &status.service_namespace,
                ];
                (of, status.peers.iter().map(String::as_str).collect())
            }
            ReportStatus::Configuration(status) => return Self::Configuration(status.clone()),
            ReportStatus::Pool(status) => return Self::Pool(status.clone()),
        };
        let own = key.service().map(|service| subject(service, node));
        let is_own = own.is_some_and(|own| of.iter().copied().eq(own.iter()));
        if is_own {
            Self::Hash(hash(list))
        } else if of.iter().all(|text| text.is_empty()) {
            // It has just been created.
            Self::Hash(0)
        } else {
            Self::Other
        }
    }
}

impl Said {
    /// Whether it says nothing yet.
    pub(super) fn is_nothing(&self) -> bool {
        match self {
            Self::Hash(hash) => *hash == 0,
            Self::Other | Self::Pool(_) => false,
            Self::Configuration(status) => *status == ConfigurationStatus::default(),
        }
    }
}

impl Content {
    /// Whether it is what an object says.
    pub(super) fn is_said(&self, said: &Said) -> bool {
        match (self, said) {
            (Self::Layer2(list) | Self::Bgp(list), Said::Hash(said)) => {
                hash(list.iter().map(|name| &**name)) == *said
            }
            (Self::Configuration(judgement), Said::Configuration(stored)) => {
                judgement.is_said(stored)
            }
            (Self::Pool(status), Said::Pool(stored)) => stored.as_ref() == Some(status),
            (
                Self::Layer2(_) | Self::Bgp(_),
                Said::Other | Said::Configuration(_) | Said::Pool(_),
            )
            | (Self::Configuration(_), Said::Hash(_) | Said::Other | Said::Pool(_))
            | (Self::Pool(_), Said::Hash(_) | Said::Other | Said::Configuration(_)) => false,
        }
    }

    /// The whole status of an object of this key that is written by this node now (RFC 3339).
    pub(crate) fn status(&self, key: &ReportKey, node: &str, now: &str) -> Value {
        let mut status = match self {
            Self::Layer2(names) => {
                let names = names.iter().map(|name| json!({"name": name}));
                json!({"interfaces": names.collect::<Vec<_>>()})
            }
            Self::Bgp(names) => {
                let names = names.iter().map(|name| &**name);
                json!({"peers": names.collect::<Vec<_>>()})
            }
            Self::Configuration(judgement) => judgement.status(now),
            Self::Pool(status) => json!(status),
        };
        if let (Some(service), Value::Object(fields)) = (key.service(), &mut status) {
            let names = ["node", "serviceName", "serviceNamespace"];
            let subject = names.into_iter().zip(subject(service, node));
            fields.extend(subject.map(|(name, value)| (name.to_owned(), value.into())));
        }
        status
    }
}

/// What a status about a Service is about: its node, and the name and the namespace of the Service.
fn subject(service: &ServiceKey, node: &str) -> [String; 3] {
    [node, service.name(), service.namespace()].map(str::to_owned)
}

fn hash<'a>(names: impl IntoIterator<Item = &'a str>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for name in names {
        name.hash(&mut hasher);
    }
    // That of nothing stands for what says nothing at all.
    hasher.finish().max(1)
}
