//! The kernel's word about what changes in the directory: inotify, read as [`Notice`]s.
//!
//! Three directories are watched: the one with the files; its parent, so that a directory that is
//! created, moved or re-linked is noticed; and that of the journal. The directories and not the
//! files: editors replace files by renaming.

use std::ffi::OsString;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{
    AddWatchFlags as Flags, InitFlags, Inotify, InotifyEvent, WatchDescriptor,
};

use super::agenda::Notice;
use super::read::{is_miscased, is_object_file};

/// What happens to a journal that has news. Closing it is none: its readers lock it, and so open it
/// for writing.
const JOURNAL_FLAGS: Flags = Flags::IN_MODIFY
    .union(Flags::IN_MOVED_TO)
    .union(Flags::IN_DELETE);

/// A watch over the directory of files, and the journal.
#[derive(Debug)]
pub(super) struct Watch {
    inotify: Result<Inotify, Errno>,
    dir: PathBuf,
    parent: Option<(PathBuf, OsString)>,
    journal: Option<(PathBuf, OsString)>,
    on_dir: Option<WatchDescriptor>,
    on_parent: Option<WatchDescriptor>,
    on_journal: Option<WatchDescriptor>,
}

impl Watch {
    /// A watch that has still to be attached.
    pub(super) fn new(dir: &Path, journal: &Path) -> Self {
        Self {
            inotify: Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC),
            dir: dir.to_owned(),
            parent: split(dir),
            journal: split(journal),
            on_dir: None,
            on_parent: None,
            on_journal: None,
        }
    }

    /// Watches whatever is at the paths now. To do before all files are read, so that no change
    /// falls between.
    ///
    /// # Errors
    /// The directory cannot be watched; changes are then found by looking, only more slowly.
    pub(super) fn attach(&mut self) -> Result<(), String> {
        let inotify = self
            .inotify
            .as_ref()
            .map_err(|errno| cannot_watch(&self.dir, *errno))?;
        // Where two of the directories are one, the last mask counts: it has all that the others
        // have.
        let links = Flags::IN_ONLYDIR | Flags::IN_MOVED_TO | Flags::IN_CREATE;
        let writes = links | JOURNAL_FLAGS;
        let all = writes
            | Flags::IN_CLOSE_WRITE
            | Flags::IN_MOVED_FROM
            | Flags::IN_ATTRIB
            | Flags::IN_DELETE_SELF
            | Flags::IN_MOVE_SELF;
        let add = |path: &Path, flags| inotify.add_watch(path, flags);
        self.on_parent = self
            .parent
            .as_ref()
            .and_then(|(dir, _)| add(dir, links).ok());
        self.on_journal = self
            .journal
            .as_ref()
            .and_then(|(dir, _)| add(dir, writes).ok());
        let before = self.on_dir.take();
        let on_dir = add(&self.dir, all).map_err(|errno| cannot_watch(&self.dir, errno))?;
        self.on_dir = Some(on_dir);
        if let Some(before) = before.filter(|before| *before != on_dir) {
            // It fails if the kernel has given up that watch already.
            let _ = inotify.rm_watch(before);
        }
        Ok(())
    }

    /// Waits until there is something to drain, but no longer than this.
    pub(super) fn wait(&self, timeout: Duration) {
        // Rounded up: to wake before the time would be to wake for nothing.
        let timeout = timeout.as_millis().saturating_add(1).min(60_000);
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        let mut fds: Vec<PollFd<'_>> = self
            .inotify
            .iter()
            .map(|inotify| PollFd::new(inotify.as_fd(), PollFlags::POLLIN))
            .collect();
        // An interruption only wakes early.
        let _ = poll(&mut fds, timeout);
    }

    /// Hands over everything that the kernel has told since the last call.
    pub(super) fn drain(&self, note: &mut dyn FnMut(Notice)) {
        let Ok(inotify) = &self.inotify else { return };
        loop {
            match inotify.read_events() {
                Ok(events) => events.iter().for_each(|event| self.translate(event, note)),
                Err(Errno::EINTR) => {}
                Err(_) => return,
            }
        }
    }

    fn translate(&self, event: &InotifyEvent, note: &mut dyn FnMut(Notice)) {
        let has = |flag: Flags| event.mask.intersects(flag);
        if has(Flags::IN_Q_OVERFLOW) {
            note(Notice::Lost);
        }
        let wd = Some(event.wd);
        let is_named = |of: &Option<(PathBuf, OsString)>| {
            of.as_ref()
                .is_some_and(|(_, name)| event.name.as_ref() == Some(name))
        };
        if wd == self.on_journal && has(JOURNAL_FLAGS) && is_named(&self.journal) {
            note(Notice::Journal);
        }
        if wd == self.on_parent && is_named(&self.parent) {
            note(Notice::Swapped);
        }
        if wd != self.on_dir {
            return;
        }
        // Without a name it is about the directory itself: it went away, or its rights changed.
        let Some(name) = &event.name else {
            return note(Notice::Lost);
        };
        if is_miscased(name) {
            note(Notice::Lost);
        }
        let Some(name) = name.to_str() else {
            if is_object_file(name) {
                note(Notice::Lost);
            }
            return;
        };
        let name = name.to_owned();
        if has(Flags::IN_CLOSE_WRITE | Flags::IN_MOVED_TO) {
            note(Notice::Complete(name));
        } else if has(Flags::IN_CREATE) {
            let complete = is_link(&self.dir.join(&name));
            note(if complete {
                Notice::Complete(name)
            } else {
                Notice::Begun(name)
            });
        } else if has(Flags::IN_DELETE) {
            note(Notice::Deleted(name));
        } else if has(Flags::IN_MOVED_FROM) {
            note(Notice::MovedAway(name));
        } else if has(Flags::IN_ATTRIB) {
            note(Notice::Attributes(name));
        }
    }
}

/// Whether a file that has just appeared is a link to one that may be complete: nobody will close
/// it here.
fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path)
        .is_ok_and(|metadata| metadata.is_symlink() || metadata.nlink() > 1 || !metadata.is_file())
}

fn split(path: &Path) -> Option<(PathBuf, OsString)> {
    let path = std::path::absolute(path).ok()?;
    Some((path.parent()?.to_owned(), path.file_name()?.to_owned()))
}

fn cannot_watch(dir: &Path, errno: Errno) -> String {
    let remedy = match errno {
        Errno::ENOSPC => ": raise the limit with sysctl fs.inotify.max_user_watches",
        Errno::EMFILE => ": raise the limit with sysctl fs.inotify.max_user_instances",
        _ => "",
    };
    format!(
        "the directory {} cannot be watched: {}{remedy}",
        dir.display(),
        errno.desc()
    )
}
