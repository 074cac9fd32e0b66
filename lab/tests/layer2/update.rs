//! Daemons of two versions.

use std::env;
use std::path::Path;
use std::thread;

use anyhow::Context;
use carillon_lab::{binary, test};

use crate::site::{BOTH, Site, WATCH, await_status};

#[test]
#[ignore = "takes a binary of an earlier version: make test-update"]
fn an_update_from_an_earlier_version_and_back_loses_no_probe() {
    test(|lab| {
        let earlier = env::var_os("CARILLON_EARLIER").context("CARILLON_EARLIER is not set")?;
        let (earlier, present) = (Path::new(&earlier), binary()?);
        let mut site = Site::start(lab)?;
        for version in [earlier, &present, earlier, &present] {
            let probers = [site.probe(BOTH[0])?, site.probe(BOTH[1])?];
            for place in 0..site.nodes.len() {
                let node = &mut site.nodes[place];
                node.process.terminate()?;
                node.restart_as(version)?;
                for node in &site.nodes {
                    await_status(node, &["alpha", "beta", "gamma"])?;
                }
                thread::sleep(WATCH / 2);
            }
            for (prober, address) in probers.into_iter().zip(BOTH) {
                let lost = prober.stop().lost();
                assert_eq!(
                    lost, 0,
                    "lost probes to {address} on the way to {version:?}"
                );
            }
        }
        Ok(())
    });
}
