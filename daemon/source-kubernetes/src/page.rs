//! Lists, page by page, taken apart as they come: however long an object is, little is kept.
//!
//! A page is asked for again with half as many objects when it is too long. An object that is too
//! long by itself is told as one that cannot be read, and the others go on.

use std::ops::ControlFlow;

use carillon_objects::{ApiObject, Kind, Unreadable};
use serde::Deserialize;

use super::api::{self, Resource};
use super::client::Cluster;
use super::clip::Clip;
use super::failure::Failure;

mod splitter;
#[cfg(test)]
mod tests;

use splitter::{Part, Splitter};

/// How many objects are asked for at a time.
const MOST: usize = 500;
/// How long a page may be before fewer objects are asked for.
const PAGE_BYTES: usize = 16 << 20;
/// How long a page of one object may be, or of an API server that knows no pages.
const LAST_PAGE_BYTES: usize = 64 << 20;

/// A part of a list.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// The objects.
    pub(super) objects: Vec<Result<ApiObject, Unreadable>>,
    /// The version of the list, if this is its last page: from there on a watch tells what changes.
    pub(super) version: Option<String>,
}

/// The way through lists of one kind of objects.
#[derive(Debug)]
pub(super) struct Pages {
    /// How many objects to ask for.
    limit: usize,
    /// What to ask the next page with.
    next: Option<String>,
}

impl Default for Pages {
    fn default() -> Self {
        Self {
            limit: MOST,
            next: None,
        }
    }
}

impl Pages {
    /// Begins a list anew.
    pub(super) fn restart(&mut self) {
        self.next = None;
    }

    /// The next page of the list, as etcd has it.
    ///
    /// # Errors
    /// It cannot be had; the next call asks for it again.
    pub(super) async fn next(
        &mut self,
        cluster: &Cluster,
        resource: &Resource,
    ) -> Result<Page, Failure> {
        loop {
            let mut reader = Reader::new(resource.kind, self.limit);
            let asked = (self.limit, self.next.as_deref());
            let mut take = |octets: &[u8]| reader.take(octets);
            if !api::list(cluster, resource, asked, &mut take).await? {
                self.limit /= 2;
                continue;
            }
            if reader.length < PAGE_BYTES / 4 {
                self.limit = (2 * self.limit).min(MOST);
            }
            let (page, next) = reader.finish()?;
            self.next = next;
            return Ok(page);
        }
    }
}

/// About a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListMeta {
    resource_version: String,
    /// Empty or absent in the last page.
    #[serde(default)]
    r#continue: String,
}

/// Makes a page of what comes.
#[derive(Debug)]
struct Reader {
    kind: Kind,
    limit: usize,
    length: usize,
    splitter: Splitter,
    objects: Vec<Result<ApiObject, Unreadable>>,
    meta: Option<Result<ListMeta, Failure>>,
}

impl Reader {
    /// A reader of a page of which this many objects were asked for.
    fn new(kind: Kind, limit: usize) -> Self {
        Self {
            kind,
            limit,
            length: 0,
            splitter: Splitter::default(),
            objects: Vec::new(),
            meta: None,
        }
    }

    /// Takes in what comes next, until the page is too long: then fewer objects are to be asked for.
    ///
    /// # Errors
    /// It is no list, or one without end.
    fn take(&mut self, octets: &[u8]) -> Result<ControlFlow<()>, Failure> {
        self.length += octets.len();
        if self.limit > 1 && self.length > PAGE_BYTES {
            return Ok(ControlFlow::Break(()));
        }
        if self.length > LAST_PAGE_BYTES {
            return Err(api::too_long("list"));
        }
        let Self {
            kind,
            splitter,
            objects,
            meta,
            ..
        } = self;
        let split = splitter.feed(octets, &mut |part, clip| match part {
            Part::Metadata => *meta = Some(read_meta(clip)),
            Part::Item => objects.push(carillon_objects::read(*kind, clip.octets(), clip.is_cut())),
        });
        split.map_err(|error| Failure::Garbage(error.to_string()))?;
        Ok(ControlFlow::Continue(()))
    }

    /// The page, and what to ask the next one with.
    fn finish(self) -> Result<(Page, Option<String>), Failure> {
        if !self.splitter.is_complete() {
            return Err(Failure::Garbage("the list ends in the middle".to_owned()));
        }
        let meta = self.meta.unwrap_or_else(|| {
            let what = "a list without metadata";
            Err(Failure::Garbage(what.to_owned()))
        })?;
        let next = Some(meta.r#continue).filter(|next| !next.is_empty());
        let version = next.is_none().then_some(meta.resource_version);
        let objects = self.objects;
        Ok((Page { objects, version }, next))
    }
}

fn read_meta(clip: &Clip) -> Result<ListMeta, Failure> {
    let meta = serde_json::from_slice(clip.octets());
    meta.map_err(|error| Failure::Garbage(error.to_string()))
}
