//! That somebody has drained this node, remembered beside the socket: a daemon that is started again
//! goes on so, and a host that is started again begins anew, for its runtime directory is empty.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Whether the node of the daemon on this socket is drained.
pub(crate) fn is_remembered(socket: &Path) -> bool {
    file(socket).exists()
}

/// Remembers that it is, or is not any more.
///
/// # Errors
/// The file cannot be written or removed.
pub(crate) fn remember(socket: &Path, is_draining: bool) -> Result<()> {
    let file = file(socket);
    let done = if is_draining {
        fs::write(&file, "")
    } else {
        match fs::remove_file(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    };
    done.with_context(|| format!("cannot remember that in {}", file.display()))
}

fn file(socket: &Path) -> PathBuf {
    socket.with_extension("drained")
}
