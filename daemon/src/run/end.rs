//! What ends the daemon: a signal, or the end of a part of it.

use std::io;
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info};

use crate::pulse::Pulse;
use crate::supervise::Tasks;

/// Why the daemon ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reason {
    /// Somebody wants it to, in words for the neighbours.
    Ordered(&'static str),
    /// It cannot do its work any more.
    Failed,
}

impl Reason {
    /// What the neighbours are told.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Ordered(text) => text,
            Self::Failed => "a part of carillon has failed",
        }
    }

    /// What the process ends with when all went well from here on.
    pub(super) fn code(self) -> ExitCode {
        match self {
            Self::Ordered(_) => ExitCode::SUCCESS,
            Self::Failed => ExitCode::FAILURE,
        }
    }

    /// Notes that something has died.
    pub(super) fn died(what: &str) -> Self {
        error!("{what}: this daemon ends, and others take over");
        Self::Failed
    }
}

/// See the module's documentation.
pub(super) struct End {
    signals: Signals,
    /// The tasks that live as long as the daemon.
    pub(super) tasks: Tasks,
    /// Whether all else is alive; `None` once it is not, and that has been told.
    pulse: Option<watch::Receiver<Pulse>>,
}

impl End {
    pub(super) fn new(pulse: watch::Receiver<Pulse>) -> io::Result<Self> {
        Ok(Self {
            signals: Signals::new()?,
            tasks: Tasks::default(),
            pulse: Some(pulse),
        })
    }

    /// Waits for the end; can be given up at any time. The end of a part is told once.
    pub(super) async fn wait(&mut self) -> Reason {
        tokio::select! {
            signal = self.signals.wait() => Reason::Ordered(signal),
            ended = self.tasks.ended() => Reason::died(&ended),
            died = died(&mut self.pulse) => {
                self.pulse = None;
                Reason::died(&died)
            }
        }
    }

    /// Waits for a signal.
    pub(super) async fn signal(&mut self) -> &'static str {
        self.signals.wait().await
    }
}

/// Waits until a part is known to have died.
async fn died(pulse: &mut Option<watch::Receiver<Pulse>>) -> String {
    if let Some(pulse) = pulse
        && let Ok(pulse) = pulse.wait_for(|pulse| pulse.died.is_some()).await
        && let Some(died) = &pulse.died
    {
        return died.to_string();
    }
    std::future::pending().await
}

/// The signals that end the daemon.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the end. A hangup is none: it comes when a terminal goes away, and from those who
    /// are used to daemons that must be told to read their files again.
    async fn wait(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "carillon was terminated",
                _ = self.interrupt.recv() => return "carillon was interrupted",
                _ = self.hangup.recv() => {
                    info!("SIGHUP is passed over: changed files are read as they change");
                }
            }
        }
    }
}
