//! One kind of objects, followed for ever.
//!
//! ```text
//!              ┌───────────── 410 Gone, nonsense, or a list is asked for ─────────────┐
//!              ▼                                                                      │
//!  start ─▶ Listing ──all pages──▶ Following(version) ──the watch ends──▶ Following(version)
//!            │   ▲                      │      ▲
//!          failure, pause             failure, pause
//! ```
//!
//! A watch that ends is how watches end, and no failure; that the next one cannot be had, is.
//!
//! A kind that the API server does not know, because its CustomResourceDefinition is not there (yet), has
//! no objects. That it is not there any more takes nothing back: who deletes a definition with its
//! objects is told of each of them.
#![expect(
    clippy::disallowed_methods,
    reason = "it has the clock, and draws lots for its pauses"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_objects::Kind;
use rand::RngExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use super::api::{self, Resource, WatchEvent};
use super::client::Cluster;
use super::clip::Clip;
use super::failure::{Class, Failure};
use super::mirror::Event;
use super::page::Pages;
use super::pause::Pause;

/// How long the API server may let a watch last, in seconds.
const LASTS: std::ops::Range<u64> = 240..360;
/// How long a watch may be silent. The API server sends a bookmark about every minute.
pub(super) const SILENCE: Duration = Duration::from_secs(120);
/// A watch that ends sooner without a word ends for a reason that another try will not mend.
const SHORT: Duration = Duration::from_secs(1);

/// How long to wait before the API server is asked again for a kind that it does not know.
const UNKNOWN: Duration = Duration::from_secs(15);

/// What someone asks for who needs all Services as they are from now on; answered when they have
/// been told to the driver.
pub(crate) type Relist = oneshot::Sender<()>;

/// What a watch tells, and who waits for that.
pub(super) struct Told {
    /// The kind that it follows.
    pub(super) kind: Kind,
    /// The events, in order.
    pub(super) event: Event,
    /// Those who are to know when it has been passed on.
    pub(super) waiting: Vec<Relist>,
}

/// See the module's documentation.
pub(super) struct Watch {
    cluster: Arc<Cluster>,
    resource: Resource,
    told: mpsc::Sender<Told>,
    /// Requests for a list.
    requests: Option<mpsc::Receiver<Relist>>,
    /// Requests that no list has answered yet.
    asked: Vec<Relist>,
    /// The version up to which everything has been told; `None` to list.
    version: Option<String>,
    /// It has been told once what there is.
    has_listed: bool,
    pages: Pages,
    pause: Pause,
    /// How asking fails, and since when.
    fails: Option<(Class, Instant)>,
    /// There is no such kind, and that has been told.
    is_absent: bool,
}

/// Why a list or a watch is over.
enum End {
    /// Nobody listens any more.
    Closed,
    /// It could not be had.
    Failed(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Watch {
    /// A watch that has not begun.
    pub(super) fn new(cluster: Arc<Cluster>, resource: Resource, told: mpsc::Sender<Told>) -> Self {
        Self {
            cluster,
            resource,
            told,
            requests: None,
            asked: Vec::new(),
            version: None,
            has_listed: false,
            pages: Pages::default(),
            pause: Pause::default(),
            fails: None,
            is_absent: false,
        }
    }

    /// Lists all anew whenever it is asked to.
    pub(super) fn on_request(mut self, requests: mpsc::Receiver<Relist>) -> Self {
        self.requests = Some(requests);
        self
    }

    /// Follows until nobody listens.
    pub(super) async fn run(mut self) {
        loop {
            while let Some(Ok(request)) = self.requests.as_mut().map(mpsc::Receiver::try_recv) {
                self.asked.push(request);
            }
            let version = self.version.clone().filter(|_| self.asked.is_empty());
            let done = match version {
                None => self.list().await,
                Some(version) => self.follow(version).await,
            };
            match done {
                Ok(()) => {}
                Err(End::Closed) => return,
                Err(End::Failed(failure)) => {
                    if self.fail(&failure).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    async fn fail(&mut self, failure: &Failure) -> Result<(), End> {
        debug!(resource = %self.resource, ?failure, "asking the API server failed");
        if self.resource.kind.info().is_custom() && failure.code() == Some(404) {
            return self.miss().await;
        }
        if failure.is_expired() {
            self.version = None;
        } else {
            let class = failure.class(&self.resource);
            let before = self.fails.filter(|(before, _)| *before == class);
            let (_, since) = *self.fails.insert(before.unwrap_or((class, Instant::now())));
            if since.elapsed() >= class.grace() {
                let text = failure.text(&self.cluster.server, &self.resource);
                self.tell(Event::Failed(class, text)).await?;
            }
        }
        let least = Duration::from_secs(failure.retry_after().into());
        self.wait(least).await;
        Ok(())
    }

    /// There is no such kind (yet).
    async fn miss(&mut self) -> Result<(), End> {
        // Who says so can be asked.
        self.works().await?;
        let info = self.resource.kind.info();
        let is_news = !std::mem::replace(&mut self.is_absent, true);
        if is_news {
            warn!(
                "the API server has no {}.{}: apply its CustomResourceDefinition; all else goes on \
                 without",
                info.plural, info.group
            );
        }
        if info.purpose.is_report() {
            if is_news {
                self.tell(Event::Absent).await?;
            }
        } else if !self.has_listed {
            self.tell(Event::Listing).await?;
            self.end_list(0).await?;
        }
        self.version = None;
        self.wait(UNKNOWN).await;
        Ok(())
    }

    async fn wait(&mut self, least: Duration) {
        let random = rand::rng().random();
        sleep(self.pause.next(least, random)).await;
    }

    /// Tells all objects as they are now.
    async fn list(&mut self) -> Result<(), End> {
        self.tell(Event::Listing).await?;
        self.asked.retain(|request| !request.is_closed());
        // Who asks from here on asks for a later list.
        let answers = self.asked.len();
        self.pages.restart();
        let version = loop {
            let page = self.pages.next(&self.cluster, &self.resource).await?;
            self.works().await?;
            self.tell(Event::Objects(page.objects)).await?;
            if let Some(version) = page.version {
                break version;
            }
        };
        self.version = Some(version);
        self.end_list(answers).await
    }

    /// Tells that this is all, which answers so many of those who have asked.
    async fn end_list(&mut self, answers: usize) -> Result<(), End> {
        self.has_listed = true;
        let waiting = self.asked.drain(..answers).collect();
        self.send(Event::Listed, waiting).await
    }

    /// Tells all that changes after a version, until the watch ends or a list is asked for.
    async fn follow(&mut self, version: String) -> Result<(), End> {
        let seconds = rand::rng().random_range(LASTS);
        let begun = Instant::now();
        let mut lines = api::watch(&self.cluster, &self.resource, &version, seconds).await?;
        self.works().await?;
        loop {
            let line = tokio::select! {
                line = timeout(SILENCE, lines.next()) => line,
                request = next_request(&mut self.requests) => {
                    self.asked.push(request);
                    return Ok(());
                }
                () = self.told.closed() => return Err(End::Closed),
            };
            match line {
                Ok(Ok(Some(line))) => self.take(&line).await?,
                Ok(Err(failure @ Failure::Garbage(_))) => return Err(self.lose(failure)),
                Ok(Ok(None) | Err(_)) | Err(_) => break,
            }
        }
        if begun.elapsed() < SHORT {
            self.wait(Duration::ZERO).await;
        } else {
            self.pause.reset();
        }
        Ok(())
    }

    /// Takes in one line of a watch.
    async fn take(&mut self, line: &Clip) -> Result<(), End> {
        match read_event(self.resource.kind, line) {
            Ok((event, version)) => {
                if let Some(event) = event {
                    self.tell(event).await?;
                }
                self.version = Some(version);
                self.pause.reset();
                Ok(())
            }
            Err(failure) => Err(self.lose(failure)),
        }
    }

    /// Something was told that is not understood: a list tells what it was about.
    fn lose(&mut self, failure: Failure) -> End {
        self.version = None;
        End::Failed(failure)
    }

    async fn works(&mut self) -> Result<(), End> {
        if std::mem::take(&mut self.is_absent) {
            let info = self.resource.kind.info();
            info!("the API server has {}.{} now", info.plural, info.group);
        }
        match self.fails.take() {
            Some(_) => self.tell(Event::Works).await,
            None => Ok(()),
        }
    }

    async fn tell(&self, event: Event) -> Result<(), End> {
        self.send(event, Vec::new()).await
    }

    async fn send(&self, event: Event, waiting: Vec<Relist>) -> Result<(), End> {
        let kind = self.resource.kind;
        let told = Told {
            kind,
            event,
            waiting,
        };
        self.told.send(told).await.map_err(|_| End::Closed)
    }
}

async fn next_request(requests: &mut Option<mpsc::Receiver<Relist>>) -> Relist {
    if let Some(receiver) = requests {
        if let Some(request) = receiver.recv().await {
            return request;
        }
        *requests = None;
    }
    std::future::pending().await
}

/// What a line of a watch says, and the version after it. Bookmarks have only the version.
fn read_event(kind: Kind, line: &Clip) -> Result<(Option<Event>, String), Failure> {
    if line.is_cut() {
        let found = carillon_objects::find(line.octets());
        let event = found.event.as_deref().unwrap_or_default();
        return read_object(kind, event, line.octets(), true);
    }
    let garbage = |error: serde_json::Error| Failure::Garbage(error.to_string());
    let event = serde_json::from_slice(line.octets()).map_err(garbage)?;
    let WatchEvent { r#type, object } = event;
    if r#type == "ERROR" {
        let status = serde_json::from_str(object.get()).map_err(garbage)?;
        return Err(Failure::Refused(status));
    }
    read_object(kind, &r#type, object.get().as_bytes(), false)
}

/// What is said by an event with this object; of one that is cut, by the rest of its line.
fn read_object(
    kind: Kind,
    event: &str,
    json: &[u8],
    is_cut: bool,
) -> Result<(Option<Event>, String), Failure> {
    let garbage = |what: &str| Failure::Garbage(what.to_owned());
    let (event, version) = match event {
        "ADDED" | "MODIFIED" => {
            let object = carillon_objects::read(kind, json, is_cut);
            let version = match &object {
                Ok(object) => object.version.clone(),
                Err(unreadable) => unreadable.version.clone(),
            };
            (Some(Event::Objects(vec![object])), version)
        }
        "DELETED" | "BOOKMARK" => {
            let found = carillon_objects::find(json);
            let version = found.version().unwrap_or_default().into();
            let deleted = (event == "DELETED").then(|| found.key(kind));
            match deleted {
                None => (None, version),
                Some(Some(key)) => (Some(Event::Deleted(key)), version),
                Some(None) => return Err(garbage("the end of an object without a name")),
            }
        }
        other => return Err(Failure::Garbage(format!("an event of type {other:?}"))),
    };
    if version.is_empty() {
        return Err(garbage("an event without a version"));
    }
    Ok((event, version.into()))
}
