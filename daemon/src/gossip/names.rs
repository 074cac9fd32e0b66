//! The addresses of other daemons that are given by name.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::warn;

/// How often a name is looked up again.
const AGAIN: Duration = Duration::from_secs(30);
/// How soon, while it is not found.
const SOON: Duration = Duration::from_secs(2);
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the names lead to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The addresses of each name, ascending.
    pub(super) by_name: Vec<Vec<SocketAddr>>,
    /// Each has been looked up, be there an answer or not.
    pub(super) is_complete: bool,
}

impl Found {
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.by_name.iter().flatten().copied()
    }
}

/// Looks up these names, `HOST:PORT`, again and again, each for itself, and tells what they lead to
/// whenever that is news. The end of the receiver ends it.
pub(super) fn follow(names: Vec<String>) -> mpsc::Receiver<Found> {
    follow_by(names, |name: String| async move {
        let found = lookup_host(name).await;
        found.map(Iterator::collect)
    })
}

/// The same, with names looked up in this way.
pub(super) fn follow_by<L, F>(names: Vec<String>, look_up: L) -> mpsc::Receiver<Found>
where
    L: Fn(String) -> F + Clone + Send + 'static,
    F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
{
    let (told, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        tokio::select! {
            () = told.closed() => {}
            () = collect(names, look_up, &told) => {}
        }
    });
    receiver
}

/// The next news, if there are names; can be given up at any time.
pub(super) async fn next(names: Option<&mut mpsc::Receiver<Found>>) -> Found {
    let found = match names {
        Some(names) => names.recv().await,
        None => None,
    };
    match found {
        Some(found) => found,
        None => std::future::pending().await,
    }
}

/// Never ends, as long as there are names.
async fn collect<L, F>(names: Vec<String>, look_up: L, told: &mpsc::Sender<Found>)
where
    L: Fn(String) -> F + Clone + Send + 'static,
    F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
{
    let (sender, mut answers) = mpsc::channel(1);
    let mut by_name = vec![None; names.len()];
    let mut tasks = JoinSet::new();
    for (place, name) in names.into_iter().enumerate() {
        let look_up = look_up.clone();
        tasks.spawn(follow_one(place, name, look_up, sender.clone()));
    }
    drop(sender);
    let mut before = None;
    while let Some((place, answer)) = answers.recv().await {
        if let Some(known) = by_name.get_mut(place) {
            // A server of names that is away for a moment takes nobody away.
            *known = answer.or_else(|| known.take()).or_else(|| Some(Vec::new()));
        }
        let found = Found {
            is_complete: by_name.iter().all(Option::is_some),
            by_name: by_name
                .iter()
                .cloned()
                .map(Option::unwrap_or_default)
                .collect(),
        };
        if before.as_ref() != Some(&found) {
            before = Some(found.clone());
            // Its end ends this task.
            let _ = told.send(found).await;
        }
    }
}

async fn follow_one<L, F>(
    place: usize,
    name: String,
    look_up: L,
    answers: mpsc::Sender<(usize, Option<Vec<SocketAddr>>)>,
) where
    L: Fn(String) -> F,
    F: Future<Output = io::Result<Vec<SocketAddr>>>,
{
    let mut is_known = true;
    loop {
        let answer = match timeout(PATIENCE, look_up(name.clone())).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer in {PATIENCE:?}")),
        };
        if let Err(error) = &answer
            && is_known
        {
            warn!(name, %error, "no such node to --join; it is looked up again");
        }
        is_known = answer.is_ok();
        let found = answer.ok().map(|mut found| {
            found.sort();
            found.dedup();
            found
        });
        if answers.send((place, found)).await.is_err() {
            return;
        }
        sleep(if is_known { AGAIN } else { SOON }).await;
    }
}
