//! A lab: namespaces, processes and files that live and end together.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};

use crate::host::Host;
use crate::process::command;
use crate::switch::Switch;

/// Where each lab has its directory; only root may write there.
const BASE: &str = "/run/carillon-lab";
/// Where `ip netns` keeps the names of the namespaces.
pub(crate) const NETNS: &str = "/run/netns";
/// The first part of the name of every namespace that a lab makes.
const PREFIX: &str = "carillon";
/// How much of each log a failure shows.
const LOG_LINES: usize = 40;

const REMOVE: &str = include_str!("remove.sh");

/// A set of network namespaces with what runs in them.
///
/// A lab's namespaces are called `ID-HOST`. A helper process holds the end of a pipe of this
/// process: when the pipe closes, by [`Drop`] or because this process died of whatever cause, the
/// helper removes the lab. Should the helper be killed as well, the next lab sweeps up: the id
/// contains the process id of the owner.
#[derive(Clone)]
pub struct Lab(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    id: String,
    dir: PathBuf,
    remover: Child,
    /// The end of the pipe that keeps the lab alive.
    lifeline: Option<ChildStdin>,
    kept: AtomicBool,
}

impl Lab {
    /// Makes an empty lab with a unique id, after removing those whose owner is dead.
    pub fn new() -> Result<Self> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        require_root()?;
        sweep()?;
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        Self::create(format!("{PREFIX}-{}-{number}", std::process::id()))
    }

    /// Makes an empty lab with the id `carillon-NAME`, which no sweep removes. Fails if it is there
    /// already.
    pub fn named(name: &str) -> Result<Self> {
        require_root()?;
        Self::create(format!("{PREFIX}-{name}"))
    }

    /// Removes the lab made by [`Lab::named`], if there is one; says whether there was.
    pub fn remove(name: &str) -> Result<bool> {
        require_root()?;
        let id = format!("{PREFIX}-{name}");
        let dir = Path::new(BASE).join(&id);
        let found = dir.exists();
        remove(&id, &dir)?;
        Ok(found)
    }

    fn create(id: String) -> Result<Self> {
        let dir = Path::new(BASE).join(&id);
        fs::create_dir_all(BASE).with_context(|| format!("cannot make {BASE}"))?;
        ensure!(
            !dir.exists(),
            "the lab {id} stands already, with its files in {}",
            dir.display()
        );
        fs::create_dir(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let script =
            format!("trap '' HUP INT TERM; read -r word; [ \"$word\" = keep ] && exit\n{REMOVE}");
        let mut remover = command("sh")
            .args(["-c", &script, "remove", &id])
            .arg(&dir)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start sh")?;
        let lifeline = remover.stdin.take();
        let kept = AtomicBool::new(false);
        Ok(Self(Arc::new(Inner {
            id,
            dir,
            remover,
            lifeline,
            kept,
        })))
    }

    /// The id, the prefix of the namespaces' names.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The lab's directory for sockets, logs and other files; removed with the lab.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// Adds a host (or router): a namespace with the loopback interface up and nothing else.
    pub fn host(&self, name: &str) -> Result<Host> {
        Host::create(self, name)
    }

    /// Adds a switch: a bridge in a namespace of its own.
    pub fn switch(&self, name: &str) -> Result<Switch> {
        Switch::create(self, name)
    }

    /// Leaves everything standing when the handles are dropped and when this process ends.
    pub fn keep(&self) {
        self.0.kept.store(true, Ordering::Relaxed);
    }

    /// The last lines of every log, for a person who must find out why something failed.
    pub fn logs(&self) -> String {
        let mut text = String::new();
        let mut files: Vec<_> = fs::read_dir(&self.0.dir)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
            .collect();
        files.sort();
        for file in files {
            let log = fs::read(&file).unwrap_or_default();
            let log = String::from_utf8_lossy(&log);
            let skipped = log.lines().count().saturating_sub(LOG_LINES);
            let lines: Vec<_> = log.lines().skip(skipped).collect();
            if lines.is_empty() {
                continue;
            }
            let _ = writeln!(text, "--- {}\n{}", file.display(), lines.join("\n"));
        }
        text
    }

    /// Copies every log, those of pods too, to where they outlive the lab; returns the directory,
    /// which is not there when there are none.
    pub fn save_logs(&self) -> Result<PathBuf> {
        let saved = env::temp_dir().join("carillon-lab-logs").join(self.id());
        copy_logs(self.dir(), &saved)?;
        Ok(saved)
    }

    /// Shows and saves the logs of something that failed.
    fn report(&self) {
        eprint!("{}", self.logs());
        match self.save_logs() {
            Ok(saved) if saved.exists() => eprintln!("--- all logs are in {}", saved.display()),
            Ok(_) => {}
            Err(error) => eprintln!("--- the logs could not be saved: {error:#}"),
        }
    }
}

impl Inner {
    pub(crate) fn is_kept(&self) -> bool {
        self.kept.load(Ordering::Relaxed)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(mut lifeline) = self.lifeline.take()
            && self.is_kept()
        {
            let _ = lifeline.write_all(b"keep\n");
        }
        let _ = self.remover.wait();
    }
}

/// Runs a test in a new lab. An error of `body` panics, and the panic shows the ends of the lab's
/// logs and where they are saved.
pub fn test(body: impl FnOnce(&Lab) -> Result<()>) {
    struct ReportOnPanic(Lab);
    impl Drop for ReportOnPanic {
        fn drop(&mut self) {
            if std::thread::panicking() {
                self.0.report();
            }
        }
    }
    let outcome = Lab::new().and_then(|lab| {
        let lab = ReportOnPanic(lab);
        body(&lab.0).inspect_err(|_| lab.0.report())
    });
    if let Err(error) = outcome {
        #[expect(clippy::panic, reason = "this is how a test fails")]
        {
            panic!("{error:#}");
        }
    }
}

fn require_root() -> Result<()> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "the lab makes network namespaces, which needs root: put `sudo -E env PATH=\"$PATH\"` \
         before the command"
    );
    Ok(())
}

/// Removes the labs whose owner is dead.
fn sweep() -> Result<()> {
    let mut left = Vec::new();
    for directory in [BASE, NETNS] {
        let Ok(entries) = fs::read_dir(directory) else {
            continue;
        };
        for entry in entries {
            let name = entry?.file_name();
            left.extend(name.to_str().and_then(orphan));
        }
    }
    left.sort();
    left.dedup();
    for id in left {
        remove(&id, &Path::new(BASE).join(&id))?;
    }
    Ok(())
}

/// The lab's id if the name belongs to one whose owner is dead: `carillon-PID-NUMBER…`.
fn orphan(name: &str) -> Option<String> {
    let mut parts = name.strip_prefix(PREFIX)?.strip_prefix('-')?.split('-');
    let owner: u32 = parts.next()?.parse().ok()?;
    let number: u32 = parts.next()?.parse().ok()?;
    let dead = !Path::new("/proc").join(owner.to_string()).exists();
    dead.then(|| format!("{PREFIX}-{owner}-{number}"))
}

fn remove(id: &str, dir: &Path) -> Result<()> {
    // Single steps may fail in a race with the lab's own remover; what counts is the end.
    command("sh")
        .args(["-c", REMOVE, "remove", id])
        .arg(dir)
        .stderr(Stdio::null())
        .status()
        .context("cannot start sh")?;
    ensure!(!dir.exists(), "cannot remove the lab {}", dir.display());
    Ok(())
}

fn copy_logs(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy_logs(&path, &target)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "log") {
            fs::create_dir_all(to)?;
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}
