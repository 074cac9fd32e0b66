//! Packet captures.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::host::Host;
use crate::process::Process;
use crate::wait;

/// A running tcpdump that writes a pcap file.
pub struct Capture {
    process: Process,
    file: PathBuf,
}

impl Capture {
    pub(crate) fn start(host: &Host, interface: &str, filter: &str) -> Result<Self> {
        let file = host.file(&format!("{interface}.pcap"));
        let mut tcpdump = host.command("tcpdump");
        // -U: each packet is in the file at once; -Z: it keeps root's rights, the directory is
        // root's.
        tcpdump
            .args(["-n", "-U", "-Z", "root", "-i", interface, "-w"])
            .arg(&file)
            .arg(filter);
        let mut process = host.spawn(&format!("tcpdump-{interface}"), &mut tcpdump)?;
        wait::until("tcpdump to listen", Duration::from_secs(5), || {
            process.ensure_running()?;
            let log = process.log()?;
            ensure!(log.contains("listening on"), "{log}");
            Ok(())
        })?;
        Ok(Self { process, file })
    }

    /// The pcap file, complete up to about now.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Ends the capture, which completes the file.
    pub fn stop(mut self) -> Result<PathBuf> {
        self.process.terminate()?;
        Ok(self.file.clone())
    }
}
