//! Whose turn it is to give addresses.

use super::*;
use crate::slow;

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/metallb-system/leases/carillon";

/// A site with two daemons, of which the first leads.
fn two(lab: &Lab) -> Result<(Site, [Carillon; 2])> {
    let site = Site::new(lab, &[11, 12])?;
    site.configure()?;
    let first = site.node("node-1", 11)?;
    await_status(&first, &["\"leads\":true"])?;
    let second = site.node("node-2", 12)?;
    await_status(&second, &["\"holder\":\"node-1_", "\"leads\":false"])?;
    Ok((site, [first, second]))
}

/// How long it takes until a daemon leads and has given an address to a new Service.
fn await_lead(site: &Site, node: &Carillon, service: &str, address: &str) -> Result<Duration> {
    let start = Instant::now();
    create(&site.api, super::service(service))?;
    await_published(&site.api, service, &[address], Some("pool"))?;
    let took = start.elapsed();
    await_status(node, &["\"leads\":true"])?;
    Ok(took)
}

#[test]
fn one_that_ends_hands_over_at_once() {
    test(|lab| {
        let (site, [mut first, second]) = two(lab)?;
        site.serve("web", "198.51.100.0", &["node-1", "node-2"])?;
        site.await_table(&[("198.51.100.0/32", &[11, 12])])?;
        first.process.terminate()?;
        let took = await_lead(&site, &second, "next", "198.51.100.1")?;
        ensure!(took < Duration::from_secs(5), "it took {took:?}");
        site.await_table(&[("198.51.100.0/32", &[12])])
    });
}

#[test]
fn one_that_is_killed_is_replaced_when_its_time_is_over() {
    test(|lab| {
        let (site, [mut first, second]) = two(lab)?;
        first.process.kill()?;
        let took = await_lead(&site, &second, "next", "198.51.100.0")?;
        ensure!(took < Duration::from_secs(20), "it took {took:?}");
        first.restart()?;
        await_status(&first, &["\"holder\":\"node-2_", "\"leads\":false"])?;
        Ok(())
    });
}

#[test]
fn a_stolen_lease_is_honoured_and_taken_back_when_its_time_is_over() {
    test(|lab| {
        let (site, [first, second]) = two(lab)?;
        let theft = json!({"spec": {"holderIdentity": "somebody"}});
        site.api.send(&Request::patch(LEASE, theft))?;
        let stolen = Instant::now();
        for node in [&first, &second] {
            await_status(node, &["\"holder\":\"somebody\"", "\"leads\":false"])?;
        }
        ensure!(stolen.elapsed() < Duration::from_secs(10), "noticed late");
        create(&site.api, service("web"))?;
        await_published(&site.api, "web", &["198.51.100.0"], Some("pool"))?;
        ensure!(stolen.elapsed() > Duration::from_secs(14), "not honoured");
        // Gone without a trace: that is honoured too.
        site.api.send(&Request::delete(LEASE))?;
        create(&site.api, service("next"))?;
        await_published(&site.api, "next", &["198.51.100.1"], Some("pool"))?;
        Ok(())
    });
}

#[test]
fn while_the_api_server_is_away_nobody_leads_and_everything_is_announced() {
    test(|lab| {
        let (mut site, nodes) = two(lab)?;
        site.serve("web", "198.51.100.0", &["node-1", "node-2"])?;
        let table: &[(&str, &[u8])] = &[("198.51.100.0/32", &[11, 12])];
        site.await_table(table)?;
        site.api.stop()?;
        for node in &nodes {
            await_status(node, &["\"leads\":false"])?;
        }
        site.await_table(table)?;
        site.api.start_again()?;
        create(&site.api, service("next"))?;
        await_published(&site.api, "next", &["198.51.100.1"], Some("pool"))?;
        site.await_table(table)
    });
}

#[test]
fn an_api_server_that_stalls_costs_nothing_but_time() {
    test(|lab| {
        let (site, nodes) = two(lab)?;
        create(&site.api, service("web"))?;
        await_published(&site.api, "web", &["198.51.100.0"], Some("pool"))?;
        let before = version(&site.api)?;
        let requests: Vec<_> = (0..100)
            .map(|n| Request::create(SERVICES, service(&format!("many-{n}"))))
            .collect();
        site.api.send_all(&requests)?;
        // In the middle of what it does; longer than a turn lasts.
        site.api.freeze()?;
        for node in &nodes {
            await_status(node, &["\"leads\":false"])?;
        }
        site.api.thaw()?;
        for n in 0..100 {
            let name = format!("many-{n}");
            wait::until(format!("{name} to have an address"), SOON, || {
                let service = site.api.get(&format!("{SERVICES}/{name}"))?;
                ensure!(published(&service).1.is_some(), "{service}");
                Ok(())
            })?;
        }
        let writes = writes_since(&site.api, SERVICES, &before)?;
        let twice = writes.iter().find(|(_, writes)| **writes != 2);
        ensure!(
            writes.len() == 100 && twice.is_none(),
            "{} {twice:?}",
            writes.len()
        );
        Ok(())
    });
}

#[test]
fn an_api_server_whose_answers_are_late_costs_nothing_but_time() {
    test(|lab| {
        let site = Site::new(lab, &[11, 12])?;
        site.configure()?;
        site.serve("web", "198.51.100.200", &["node-1", "node-2"])?;
        slow::listen(site.api.host(), 6444, "192.0.2.10:6443".parse()?)?;
        let mut access = site.api.access();
        access.server = "https://192.0.2.10:6444".to_owned();
        let slow = site.api.kubeconfig_with("slow", &access)?;
        let _nodes = [
            site.node_as("node-1", 11, &slow)?,
            site.node_as("node-2", 12, &slow)?,
        ];
        let web: (&str, &[u8]) = ("198.51.100.200/32", &[11, 12]);
        site.await_table(&[web])?;
        let mut given = BTreeSet::new();
        for n in 0..10 {
            create(&site.api, service(&format!("many-{n}")))?;
        }
        for n in 0..10 {
            let name = format!("many-{n}");
            let what = format!("{name} to have an address");
            wait::until(what, Duration::from_secs(120), || {
                let service = site.api.get(&format!("{SERVICES}/{name}"))?;
                let address = published(&service).0.first().map(ToString::to_string);
                given.insert(address.context("it has none")?);
                Ok(())
            })?;
        }
        ensure!(given.len() == 10, "{given:?}");
        site.await_table(&[web])
    });
}

#[test]
fn one_without_a_configuration_takes_no_turn() {
    test(|lab| {
        let site = Site::new(lab, &[11])?;
        let node = site.node("node-1", 11)?;
        await_status(&node, &["metallb-system/config is not in the cluster"])?;
        // Longer than an attempt takes.
        std::thread::sleep(Duration::from_secs(3));
        ensure!(site.api.get(LEASE).is_err(), "it holds the Lease");
        site.configure()?;
        await_status(&node, &["\"holder\":\"node-1_", "\"leads\":true"])?;
        Ok(())
    });
}

#[test]
fn what_others_write_into_the_lease_stays() {
    test(|lab| {
        let (site, _nodes) = two(lab)?;
        let theirs = json!({"team": "net"});
        let add = json!({"metadata": {"labels": theirs, "annotations": theirs}});
        let renewed = |lease: &Value| lease["spec"]["renewTime"].clone();
        let before = renewed(&site.api.send(&Request::patch(LEASE, add))?);
        let lease = wait::until("the Lease to be renewed", SOON, || {
            let lease = site.api.get(LEASE)?;
            ensure!(renewed(&lease) != before, "{lease}");
            Ok(lease)
        })?;
        for field in ["labels", "annotations"] {
            ensure!(lease["metadata"][field] == theirs, "{lease}");
        }
        let holder = lease["spec"]["holderIdentity"].as_str();
        ensure!(
            holder.is_some_and(|holder| holder.starts_with("node-1_")),
            "{lease}"
        );
        Ok(())
    });
}

#[test]
fn one_that_may_not_take_its_turn_says_so() {
    test(|lab| {
        let site = Site::new(lab, &[11])?;
        site.configure()?;
        let role = "/apis/rbac.authorization.k8s.io/v1/namespaces/metallb-system/roles/controller";
        let mut lacking = site.api.get(role)?;
        let rules = lacking["rules"].as_array_mut().context("no rules")?;
        rules.retain(|rule| rule["resources"] != json!(["leases"]));
        site.api.send(&Request::replace(role, lacking))?;
        let node = site.node("node-1", 11)?;
        let problem = "cannot use the Lease metallb-system/carillon";
        await_status(&node, &[problem, "cannot get resource"])?;
        Ok(())
    });
}
