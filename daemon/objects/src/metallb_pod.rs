//! Pods of MetalLB, which does what Carillon does as long as it is there.
//!
//! Carillon's own have the labels of MetalLB's, so that scripts find them: they are told apart by the
//! label `app.kubernetes.io/name`, and where that was changed by the environment that only they have.

use std::sync::Arc;

use carillon_core::service::ServiceKey;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Object;
use super::kind::{KindInfo, Purpose, Selection};
use super::manifest::{Manifest, Reader};
use super::metadata::Metadata;
use super::schema::Table;
use super::tree::FieldError;
use super::validate::format::Name;

#[cfg(test)]
mod tests;

/// The row of this kind.
pub(super) static KIND: KindInfo = KindInfo {
    name: "Pod",
    group: "",
    version: "v1",
    older_versions: &[],
    plural: "pods",
    namespaced: true,
    names: Some(Name::Subdomain),
    in_files: false,
    purpose: Purpose::MetallbPod,
    // Its manifests and its chart label them differently; what is not Carillon's own is little.
    selection: Selection::Labels("app.kubernetes.io/name!=carillon"),
    beside_configuration: true,
    reader: Reader::of::<PodObject>(),
};

/// How the names of the variables begin that a container of Carillon has.
const OWN_VARIABLES: &str = "CARILLON_";

/// A part of MetalLB that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetallbPod {
    /// What it does.
    pub part: MetallbPart,
    /// `spec.nodeName`.
    pub node: Arc<str>,
    /// `--lb-class`: the class of the Services that it serves.
    pub class: Option<Arc<str>>,
}

/// What a Pod of MetalLB does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetallbPart {
    /// It gives addresses, and writes the status of Services.
    Controller,
    /// It announces.
    Speaker,
}

/// A Pod as Kubernetes writes it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct PodObject {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    node_name: Arc<str>,
    containers: Vec<Container>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Container {
    name: String,
    command: Vec<String>,
    args: Vec<String>,
    env: Vec<Variable>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Variable {
    name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    phase: String,
    conditions: Vec<Condition>,
    container_statuses: Vec<ContainerStatus>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Condition {
    r#type: String,
    status: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ContainerStatus {
    name: String,
    state: State,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct State {
    running: Option<IgnoredAny>,
}

impl Manifest for PodObject {
    const FIELDS: Table = &[];

    fn metadata(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    /// The part of MetalLB that runs in it, if one does.
    fn convert(self, _name: &ServiceKey) -> Result<(Object, Vec<FieldError>), Vec<FieldError>> {
        let part = self.part().filter(|part| self.runs(*part));
        let pod = part.map(|part| MetallbPod {
            part,
            class: self.class(part),
            node: self.spec.node_name.clone(),
        });
        Ok((Object::MetallbPod(pod), Vec::new()))
    }
}

impl MetallbPart {
    /// The name of its container, and the value of the label that tells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::Speaker => "speaker",
        }
    }
}

impl Container {
    /// The value of `--lb-class`.
    fn class(&self) -> Option<&str> {
        let mut arguments = self.command.iter().chain(&self.args);
        let mut class = None;
        while let Some(argument) = arguments.next() {
            let flag = argument.strip_prefix('-');
            let flag = flag.map(|flag| flag.strip_prefix('-').unwrap_or(flag));
            let Some(rest) = flag.and_then(|flag| flag.strip_prefix("lb-class")) else {
                continue;
            };
            if rest.is_empty() {
                class = arguments.next().map(String::as_str);
            } else if let Some(value) = rest.strip_prefix('=') {
                class = Some(value);
            }
        }
        class
    }
}

impl PodObject {
    /// The part of MetalLB that this is, by the labels of its manifests or of its chart.
    fn part(&self) -> Option<MetallbPart> {
        let label = |name: &str| self.metadata.labels.get(name).map(String::as_str);
        let of = |name, component| (label(name) == Some("metallb")).then(|| label(component));
        let component = of("app", "component")
            .or_else(|| of("app.kubernetes.io/name", "app.kubernetes.io/component"))??;
        let parts = [MetallbPart::Controller, MetallbPart::Speaker];
        let part = parts.into_iter().find(|part| part.name() == component)?;
        let mut variables = self.spec.containers.iter().flat_map(|one| &one.env);
        let is_own = label("app.kubernetes.io/name") == Some("carillon")
            || variables.any(|one| one.name.starts_with(OWN_VARIABLES));
        (!is_own).then_some(part)
    }

    /// Whether it runs. One that waits for its image does not, nor one whose container has ended.
    fn runs(&self, part: MetallbPart) -> bool {
        let status = &self.status;
        let containers = &status.container_statuses;
        let is_its = |one: &&ContainerStatus| one.name == part.name();
        // Where its container has another name, any of them tells.
        let runs = |one: &&ContainerStatus| one.state.running.is_some();
        let container = containers
            .iter()
            .find(is_its)
            .or_else(|| containers.iter().find(runs));
        let has_ended = !containers.is_empty() && !container.as_ref().is_some_and(runs);
        // A kubelet takes both conditions back when any container is unready. The control plane, when
        // the node is lost, takes back the first only.
        let has = |condition: &str, value: &str| {
            let mut conditions = status.conditions.iter();
            conditions.any(|one| one.r#type == condition && one.status == value)
        };
        let is_lost = has("Ready", "False") && has("ContainersReady", "True");
        status.phase == "Running" && !has_ended && !is_lost
    }

    /// The class that its flag says, as Go reads flags: with one dash or two, the value in the same
    /// argument or the next, and the last counts.
    fn class(&self, part: MetallbPart) -> Option<Arc<str>> {
        let containers = &self.spec.containers;
        let its = containers.iter().find(|one| one.name == part.name());
        // Where its container has another name, any of them tells.
        let class = match its {
            Some(its) => its.class(),
            None => containers.iter().find_map(Container::class),
        };
        class.filter(|class| !class.is_empty()).map(Arc::from)
    }
}
