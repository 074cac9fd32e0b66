//! Many Services in no order, while the turn goes from one to another.

use super::*;
use crate::site::{SLICES, endpoint_slice};

/// How many Services there are.
const SERVICES_TOTAL: usize = 500;
/// In how many steps.
const STEPS: usize = 10;

/// Numbers in no order, but the same every time (a linear congruential generator).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap_or_default() % limit
    }
}

fn name(n: usize) -> String {
    format!("crowd-{n}")
}

/// Creates and deletes some Services, each with its EndpointSlice.
fn shuffle(api: &ApiServer, random: &mut Random, there: &mut BTreeSet<usize>) -> Result<()> {
    let (mut changed, mut requests) = (BTreeSet::new(), Vec::new());
    for _ in 0..SERVICES_TOTAL / STEPS * 2 {
        let n = random.below(SERVICES_TOTAL);
        // Not twice the same in one step: requests of a step are in no order.
        if !changed.insert(n) {
            continue;
        }
        let name = name(n);
        if there.remove(&n) {
            requests.push(Request::delete(format!("{SERVICES}/{name}")));
            requests.push(Request::delete(format!("{SLICES}/{name}")));
        } else {
            there.insert(n);
            let slice = endpoint_slice(&name, &["node-1"]);
            requests.push(Request::create(SERVICES, service(&name)));
            requests.push(Request::create(SLICES, slice));
        }
    }
    api.send_all(&requests)
}

/// The addresses of the Services that have one, each with all who have it.
fn holders(api: &ApiServer) -> Result<BTreeMap<String, Vec<String>>> {
    let list = api.get(SERVICES)?;
    let mut holders: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let services = list.get("items").and_then(Value::as_array);
    for service in services.into_iter().flatten() {
        for address in published(service).0 {
            let name = service.pointer("/metadata/name");
            let name = name.and_then(Value::as_str).unwrap_or_default();
            let holders = holders.entry(address.to_owned()).or_default();
            holders.push(name.to_owned());
        }
    }
    Ok(holders)
}

/// Waits until so many addresses are in use, each by one Service, and returns them.
fn await_settled(api: &ApiServer, services: usize) -> Result<BTreeSet<String>> {
    wait::until(
        "every Service to have an address of its own",
        SOON * 2,
        || {
            let holders = holders(api)?;
            let twice = holders.values().find(|holders| holders.len() > 1);
            ensure!(twice.is_none(), "{twice:?}");
            ensure!(holders.len() == services, "{} of {services}", holders.len());
            Ok(holders.into_keys().collect())
        },
    )
}

#[test]
fn nothing_is_given_twice_or_lost_among_500_services_while_leaders_change() {
    test(|lab| {
        let site = Site::new(lab, &[11, 12])?;
        let config = "\
            peers:\n\
            - {my-asn: 64512, peer-asn: 64512, peer-address: 192.0.2.1}\n\
            address-pools:\n\
            - {name: pool, protocol: bgp, addresses: [198.51.100.0/23]}\n";
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"},
            "data": {"config": config},
        });
        let maps = "/api/v1/namespaces/metallb-system/configmaps";
        site.api.send(&Request::create(maps, map))?;
        let mut nodes = [site.node("node-1", 11)?, site.node("node-2", 12)?];
        let api = &site.api;
        let (mut random, mut there) = (Random(7), BTreeSet::new());
        for step in 0..STEPS {
            shuffle(api, &mut random, &mut there)?;
            let node = &mut nodes[step % 2];
            match step % 3 {
                0 => {
                    node.process.terminate()?;
                    node.restart()?;
                }
                1 => {
                    node.process.kill()?;
                    node.restart()?;
                }
                _ => {}
            }
        }
        let addresses = await_settled(api, there.len())?;
        let before = version(api)?;
        let table: BTreeSet<_> = addresses.iter().map(|ip| format!("{ip}/32")).collect();
        wait::until("the router to have what the API has", SOON, || {
            let routes = site.router.routes(carillon_lab::Family::V4)?;
            let routed: BTreeSet<_> = routes.keys().map(ToString::to_string).collect();
            ensure!(
                routed == table,
                "{} of {} routes",
                routed.len(),
                table.len()
            );
            Ok(())
        })?;
        // Nothing is leaked: all that is left fits into the pool.
        let rest: Vec<_> = (0..512 - there.len())
            .map(|n| Request::create(SERVICES, service(&format!("rest-{n}"))))
            .collect();
        let written = writes_since(api, SERVICES, &before)?;
        ensure!(written.is_empty(), "{written:?}");
        api.send_all(&rest)?;
        await_settled(api, 512)?;
        Ok(())
    });
}
