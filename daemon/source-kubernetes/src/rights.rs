//! Which of the rights that a daemon needs this user lacks, by the API server's own word.

use std::time::Duration;

use carillon_objects::METALLB;
use hyper::Method;
use serde::Deserialize;
use serde_json::json;

use super::api::Resource;
use super::call::{self, Content};
use super::client::Cluster;
use super::failure::Failure;
use super::lease::io::NAME;
use super::report::STATE_OF_CONTROLLER;
use super::snapshot::Part;

/// How long an answer may take: someone is waiting for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// A rule of a role. `manifests/base/rbac.yaml` has the same.
pub(super) struct Rule {
    group: &'static str,
    resource: &'static str,
    subresource: Option<&'static str>,
    /// The namespace and the name of the only object that it is about; the name is that of none
    /// yet when it is to be created.
    object: Option<(String, Option<String>)>,
    verbs: &'static [&'static str],
}

/// What is needed to read these objects.
pub(super) fn to_read(resource: &Resource) -> Rule {
    let info = resource.kind.info();
    let namespace = resource.namespace.clone();
    Rule {
        group: info.group,
        resource: info.plural,
        subresource: None,
        object: namespace.map(|namespace| (namespace, resource.name.clone())),
        verbs: &["list", "watch"],
    }
}

fn lease(namespace: &str, name: Option<&str>, verbs: &'static [&'static str]) -> Rule {
    Rule {
        group: "coordination.k8s.io",
        resource: "leases",
        subresource: None,
        object: Some((namespace.to_owned(), name.map(str::to_owned))),
        verbs,
    }
}

/// What is needed to tell who gives addresses. The Lease is in this namespace.
fn to_follow(namespace: &str) -> Rule {
    lease(namespace, Some(NAME), &["watch"])
}

/// What a daemon needs beside reading, by what it does. The Lease is in this namespace.
pub(super) fn to_act(namespace: &str, part: Part) -> Vec<Rule> {
    let mut rules = to_report(namespace, part.announces, part.may_lead);
    if part.may_lead {
        rules.extend(to_write(namespace));
    } else {
        rules.push(to_follow(namespace));
    }
    rules
}

/// What is needed to tell what a daemon does. The objects are in this namespace; one that only gives
/// addresses has a single one.
fn to_report(namespace: &str, announces: bool, may_lead: bool) -> Vec<Rule> {
    let rule = |resource, subresource, name: Option<&str>, verbs| Rule {
        group: METALLB,
        resource,
        subresource,
        object: Some((namespace.to_owned(), name.map(str::to_owned))),
        verbs,
    };
    let (states, status) = ("configurationstates", Some("status"));
    let mut rules = Vec::new();
    if announces {
        for resource in ["servicel2statuses", "servicebgpstatuses"] {
            let verbs = &["create", "delete", "get", "list", "patch", "watch"];
            rules.push(rule(resource, None, None, verbs));
            rules.push(rule(resource, status, None, &["patch"]));
        }
        rules.push(rule(
            states,
            None,
            None,
            &["create", "list", "patch", "watch"],
        ));
        rules.push(rule(states, status, None, &["patch"]));
    }
    if may_lead {
        rules.push(rule("ipaddresspools", status, None, &["patch"]));
    }
    if may_lead && !announces {
        let name = Some(STATE_OF_CONTROLLER);
        rules.push(rule(states, None, name, &["list", "patch", "watch"]));
        rules.push(rule(states, None, None, &["create"]));
        rules.push(rule(states, status, name, &["patch"]));
    }
    // Who gives addresses has that right anyway.
    rules.extend((announces && !may_lead).then(to_tell));
    rules
}

/// What is needed to write Events.
fn to_tell() -> Rule {
    Rule {
        group: "events.k8s.io",
        resource: "events",
        subresource: None,
        object: None,
        verbs: &["create"],
    }
}

/// What is needed to give addresses and to take turns at it. The Lease is in this namespace.
fn to_write(namespace: &str) -> [Rule; 4] {
    [
        Rule {
            group: "",
            resource: "services",
            subresource: Some("status"),
            object: None,
            verbs: &["patch"],
        },
        to_tell(),
        lease(namespace, Some(NAME), &["get", "patch", "watch"]),
        lease(namespace, None, &["create"]),
    ]
}

impl Rule {
    /// What this user lacks of it, and how to give it.
    pub(super) async fn lacks(&self, cluster: &Cluster) -> Result<Option<String>, Failure> {
        let mut lacks = Vec::new();
        for verb in self.verbs {
            if !self.allows(cluster, verb).await? {
                lacks.push(*verb);
            }
        }
        Ok((!lacks.is_empty()).then(|| self.request(&lacks)))
    }

    async fn allows(&self, cluster: &Cluster, verb: &str) -> Result<bool, Failure> {
        #[derive(Deserialize)]
        struct Review {
            status: Status,
        }
        #[derive(Deserialize)]
        struct Status {
            allowed: bool,
        }
        let object = self.object.as_ref();
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "group": self.group,
                "resource": self.resource,
                "subresource": self.subresource,
                "namespace": object.map(|(namespace, _)| namespace),
                "name": object.and_then(|(_, name)| name.as_ref()),
                "verb": verb,
            }},
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let to = (Method::POST, path, Content::Object);
        let answer: Review = call::write(cluster, to, &review, PATIENCE).await?;
        Ok(answer.status.allowed)
    }

    fn request(&self, lacks: &[&str]) -> String {
        let resource = match self.subresource {
            Some(subresource) => format!("{}/{subresource}", self.resource),
            None => self.resource.to_owned(),
        };
        let (role, within, names) = match &self.object {
            None => ("ClusterRole", String::new(), String::new()),
            Some((namespace, name)) => {
                let names = name.as_ref();
                let names = names.map(|name| format!(", resourceNames [{name:?}]"));
                let within = format!(" in the namespace {namespace}");
                ("Role", within, names.unwrap_or_default())
            }
        };
        format!(
            "this user may not {} {resource}{within}, as a daemon must: give its {role} a rule with \
             apiGroups [{:?}], resources [{resource:?}]{names} and verbs {:?}, as \
             manifests/install.yaml has it",
            lacks.join(", "),
            self.group,
            self.verbs
        )
    }
}
