//! Configuration and objects that change, break and are mended while it runs.

use std::fs;
use std::os::unix::fs::symlink;

use anyhow::{Result, ensure};
use carillon_lab::{Carillon, Frr, Lab, net, test, wait};

use crate::manifest::{POOL, config, endpoints, peer, served};
use crate::site::{SOON, Site, await_status, await_table, connections, last_notification, v4};

const VIP: &str = "198.51.100.0/32";
const SMALL: &str = "{name: small, protocol: bgp, addresses: [203.0.113.7/32]}";

/// A router and a node that announces [`VIP`] to it.
fn announced(lab: &Lab) -> Result<(Site, Frr, Carillon)> {
    let site = Site::new(lab)?;
    let router = site.router("router", 1, &[v4(11)])?;
    site.files.configure(&[&peer("192.0.2.1")], &[POOL])?;
    site.files.serve("web")?;
    let node = site.node("alpha", 11)?;
    await_table(&router, &[(VIP, &[11])])?;
    Ok((site, router, node))
}

#[test]
fn a_service_without_an_address_gets_one_from_a_pool_that_is_added() {
    test(|lab| {
        let (site, router, node) = announced(lab)?;
        let before = connections(&router)?;
        let asks = "loadBalancerIP: 203.0.113.7";
        site.files.write("api.yaml", &served("api", asks))?;
        await_status(&node, &["default/api", "203.0.113.7"])?;
        site.files
            .configure(&[&peer("192.0.2.1")], &[POOL, SMALL])?;
        await_table(&router, &[(VIP, &[11]), ("203.0.113.7/32", &[11])])?;
        site.files.remove("api")?;
        await_table(&router, &[(VIP, &[11])])?;
        site.files.configure(&[&peer("192.0.2.1")], &[POOL])?;
        site.files.write("api.yaml", &served("api", ""))?;
        await_table(&router, &[(VIP, &[11]), ("198.51.100.1/32", &[11])])?;
        assert_eq!(connections(&router)?, before);
        Ok(())
    });
}

#[test]
fn a_change_of_one_peer_touches_no_other_session() {
    test(|lab| {
        let (site, router, _node) = announced(lab)?;
        let before = connections(&router)?;
        let other = site.router("other", 2, &[v4(11)])?;
        let (first, second) = (peer("192.0.2.1"), peer("192.0.2.2"));
        site.files.configure(&[&first, &second], &[POOL])?;
        await_table(&other, &[(VIP, &[11])])?;
        let (established, dropped) = connections(&other)?[&v4(11)];

        let changed = second.replace('}', ", hold-time: 30s}");
        site.files.configure(&[&changed, &first], &[POOL])?;
        wait::until("the changed session to come back", SOON, || {
            let connections = connections(&other)?[&v4(11)];
            let expected = (established + 1, dropped + 1);
            ensure!(connections == expected, "{connections:?}");
            Ok(())
        })?;
        let hold_time = other.neighbor(v4(11))?["bgpTimerHoldTimeMsecs"].clone();
        assert_eq!(hold_time, 30_000);
        await_table(&other, &[(VIP, &[11])])?;

        site.files.configure(&[&first], &[POOL])?;
        await_table(&other, &[])?;
        // Cease, Peer De-configured.
        assert_eq!(last_notification(&other, v4(11))?, "0603");
        await_table(&router, &[(VIP, &[11])])?;
        assert_eq!(connections(&router)?, before);
        Ok(())
    });
}

#[test]
fn changed_advertisements_reach_the_router_without_a_reset() {
    test(|lab| {
        let (site, router, _node) = announced(lab)?;
        let before = connections(&router)?;
        let advertise = |advertisements: &str| {
            let pool = POOL.replace('}', &format!(", bgp-advertisements: [{advertisements}]}}"));
            site.files.configure(&[&peer("192.0.2.1")], &[&pool])
        };
        for (advertisement, local_pref, communities) in [
            (
                "{localpref: 7, communities: ['64512:1']}",
                7,
                &["64512:1"][..],
            ),
            ("{localpref: 8, communities: ['64512:2']}", 8, &["64512:2"]),
            ("{localpref: 8}", 8, &[]),
        ] {
            advertise(advertisement)?;
            wait::until(format!("the path of {advertisement}"), SOON, || {
                let paths = router.paths(net(VIP))?;
                ensure!(paths.len() == 1, "{paths:?}");
                ensure!(paths[0].local_pref == Some(local_pref), "{paths:?}");
                ensure!(paths[0].communities == communities, "{paths:?}");
                Ok(())
            })?;
        }
        advertise("{aggregation-length: 26}")?;
        await_table(&router, &[("198.51.100.0/26", &[11])])?;
        assert_eq!(connections(&router)?, before);
        Ok(())
    });
}

#[test]
fn a_pool_in_use_cannot_be_removed_until_the_service_is_gone() {
    test(|lab| {
        let (site, router, node) = announced(lab)?;
        let before = connections(&router)?;
        for pools in [&[SMALL][..], &[]] {
            site.files.configure(&[&peer("192.0.2.1")], pools)?;
            let status = await_status(&node, &["default/web", "198.51.100.0", "in use"])?;
            ensure!(status.contains("config.yaml"), "{status}");
            await_table(&router, &[(VIP, &[11])])?;
        }
        site.files.configure(&[&peer("192.0.2.1")], &[SMALL])?;
        site.files.remove("web")?;
        await_table(&router, &[])?;
        site.files.serve("api")?;
        await_table(&router, &[("203.0.113.7/32", &[11])])?;
        assert_eq!(connections(&router)?, before);
        Ok(())
    });
}

#[test]
fn broken_files_change_nothing_until_they_are_mended() {
    test(|lab| {
        let (site, router, node) = announced(lab)?;
        let before = connections(&router)?;
        let good = config(&[&peer("192.0.2.1")], &[POOL]);
        site.files
            .write("config.yaml", &good.replace("peers:", "peers: ]"))?;
        await_status(&node, &["config.yaml:6"])?;
        site.files
            .write("web.yaml", "kind: Service\nspec: {type: [\n")?;
        await_status(&node, &["web.yaml:"])?;
        // The good files still count.
        site.files.serve("api")?;
        await_table(&router, &[(VIP, &[11]), ("198.51.100.1/32", &[11])])?;
        site.files.serve("web")?;
        site.files.write("config.yaml", &good)?;
        wait::until("status to be content again", SOON, || {
            let problems = node.status()?["problems"].to_string();
            ensure!(!problems.contains("yaml"), "{problems}");
            Ok(())
        })?;
        await_table(&router, &[(VIP, &[11]), ("198.51.100.1/32", &[11])])?;
        assert_eq!(connections(&router)?, before);
        Ok(())
    });
}

#[test]
fn a_deleted_configuration_stays_in_force_until_there_is_a_new_one() {
    test(|lab| {
        let (site, router, node) = announced(lab)?;
        let before = connections(&router)?;
        site.files.remove("config")?;
        await_status(&node, &["ConfigMap", "metallb-system/config"])?;
        site.files.serve("api")?;
        let both: [(&str, &[u8]); 2] = [(VIP, &[11]), ("198.51.100.1/32", &[11])];
        await_table(&router, &both)?;
        let other = site.router("other", 2, &[v4(11)])?;
        let peers = [peer("192.0.2.1"), peer("192.0.2.2")];
        site.files.configure(&[&peers[0], &peers[1]], &[POOL])?;
        await_table(&other, &both)?;
        await_table(&router, &both)?;
        assert_eq!(connections(&router)?, before);
        Ok(())
    });
}

#[test]
fn files_behind_a_swapped_symlink_are_read_again_as_kubelet_mounts_them() {
    test(|lab| {
        let (site, router, _node) = announced(lab)?;
        let dir = site.files.dir();
        let version = |number: u8, text: &str| -> Result<()> {
            let version = format!("..version-{number}");
            fs::create_dir(dir.join(&version))?;
            fs::write(dir.join(&version).join("api.yaml"), text)?;
            symlink(&version, dir.join("..data_tmp"))?;
            fs::rename(dir.join("..data_tmp"), dir.join("..data"))?;
            Ok(())
        };
        version(1, &served("api", "loadBalancerIP: 198.51.100.9"))?;
        symlink("..data/api.yaml", dir.join("api.yaml"))?;
        await_table(&router, &[(VIP, &[11]), ("198.51.100.9/32", &[11])])?;
        version(2, &served("api", "loadBalancerIP: 198.51.100.8"))?;
        await_table(&router, &[(VIP, &[11]), ("198.51.100.8/32", &[11])])?;
        version(3, &endpoints("api", &["alpha"]))?;
        await_table(&router, &[(VIP, &[11])])
    });
}
