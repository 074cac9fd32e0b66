//! Logging: one line per fact, on the standard error.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt;

use crate::cli::{LogArgs, LogFormat, LogLevel};

/// How many lines wait for a slow reader; what comes while they do is lost.
const LINES: usize = 10_000;

/// Logs from here on as the command line says, until the guard is dropped.
///
/// A thread of its own writes: whoever reads the log may be slow or gone, and announcing goes on.
pub(crate) fn init(args: &LogArgs) -> WorkerGuard {
    let level = match args.log_level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LINES)
        .thread_name("log")
        .finish(io::stderr());
    let builder = fmt()
        .with_max_level(level)
        .with_writer(writer)
        .with_target(false)
        .log_internal_errors(false);
    match args.log_format {
        LogFormat::Human => builder.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    guard
}
