//! Waiting for conditions, never for time to pass.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

/// The pause between two looks at the state; short beside what a router needs to react.
const PAUSE: Duration = Duration::from_millis(20);

/// A probe's error that ends the wait at once, because the condition cannot become true any more.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Hopeless(pub String);

/// Probes until `probe` succeeds and returns its value, at once when it does.
///
/// The probe's error describes the state it saw instead (`ensure!` is handy). When `timeout` has
/// passed the result is an error that says `what` was waited for and the last state seen.
pub fn until<T>(
    what: impl std::fmt::Display,
    timeout: Duration,
    mut probe: impl FnMut() -> Result<T>,
) -> Result<T> {
    let deadline = Instant::now() + timeout;
    loop {
        match probe() {
            Ok(value) => return Ok(value),
            Err(state) if state.is::<Hopeless>() => {
                return Err(anyhow!("waited for {what} in vain: {state:#}"));
            }
            Err(state) if Instant::now() >= deadline => {
                return Err(anyhow!(
                    "waited {timeout:?} for {what}; last seen: {state:#}"
                ));
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

#[cfg(test)]
mod tests;
