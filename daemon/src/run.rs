//! `carillon run`: the daemon's one loop.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::task::{self, Poll, Waker};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use carillon_core::backend::BoxFuture;
use carillon_host::assignment::Assignment;
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};

use crate::cli::{RunArgs, VERSION};
use crate::clock::sleep_until;
#[cfg(feature = "kubernetes")]
use crate::driver::StatusAllocation;
use crate::driver::{Allocation, Client, Driver, JournalAllocation, Parts, Request};
use crate::files;
use crate::journal::{self, Answer, Store};
#[cfg(feature = "kubernetes")]
use crate::kubernetes;
use crate::notify::Notifier;
use crate::pulse::{Heart, Pulse};
use crate::source::{Batch, Description};
use crate::supervise::Tasks;
use crate::{backends, cli, drained, heap, http, logging, pulse, socket, supervise};

mod channel;
mod claim;
mod end;
mod surroundings;
#[cfg(test)]
mod tests;

use channel::receive;
use claim::{await_claim, claim, hold};
use end::{End, Reason};
use surroundings::{Change, Surroundings};

/// How many events of backends are taken in before anything else gets its turn.
const EVENTS: usize = 4096;
/// How long it may take to say goodbye to the daemons of other nodes.
const GOODBYE: Duration = Duration::from_millis(500);

/// Runs until a signal ends it. Why it cannot, it logs: another daemon is here, or something that a
/// daemon cannot do without is missing.
pub(crate) fn run(args: &RunArgs) -> ExitCode {
    heap::share();
    let _log = logging::init(&args.log);
    supervise::abort_on_panic();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start");
    let result = runtime.and_then(|runtime| {
        let result = runtime.block_on(serve(args));
        // What reads a file of a file system that hangs is not waited for.
        runtime.shutdown_background();
        result
    });
    result.unwrap_or_else(|error| {
        error!("{error:#}");
        ExitCode::FAILURE
    })
}

async fn serve(args: &RunArgs) -> Result<ExitCode> {
    let node = node_name(args)?;
    let (heart, questions, pulse) = Heart::new(Notifier::from_environment());
    let mut end = End::new(pulse.clone())?;
    let from = args.source()?;
    let is_cluster = matches!(from, cli::Source::Cluster(..));
    check_role(args, is_cluster)?;
    if !claim_node(args, is_cluster, &node, &mut end).await? {
        return Ok(ExitCode::SUCCESS);
    }
    args.gossip.check()?;
    let (client, requests) = Client::new();
    let _socket = socket::serve(&args.socket.path, client.clone(), &mut end.tasks)?;
    let (bind, felt) = (args.http_bind(), pulse.clone());
    let probes = serve_probes(bind, client, felt, &mut end.tasks).await;
    let source = match from {
        cli::Source::Files(dir) => from_files(args, dir, &node)?,
        #[cfg(feature = "kubernetes")]
        cli::Source::Cluster(kubeconfig, context) => {
            from_cluster(args, &node, kubeconfig, context, &mut end.tasks).await?
        }
        #[cfg(not(feature = "kubernetes"))]
        cli::Source::Cluster(..) => bail!(
            "this carillon cannot follow a cluster: build it with the feature `kubernetes`, or \
             give --files"
        ),
    };
    info!(
        node,
        source = source.location,
        version = VERSION,
        "carillon is running"
    );
    let assignment = match &args.host.assign_vips {
        Some(interface) => Some(Assignment::start(interface).await?),
        None => None,
    };
    let assigned = assignment.as_ref().map(Assignment::assigned);
    let mut driver = driver(
        args,
        node,
        source.description,
        source.allocation,
        assignment,
    );
    driver.probes = probes;
    let mut inputs = Inputs {
        batches: Some(source.batches),
        answers: source.answers,
        requests,
        questions,
        network: Surroundings::new(args, is_cluster, assigned, pulse, driver.wants_neighbours())?,
    };
    tokio::spawn(heart.run());
    let reason = drive(&mut driver, &mut inputs, &mut end).await;
    hand_over(&mut driver, &mut inputs, &mut end).await;
    drop(inputs);
    Box::pin(stop(driver, reason, source.leave, &mut end)).await
}

/// Answers probes, if that is wanted; why they are not answered comes out of the channel.
async fn serve_probes(
    bind: Option<SocketAddr>,
    client: Client,
    pulse: watch::Receiver<Pulse>,
    tasks: &mut Tasks,
) -> Option<watch::Receiver<Option<String>>> {
    Some(http::serve(bind?, client, pulse, tasks).await)
}

/// Sees to it that no other daemon of this host is what this one is; `false` if that was ended.
async fn claim_node(args: &RunArgs, is_cluster: bool, node: &str, end: &mut End) -> Result<bool> {
    let name = claim::role_name(args.role.role, node);
    let claim = if is_cluster {
        tokio::select! {
            claim = await_claim(&name, &args.socket.path) => claim?,
            _ = end.signal() => return Ok(false),
        }
    } else {
        claim(&name)?
    };
    end.tasks.spawn("holds the node name", hold(claim));
    Ok(true)
}

fn driver(
    args: &RunArgs,
    node: String,
    source: Description,
    allocation: Box<dyn Allocation>,
    assignment: Option<Assignment>,
) -> Driver {
    Driver::new(Parts {
        started: Instant::now(),
        node,
        class: args.lb_class.clone(),
        config: args.config.key(),
        source,
        allocation,
        backends: if args.role.role.announces() {
            backends::all(args.gossip.refresh_interval)
        } else {
            Vec::new()
        },
        rebalance: args.gossip.rebalance(),
        has_others: args.gossip.is_wanted(),
        is_drained: drained::is_remembered(&args.socket.path),
        drain_on: args.host.drain_on.clone(),
        assignment,
    })
}

/// What the driver is told of.
struct Inputs {
    batches: Option<mpsc::Receiver<Batch>>,
    /// Where the journal answers, if there is one.
    answers: Option<mpsc::Receiver<Answer>>,
    requests: mpsc::Receiver<Request>,
    /// Whether it is alive.
    questions: mpsc::Receiver<pulse::Question>,
    network: Surroundings,
}

/// Where the objects come from, and where addresses are recorded.
struct Source {
    /// For people: the directory or the server.
    location: String,
    description: Description,
    allocation: Box<dyn Allocation>,
    batches: mpsc::Receiver<Batch>,
    answers: Option<mpsc::Receiver<Answer>>,
    /// Lets others do what this daemon did for all.
    leave: BoxFuture<()>,
}

fn from_files(args: &RunArgs, dir: &Path, node: &str) -> Result<Source> {
    let journal = args.state.clone();
    let journal = journal.unwrap_or_else(|| dir.join(journal::NAME));
    let batches = files::spawn(files::Options {
        dir: dir.to_owned(),
        config: args.config.key(),
        journal: journal.clone(),
    })
    .context("cannot start to read files")?;
    let (requests, answers) =
        journal::spawn(Store::new(journal, node)).context("cannot start to keep a journal")?;
    let location = dir.display().to_string();
    Ok(Source {
        description: Description {
            name: location.clone(),
            how_to_configure: "write it into a *.yaml file there".to_owned(),
        },
        location,
        allocation: Box::new(JournalAllocation::new(args.lb_class.clone(), requests)),
        batches,
        answers: Some(answers),
        leave: Box::pin(std::future::ready(())),
    })
}

#[cfg(feature = "kubernetes")]
async fn from_cluster(
    args: &RunArgs,
    node: &str,
    kubeconfig: Option<&Path>,
    context: Option<&str>,
    tasks: &mut Tasks,
) -> Result<Source> {
    let cluster = kubernetes::connect(&kubernetes::Access {
        kubeconfig: kubeconfig.map(Path::to_owned),
        context: context.map(str::to_owned),
    })
    .await?;
    let options = kubernetes::Options {
        config: args.config.key(),
        node: node.to_owned(),
        pods: args.gossip.gossip_pods.clone(),
        announces: args.role.role.announces(),
        may_lead: args.role.role.may_lead(),
    };
    let source = kubernetes::spawn(&cluster, &options, tasks);
    let name = args.pod_name.as_deref().unwrap_or(node);
    let namespace = options.config.name.namespace();
    let role = source.take_part(&cluster, namespace, name, options.may_lead);
    Ok(Source {
        location: cluster.server,
        description: Description {
            name: "the cluster".to_owned(),
            how_to_configure:
                "create it in exactly this namespace and with exactly this name (or say \
                               --config-namespace and --config-name)"
                    .to_owned(),
        },
        allocation: Box::new(StatusAllocation::new(args.lb_class.clone(), role.outbox)),
        batches: source.batches,
        answers: None,
        leave: Box::pin(role.leave.leave()),
    })
}

/// Moves everything on until a signal comes; returns what the neighbours are told.
async fn drive(driver: &mut Driver, inputs: &mut Inputs, end: &mut End) -> Reason {
    let mut again = None;
    loop {
        if let Some(reason) = step(driver, inputs, end, &mut again).await {
            return reason;
        }
    }
}

/// Lets other nodes take what they can, before this one stops; a second signal does not wait for it. If
/// a part dies meanwhile, the rest is handed over all the same.
async fn hand_over(driver: &mut Driver, inputs: &mut Inputs, end: &mut End) {
    let mut again = Some(Instant::now());
    driver.leave(Instant::now());
    while !driver.has_left() {
        match step(driver, inputs, end, &mut again).await {
            Some(Reason::Ordered(_)) => return,
            Some(Reason::Failed) | None => {}
        }
    }
}

/// Waits for one thing to happen and does what follows from it. Returns why the daemon is to end, if
/// it is. `again` is when to go on whatever happens, once.
async fn step(
    driver: &mut Driver,
    inputs: &mut Inputs,
    end: &mut End,
    again: &mut Option<Instant>,
) -> Option<Reason> {
    // However much there is to do, it is seen that it is being done.
    while let Ok(question) = inputs.questions.try_recv() {
        driver.pulse(question);
    }
    let due = again.or_else(|| driver.due());
    tokio::select! {
        reason = end.wait() => return Some(reason),
        change = inputs.network.next() => {
            if let Change::Died(what) = change {
                return Some(Reason::died(&format!("{what} has died")));
            }
            inputs.network.tell(change, driver, Instant::now());
        }
        batch = receive(&mut inputs.batches) => {
            let Some(batch) = batch else {
                return Some(Reason::died("the reader of the objects has died"));
            };
            driver.take(batch, Instant::now());
            while let Some(Ok(batch)) = inputs.batches.as_mut().map(mpsc::Receiver::try_recv) {
                driver.take(batch, Instant::now());
            }
        }
        (backend, event) = poll_fn(|cx| driver.poll_event(cx)) => {
            driver.told(backend, &event, Instant::now());
            // A segment may have much to say at once, and what follows is to be found once.
            let cx = &mut task::Context::from_waker(Waker::noop());
            for _ in 0..EVENTS {
                let Poll::Ready((backend, event)) = driver.poll_event(cx) else {
                    break;
                };
                driver.told(backend, &event, Instant::now());
            }
        }
        answer = receive(&mut inputs.answers) => {
            let Some(answer) = answer else {
                return Some(Reason::died("the keeper of the journal has died"));
            };
            driver.answered(answer, Instant::now());
        }
        Some(question) = inputs.questions.recv() => {
            driver.pulse(question);
            return None;
        }
        Some(request) = inputs.requests.recv() => driver.answer(request, Instant::now()),
        () = sleep_until(due) => {}
    }
    driver.settle(Instant::now());
    *again = None;
    None
}

/// Withdraws everything and tells the neighbours why; a second signal does not wait for it.
async fn stop(
    driver: Driver,
    reason: Reason,
    leave: BoxFuture<()>,
    end: &mut End,
) -> Result<ExitCode> {
    info!(reason = reason.text(), "stopping: withdrawing everything");
    let backends = async {
        // Others take over what is left as soon as they know.
        let _ = tokio::time::timeout(GOODBYE, driver.say_goodbye()).await;
        driver.shutdown(reason.text()).await;
    };
    tokio::select! {
        _ = async { tokio::join!(leave, backends) } => {
            info!("stopped");
            Ok(reason.code())
        }
        _ = end.signal() => {
            warn!("stopped by a second signal, before everything was withdrawn");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn check_role(args: &RunArgs, is_cluster: bool) -> Result<()> {
    let is_for_speakers = args.gossip.is_wanted() || args.host.assign_vips.is_some();
    args.role.check(is_cluster, is_for_speakers)
}

fn node_name(args: &RunArgs) -> Result<String> {
    let name = match &args.node_name {
        Some(name) => name.clone(),
        None => std::fs::read_to_string("/proc/sys/kernel/hostname")
            .context("cannot read this host's name; give --node-name")?,
    };
    let name = name.trim();
    if name.is_empty() {
        bail!("the name of this node is empty; give --node-name");
    }
    Ok(name.to_owned())
}
