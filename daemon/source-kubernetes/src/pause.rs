//! How long to wait before the API server is asked again.

use std::time::Duration;

/// The first pause at most.
const FIRST: Duration = Duration::from_millis(200);
/// Any pause at most: an API server that is back is found soon.
const LAST: Duration = Duration::from_secs(2);
/// What a server may ask for at most.
const LONGEST: Duration = Duration::from_secs(30);

/// Pauses that double, and that no two nodes make alike: a thousand nodes come back one by one.
#[derive(Debug, Default)]
pub(super) struct Pause {
    failures: u32,
}

impl Pause {
    /// The next pause, at least as long as the server asked for; `random` is in 0..1.
    pub(super) fn next(&mut self, least: Duration, random: f64) -> Duration {
        let most = FIRST.saturating_mul(1 << self.failures.min(8)).min(LAST);
        self.failures = self.failures.saturating_add(1);
        least.min(LONGEST) + most.mul_f64(0.25 + 0.75 * random.clamp(0.0, 1.0))
    }

    /// All is well: the next pause is a first one.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}
