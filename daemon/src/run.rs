//! `carillon run`: the daemon's one loop.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::task::{self, Poll, Waker};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use carillon_core::backend::BoxFuture;
use carillon_host::assignment::Assignment;
use carillon_objects::source::{Description, Died, Source};
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};

use crate::cli::{RunArgs, VERSION};
use crate::clock::sleep_until;
use crate::driver::{Client, Driver, Heard, Parts, Request};
use crate::notify::Notifier;
use crate::pulse::{Heart, Pulse};
use crate::supervise::Tasks;
use crate::{backends, drained, heap, http, logging, pulse, socket, sources, supervise};

mod channel;
mod claim;
mod end;
mod surroundings;
#[cfg(test)]
mod tests;

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
    let is_cluster = matches!(from, sources::Source::Cluster(..));
    check_role(args, is_cluster)?;
    if !claim_node(args, is_cluster, &node, &mut end).await? {
        return Ok(ExitCode::SUCCESS);
    }
    args.gossip.check()?;
    let (client, requests) = Client::new();
    let _socket = socket::serve(&args.socket.path, client.clone(), &mut end.tasks)?;
    let (bind, felt) = (args.http_bind(), pulse.clone());
    let probes = serve_probes(bind, client, felt, &mut end.tasks).await;
    let followed = sources::follow(from, args, &node).await?;
    for task in followed.tasks {
        end.tasks.spawn(task.what, task.run);
    }
    info!(
        node,
        source = followed.location,
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
        followed.description,
        followed.source,
        assignment,
    );
    driver.probes = probes;
    let mut inputs = Inputs {
        requests,
        questions,
        network: Surroundings::new(args, is_cluster, assigned, pulse, driver.wants_neighbours())?,
    };
    tokio::spawn(heart.run());
    let reason = drive(&mut driver, &mut inputs, &mut end).await;
    hand_over(&mut driver, &mut inputs, &mut end).await;
    drop(inputs);
    Box::pin(stop(driver, reason, followed.leave, &mut end)).await
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
    description: Description,
    source: Box<dyn Source>,
    assignment: Option<Assignment>,
) -> Driver {
    Driver::new(Parts {
        started: Instant::now(),
        node,
        speaker: args.speaker(),
        config: args.config.key(),
        description,
        source,
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
    requests: mpsc::Receiver<Request>,
    /// Whether it is alive.
    questions: mpsc::Receiver<pulse::Question>,
    network: Surroundings,
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
        heard = poll_fn(|cx| driver.poll_next(cx)) => {
            if let Err(Died(what)) = take(driver, heard) {
                return Some(Reason::died(&format!("{what} has died")));
            }
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

/// Tells the driver what the source or a backend has to say, and what comes right after it: what
/// follows from all of it is to be found once.
fn take(driver: &mut Driver, heard: Heard) -> std::result::Result<(), Died> {
    let cx = &mut task::Context::from_waker(Waker::noop());
    match heard {
        Heard::Source(found) => {
            driver.take(found?, Instant::now());
            while let Poll::Ready(found) = driver.poll_source(cx) {
                driver.take(found?, Instant::now());
            }
        }
        Heard::Backend(backend, event) => {
            driver.told(backend, &event, Instant::now());
            // A segment may have much to say at once.
            for _ in 0..EVENTS {
                let Poll::Ready((backend, event)) = driver.poll_event(cx) else {
                    break;
                };
                driver.told(backend, &event, Instant::now());
            }
        }
        Heard::Proxy(question, answer) => driver.answered(&question, answer, Instant::now()),
    }
    Ok(())
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
