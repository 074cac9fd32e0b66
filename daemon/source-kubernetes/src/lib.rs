//! The API server of a cluster as source and record.
//!
//! ```text
//!  API server ─list, watch─▶ Watch (one per kind) ─Event─▶ Mirror ─Batch─▶ driver
//!      ▲                                                                    │
//!      └──status, Events── Writer ◀──Write, Notice── StatusAllocation ◀─────┘
//!                            ▲
//!      Lease ◀──────────▶ Role: whether this daemon may write
//! ```
//!
//! Followed are all Services, the ConfigMap with the configuration and the resources that configure, and
//! by a daemon that announces the EndpointSlices, this node's Node, the labels of all Nodes, the Pods of
//! the other daemons, and the Secrets beside the configuration, where the passwords of peers are; by
//! one that gives addresses the labels of all Namespaces; beside that, what this daemon itself has
//! written of what it does.
//!
//! While the API server is away, or refuses, everything stays as it was; that is told as a problem,
//! and the server is asked again until it answers.
//!
//! [`follow`] is what a daemon calls, and [`read`] who wants to know what is there now.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use carillon_core::service::ServiceKey;
use carillon_objects::report::Report;
use carillon_objects::source::{Description, Feed, Followed, Task};
use carillon_objects::{Kind, ObjectKey, Purpose, Stored};
use k8s_openapi::jiff::Timestamp;
use rand::RngExt as _;
use tokio::sync::mpsc;

mod api;
mod call;
mod client;
mod clip;
mod failure;
mod jitter;
mod lease;
mod mirror;
mod page;
mod pause;
mod publish;
mod publisher;
mod report;
mod rights;
mod role;
mod service_status;
mod snapshot;
#[cfg(test)]
mod tests;
mod watch;
mod writer;

pub use client::{Access, ConnectError, InvalidKubeconfig, NoClient};
use client::{Cluster, connect};
use jitter::Jitter;
use mirror::Mirror;
pub use report::Pod;
use report::{ReportBook, ReportKey};
use role::Role;
use service_status::StatusAllocation;
pub use snapshot::{Part, read};
use watch::{Relist, Told, Watch};

/// How many batches may wait for the driver; then the watches wait too, and changes collect at the
/// API server.
const QUEUE: usize = 64;
/// How long a list of all Services may take for one that has taken the Lease.
const BEGIN: Duration = Duration::from_secs(60);
/// How many events become one batch at most.
const EVENTS: usize = 1024;

/// What an API server has to say beside its objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ApiChange {
    /// All Namespaces have been told.
    NamespacesKnown,
    /// How a Service is stored now; comes with the Service itself.
    Stored(ServiceKey, Stored),
    /// A Service that could never be read has these addresses. When it is gone, that is told as of
    /// any other.
    Reserved(ServiceKey, Vec<IpAddr>),
    /// It is for this daemon to allocate from here on, or no longer. Before it may, all Services as
    /// they are since it holds the Lease have been told.
    Lead(bool),
    /// Who holds the Lease now, if anybody.
    Holder(Option<String>),
    /// Why this daemon cannot take its turn, if it cannot.
    LeaseTrouble(Option<String>),
    /// Why Events are lost, if they are.
    EventTrouble(Option<String>),
    /// What became of a write of a Service's status.
    Answered(publish::Answer<ServiceKey>),
    /// How an object is stored in which this daemon tells of itself, and its version.
    Report(ObjectKey, Box<str>, Arc<Report>),
    /// Such an object is gone.
    ReportGone(ObjectKey),
    /// All objects of such a kind have been told; if not, the API server has no such kind.
    ReportsListed(Kind, bool),
    /// What became of a write of one.
    Reported(publish::Answer<ReportKey>),
}

/// What a cluster has to tell at once.
type Batch = carillon_objects::source::Batch<ApiChange>;

/// A batch that has nothing to tell but this.
fn saying(change: ApiChange) -> Batch {
    Batch {
        words: vec![change],
        ..Batch::default()
    }
}

/// What is followed in a cluster.
#[derive(Clone, Debug)]
pub struct Options {
    /// The ConfigMap that holds the configuration.
    pub config: ObjectKey,
    /// The node whose Node is followed.
    pub node: String,
    /// The labels of the Pods of all daemons, in the namespace of the ConfigMap, as a selector.
    pub pods: Option<String>,
    /// What tells where to announce is followed, too: EndpointSlices, Nodes and Pods.
    pub announces: bool,
    /// It takes turns in giving addresses; what only tells who may be given which is followed, too:
    /// Namespaces.
    pub may_lead: bool,
    /// The Pod in which the daemon runs: what it writes of itself goes with that.
    pub pod: Option<Pod>,
}

/// A cluster that is being followed.
struct Source {
    /// What is found there; its end ends the source.
    batches: mpsc::Receiver<Batch>,
    /// For whoever else has something to tell the driver, in order with what is found.
    sender: mpsc::Sender<Batch>,
    /// Asks for a list of all Services that is not older than the request. The answer comes when
    /// that list is in `batches`; it takes as long as the API server is away.
    relist_services: mpsc::Sender<Relist>,
}

impl Source {
    /// Takes part in the controller role of this cluster, under a name for people. The Lease is in
    /// this namespace. One that may not lead only tells who does.
    fn take_part(&self, cluster: &Cluster, namespace: &str, name: &str, may_lead: bool) -> Role {
        role::take_part(role::Parts {
            may_lead,
            begin: BEGIN,
            cluster: cluster.clone(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            batches: self.sender.clone(),
            relist: self.relist_services.clone(),
        })
    }
}

/// Starts to follow a cluster, for the Services of this class, for which it needs a tokio runtime. The
/// daemon has this name among those that take turns.
///
/// # Errors
/// There is no way to the cluster.
pub async fn follow(
    access: &Access,
    options: &Options,
    name: &str,
    class: Option<String>,
) -> Result<Followed, ConnectError> {
    let cluster = connect(access).await?;
    let (source, tasks) = source(&cluster, options);
    let namespace = options.config.name.namespace();
    let role = source.take_part(&cluster, namespace, name, options.may_lead);
    #[expect(
        clippy::disallowed_methods,
        reason = "daemons that write are to differ"
    )]
    let jitter = Jitter::new(rand::rng().random());
    let writer = report::Writer {
        namespace: namespace.to_owned(),
        node: options.node.clone(),
        pod: options.pod.clone(),
    };
    let reports = role.outbox.reports.clone();
    let reports = ReportBook::new(Arc::new(writer), reports, jitter.clone());
    let allocation = StatusAllocation::new(class, role.outbox, reports, jitter);
    Ok(Followed {
        location: cluster.server,
        description: Description {
            name: "the cluster".to_owned(),
            how_to_configure:
                "create it in exactly this namespace and with exactly this name (or say \
                               --config-namespace and --config-name)"
                    .to_owned(),
        },
        source: Box::new(Feed::new(allocation, source.batches)),
        tasks,
        leave: Box::pin(role.leave.leave()),
    })
}

/// What follows a cluster, and the tasks that do it.
fn source(cluster: &Cluster, options: &Options) -> (Source, Vec<Task>) {
    let (sender, batches) = mpsc::channel(QUEUE);
    let (relist_services, requests) = mpsc::channel(QUEUE);
    let (told, events) = mpsc::channel(QUEUE);
    let cluster = Arc::new(cluster.clone());
    let resources = api::Resource::within(&api::Scope {
        config: &options.config.name,
        node: Some(&options.node),
        pods: options.pods.as_deref(),
        announces: options.announces,
        allocates: options.may_lead,
    });
    let mirror = Mirror::new(resources.iter().map(|resource| resource.kind));
    let mut requests = Some(requests);
    let mut tasks = Vec::new();
    for resource in resources {
        let is_services = resource.kind.info().purpose == Purpose::Service;
        let mut watch = Watch::new(cluster.clone(), resource, told.clone());
        if let Some(requests) = requests.take_if(|_| is_services) {
            watch = watch.on_request(requests);
        }
        tasks.push(Task {
            what: "follows the objects",
            run: Box::pin(watch.run()),
        });
    }
    tasks.push(Task {
        what: "passes on the objects",
        run: Box::pin(pass_on(mirror, events, sender.clone())),
    });
    let source = Source {
        batches,
        sender,
        relist_services,
    };
    (source, tasks)
}

/// Makes batches of all that the watches tell, until nobody listens.
async fn pass_on(
    mut mirror: Mirror,
    mut events: mpsc::Receiver<Told>,
    batches: mpsc::Sender<Batch>,
) {
    let mut told = Vec::new();
    while events.recv_many(&mut told, EVENTS).await > 0 {
        let mut batch = Batch::default();
        let mut waiting = Vec::new();
        let now = now();
        for told in told.drain(..) {
            mirror.take(told.kind, told.event, &now, &mut batch);
            waiting.extend(told.waiting);
        }
        mirror.finish(&mut batch);
        if !batch.is_empty() && batches.send(batch).await.is_err() {
            return;
        }
        for waiting in waiting {
            // Who asked may have gone away.
            let _ = waiting.send(());
        }
    }
}

/// The time of day, for people.
fn now() -> String {
    Timestamp::now().strftime("%H:%M:%S UTC").to_string()
}
