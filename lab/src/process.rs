//! Commands, and processes in the background.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::iter;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::host::Host;
use crate::lab::Lab;
use crate::wait::{self, Hopeless};

/// How long a process may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(10);

/// A command, looked for in the directories of administrators as well, which are not in everybody's
/// `PATH` and not in that of every `sudo`.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command
}

/// Runs a command to its end and returns its standard output; an exit code other than 0 is an error
/// that shows the command and what it complained about.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let result = command.stdin(Stdio::null()).output();
    let result = result.with_context(|| format!("cannot start {}", line(command)))?;
    let text = String::from_utf8_lossy(&result.stdout).into_owned();
    if !result.status.success() {
        let complaint = String::from_utf8_lossy(&result.stderr);
        bail!(
            "{} ended with {}: {}{}",
            line(command),
            result.status,
            text,
            complaint.trim_end()
        );
    }
    Ok(text)
}

/// The command as one types it.
pub(crate) fn line(command: &Command) -> String {
    let words = iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    words.join(" ")
}

/// A process in the background, in a process group of its own; killed with its group when dropped.
pub struct Process {
    lab: Lab,
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    pub(crate) fn spawn(host: &Host, name: &str, command: &mut Command) -> Result<Self> {
        let name = format!("{}-{name}", host.name());
        let log = host.lab().dir().join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log)?;
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {}", line(command)))?;
        Ok(Self {
            lab: host.lab().clone(),
            name,
            child,
            log,
        })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its output so far.
    pub fn log(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.log)?).into_owned())
    }

    /// The exit status, if it has ended.
    pub fn exit_status(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Fails with [`Hopeless`] and the end of its log when it has ended.
    pub fn ensure_running(&mut self) -> Result<()> {
        if let Some(status) = self.exit_status()? {
            let log = self.log()?;
            let mut last: Vec<_> = log.trim_end().rsplit('\n').take(3).collect();
            last.reverse();
            let state = format!("{} ended with {status}: {}", self.name, last.join(" / "));
            return Err(Hopeless(state).into());
        }
        Ok(())
    }

    /// Sends it a signal; SIGSTOP and SIGCONT freeze and thaw it.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.pid()?, signal).with_context(|| format!("cannot send {signal} to {}", self.name))
    }

    /// Sends a signal to it and to all that it has started.
    pub fn signal_group(&self, signal: Signal) -> Result<()> {
        killpg(self.pid()?, signal)
            .with_context(|| format!("cannot send {signal} to the group of {}", self.name))
    }

    /// Waits until it has ended by itself.
    pub fn await_exit(&mut self, timeout: Duration) -> Result<ExitStatus> {
        let name = self.name.clone();
        wait::until(format!("{name} to end"), timeout, || {
            self.exit_status()?.context("it is still running")
        })
    }

    /// Asks it to end (SIGTERM) and waits until it has; an error when it does not within 10 s.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.exit_status()? {
            return Ok(status);
        }
        self.signal(Signal::SIGTERM)?;
        self.await_exit(GRACE)
    }

    /// Kills it and its group (SIGKILL).
    pub fn kill(&mut self) -> Result<()> {
        if self.exit_status()?.is_none() {
            killpg(self.pid()?, Signal::SIGKILL)?;
            self.child.wait()?;
        }
        Ok(())
    }

    fn pid(&self) -> Result<Pid> {
        Ok(Pid::from_raw(i32::try_from(self.child.id())?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.lab.0.is_kept() {
            // It may just have ended by itself, which is what is wanted.
            let _ = self.kill();
        }
    }
}
