//! The unix socket between a daemon and the other commands of this program. Whoever connects sends
//! one [`Order`] as JSON and ends that side; the answer is one JSON document: the status, or an
//! [`Answer`].

use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use carillon_core::backend::Detail;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::debug;

use crate::drained;
use crate::driver::Client;
use crate::supervise::Tasks;

#[cfg(test)]
mod tests;

/// How many may be answered at a time; others wait.
const CLIENTS: usize = 16;
/// How long a client may take to ask, and to read its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same while others wait.
const HASTE: Duration = Duration::from_millis(200);

/// How long an order may be.
const ORDER: u64 = 4096;

/// What a daemon is asked for.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Order {
    /// Its status.
    Status,
    /// To give its addresses to other nodes and take none, or to be as others again.
    Drain(bool),
    /// What it holds, of what one node announces at a time: [`Held`].
    Held,
    /// Who has an address: the name of a node, or nothing.
    Owner(IpAddr),
    /// To give an address to a node.
    Move {
        /// The address.
        vip: IpAddr,
        /// The node's name.
        node: String,
    },
}

/// What became of an order: a sentence for people.
pub(crate) type Answer = Result<String, String>;

/// How many addresses are named at most.
pub(crate) const LISTED: usize = 10;

/// What a daemon holds, of what one node announces at a time.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Held {
    /// How many addresses.
    pub(crate) total: usize,
    /// The first of them.
    pub(crate) first: Vec<IpAddr>,
    /// The first of those that another node could have.
    pub(crate) movable: Vec<IpAddr>,
}

/// Removes the socket's file when the daemon ends.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // It may have been removed by hand.
        let _ = fs::remove_file(&self.0);
    }
}

/// Answers on the socket with what the driver says.
///
/// # Errors
/// Another daemon answers there, or the socket cannot be made.
pub(crate) fn serve(path: &Path, driver: Client, tasks: &mut Tasks) -> Result<SocketFile> {
    let listener = bind(path)?;
    let file = SocketFile(path.to_owned());
    tasks.spawn(
        "answers on the status socket",
        accept(listener, path.to_owned(), driver),
    );
    Ok(file)
}

/// Whether a daemon answers on this socket.
pub(crate) fn is_answered(path: &Path) -> bool {
    StdStream::connect(path).is_ok()
}

fn bind(path: &Path) -> Result<UnixListener> {
    let shown = path.display();
    if is_answered(path) {
        bail!("another carillon answers on {shown}: stop it, or give this one another --socket");
    }
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        fs::create_dir_all(parent).with_context(|| {
            format!("cannot make the directory of the status socket {shown}; give --socket PATH")
        })?;
    }
    make_way(path)?;
    UnixListener::bind(path).with_context(|| {
        format!("cannot make the status socket {shown}; give --socket with a path you may write to")
    })
}

/// Removes the socket that a killed daemon left; anything else is somebody's.
fn make_way(path: &Path) -> Result<()> {
    let shown = path.display();
    let in_the_way =
        || format!("{shown} is in the way of the status socket; give another --socket");
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {
            fs::remove_file(path).with_context(in_the_way)
        }
        Ok(_) => bail!("{}: it is no socket", in_the_way()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(in_the_way),
    }
}

/// The places of those who are being answered.
struct Places {
    free: Arc<Semaphore>,
    /// Somebody waits for a place.
    crowded: Notify,
}

impl Places {
    fn new() -> Self {
        Self {
            free: Arc::new(Semaphore::new(CLIENTS)),
            crowded: Notify::new(),
        }
    }

    /// A place. If there is none, who has kept one waiting for longest gives up his.
    async fn enter(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = self.free.clone().try_acquire_owned() {
            return Some(place);
        }
        self.crowded.notify_one();
        self.free.clone().acquire_owned().await.ok()
    }

    /// What a client does, who may do nothing at all.
    async fn wait<T>(&self, client: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let mut client = pin!(client);
        if let Ok(done) = timeout(HASTE, &mut client).await {
            return done;
        }
        tokio::select! {
            done = timeout(PATIENCE, client) => done?,
            () = self.crowded.notified() => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

async fn accept(listener: UnixListener, path: PathBuf, driver: Client) {
    let places = Arc::new(Places::new());
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                let Some(place) = places.enter().await else {
                    return;
                };
                let (places, path, driver) = (places.clone(), path.clone(), driver.clone());
                tokio::spawn(async move {
                    let answered = answer(client, &places, &path, &driver).await;
                    debug!(?answered, "a client was answered");
                    drop(place);
                });
            }
            // Out of file descriptors, most likely: others must close some first.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn answer(
    mut client: UnixStream,
    places: &Places,
    path: &Path,
    driver: &Client,
) -> Result<()> {
    let mut order = Vec::new();
    let mut asking = (&mut client).take(ORDER);
    places.wait(asking.read_to_end(&mut order)).await?;
    if order.is_empty() {
        // Somebody only looks whether a daemon is here.
        return Ok(());
    }
    let json = timeout(PATIENCE, carry_out(&order, path, driver)).await??;
    let answering = async {
        client.write_all(&json).await?;
        client.shutdown().await
    };
    Ok(places.wait(answering).await?)
}

/// Does what an order asks for; the answer as JSON.
async fn carry_out(order: &[u8], path: &Path, driver: &Client) -> Result<Vec<u8>> {
    let mut json = match serde_json::from_slice(order) {
        Ok(Order::Status) => serde_json::to_vec_pretty(&driver.status(Detail::Routes).await?)?,
        Ok(Order::Held) => serde_json::to_vec(&driver.held().await?)?,
        Ok(Order::Owner(vip)) => serde_json::to_vec(&driver.owner(vip).await?)?,
        Ok(Order::Drain(is_draining)) => {
            let answer = match drained::remember(path, is_draining) {
                Ok(()) => driver.drain(is_draining).await?,
                Err(error) => Err(format!("{error:#}")),
            };
            serde_json::to_vec(&answer)?
        }
        Ok(Order::Move { vip, node }) => serde_json::to_vec(&driver.move_to(vip, node).await?)?,
        Err(error) => serde_json::to_vec(&Answer::Err(format!("not understood: {error}")))?,
    };
    json.push(b'\n');
    Ok(json)
}

/// Has the daemon on this socket carry out an order.
///
/// # Errors
/// No daemon answers, or it cannot; the message says why.
pub(crate) fn order(path: &Path, order: &Order) -> Result<String> {
    let answer: Answer = question(path, order)?;
    answer.map_err(|message| anyhow!(message))
}

/// What the daemon on this socket answers.
///
/// # Errors
/// No daemon answers, or it answers something else.
pub(crate) fn question<T: DeserializeOwned>(path: &Path, order: &Order) -> Result<T> {
    serde_json::from_slice(&ask(path, order)?)
        .with_context(|| format!("another version answers on {}", path.display()))
}

/// The status of the daemon on this socket, as JSON.
///
/// # Errors
/// No daemon answers.
pub(crate) fn fetch(path: &Path) -> Result<Vec<u8>> {
    ask(path, &Order::Status)
}

fn ask(path: &Path, order: &Order) -> Result<Vec<u8>> {
    let shown = path.display();
    let mut stream = StdStream::connect(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => anyhow::anyhow!(
            "no carillon is running on {shown}: start it with carillon run, or give its --socket"
        ),
        io::ErrorKind::PermissionDenied => anyhow::anyhow!(
            "not allowed to ask on {shown}: be the user that carillon runs as, or root"
        ),
        _ => anyhow::Error::new(error).context(format!("cannot ask on {shown}")),
    })?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let sent = stream.write_all(&serde_json::to_vec(order)?);
    sent.and_then(|()| stream.shutdown(Shutdown::Write))
        .with_context(|| format!("carillon on {shown} does not listen"))?;
    let mut json = Vec::new();
    stream
        .read_to_end(&mut json)
        .with_context(|| format!("carillon on {shown} does not answer"))?;
    if json.is_empty() {
        bail!("carillon on {shown} ended without an answer; is it being stopped?");
    }
    Ok(json)
}
