//! The walk-through of `lab/seed`.

use std::process::Command;

use anyhow::{Result, ensure};

/// The demo checks every step from the router's side: sessions, routes, the kernel's route, the
/// answers of the pods, the withdrawal. It fails where something is not as it says.
#[test]
fn the_demo_plays_the_seed() -> Result<()> {
    let output = Command::new(env!("CARGO_BIN_EXE_demo")).output()?;
    let page = String::from_utf8(output.stdout)?;
    let complaint = String::from_utf8(output.stderr)?;
    ensure!(output.status.success(), "{page}\n{complaint}");
    for line in [
        "198.51.100.1 nhid",
        "Hello!<br>test-0<br>10.254.0.66",
        "Hello!<br>test-1<br>10.254.1.230",
    ] {
        ensure!(page.contains(line), "no {line:?} in:\n{page}");
    }
    for node in ["*192.168.7.13 ", "*192.168.7.16 "] {
        let shown: Vec<_> = page.lines().filter(|line| line.starts_with(node)).collect();
        let column = |number: usize| -> Vec<&str> {
            let words = shown.iter().map(|line| line.split_whitespace());
            words.filter_map(|mut words| words.nth(number)).collect()
        };
        // Prefixes received: before the service, with it, after it.
        assert_eq!(column(9), ["0", "1", "0"], "{shown:?}");
        // The time since the session came up, 00:00:07: it was never reset.
        ensure!(column(8).is_sorted(), "{shown:?}");
    }
    Ok(())
}
