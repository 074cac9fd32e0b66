//! Logging: one line per fact, on the standard error.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt;

use crate::cli::{LogArgs, LogFormat, LogLevel};

/// Logs from here on as the command line says.
pub(crate) fn init(args: &LogArgs) {
    let level = match args.log_level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let builder = fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_target(false)
        // Whoever read the log may be gone; to report that on the same stream would panic.
        .log_internal_errors(false);
    match args.log_format {
        LogFormat::Human => builder.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}
