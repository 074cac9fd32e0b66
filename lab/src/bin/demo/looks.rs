//! The looks at the router that both demos share. Every one checks what it shows.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use carillon_lab::{Family, Frr, Host, ip, next_hops, seed, wait};
use ipnet::IpNet;

use crate::page;

/// For what takes milliseconds when all is well; a busy machine may take its time.
pub(crate) const SOON: Duration = Duration::from_secs(30);
const REQUESTS: usize = 10;

/// The router.
#[derive(Clone, Copy)]
pub(crate) struct Router<'a> {
    pub(crate) host: &'a Host,
    pub(crate) frr: &'a Frr,
}

impl Router<'_> {
    /// Types the configuration.
    pub(crate) fn configure(self) -> Result<()> {
        self.frr.configure(seed::ROUTER_CONFIG)?;
        page::command("[root@bgp-router ~]#", "vtysh", seed::ROUTER_CONFIG);
        Ok(())
    }

    /// Shows what a command in vtysh prints.
    fn vtysh(self, command: &str) -> Result<()> {
        page::command("bgp-router#", command, &self.frr.vtysh(command)?);
        Ok(())
    }

    /// Shows the sessions: one with each node, each with `count` prefixes.
    pub(crate) fn sessions(self, count: u64) -> Result<()> {
        self.await_sessions(count)?;
        self.vtysh("show ip bgp summary")
    }

    /// Waits until there is a session with each node and nobody else, each with `count` prefixes.
    pub(crate) fn await_sessions(self, count: u64) -> Result<()> {
        let what = format!("two sessions with {count} prefixes each");
        wait::until(what, SOON, || {
            let neighbors = self.frr.neighbors(Family::V4)?;
            let who: BTreeSet<_> = neighbors.keys().copied().collect();
            ensure!(who == nodes(), "sessions with {who:?}");
            for (address, neighbor) in neighbors {
                let (state, received) = (&neighbor.state, neighbor.received);
                ensure!(state == "Established", "{address} is {state}");
                ensure!(received == count, "{address} sent {received} prefixes");
                ensure!(
                    neighbor.connections_dropped == 0,
                    "the session with {address} went down"
                );
            }
            Ok(())
        })
    }

    /// Shows the route to the service over both nodes.
    pub(crate) fn routes(self) -> Result<()> {
        self.await_kernel_route(&nodes())?;
        for address in nodes() {
            self.vtysh(&format!("show ip bgp neighbors {address} routes"))?;
            let received = self.frr.routes_from(address, Family::V4)?;
            let hops = next_hops(&received, prefix());
            ensure!(
                received.len() == 1 && hops == BTreeSet::from([address]),
                "{received:?}"
            );
        }
        self.kernel_routes()?;
        page::met(&format!(
            "{}/32 goes to both nodes, at equal cost",
            seed::VIP
        ));
        Ok(())
    }

    /// Shows that the route is gone, and the sessions are not.
    pub(crate) fn withdrawn(self) -> Result<()> {
        self.await_sessions(0)?;
        self.await_kernel_route(&BTreeSet::new())?;
        self.vtysh("show ip bgp summary")?;
        self.kernel_routes()?;
        page::met("both nodes withdrew the route, and their sessions stay");
        Ok(())
    }

    fn kernel_routes(self) -> Result<()> {
        let output = self.host.ip("route")?;
        page::command("[root@bgp-router ~]#", "ip route", &output);
        Ok(())
    }

    /// Waits until the kernel has the route to the service over exactly these gateways.
    fn await_kernel_route(self, gateways: &BTreeSet<IpAddr>) -> Result<()> {
        let what = format!("the route to {} over {gateways:?}", seed::VIP);
        wait::until(what, SOON, || {
            let mut routes = self.host.routes(Family::V4)?;
            let seen = routes.remove(&prefix()).unwrap_or_default();
            ensure!(seen == *gateways, "it goes over {seen:?}");
            Ok(())
        })
    }

    /// Shows requests to the service, which each of the pods (their addresses) answers some of, and
    /// returns how many.
    pub(crate) fn requests(self, pods: &[String]) -> Result<usize> {
        let mut answers: BTreeMap<_, usize> = pods.iter().map(|pod| (pod, 0)).collect();
        let mut count = 0;
        // Chance may choose one pod ten times; hardly a hundred times.
        while count < REQUESTS || answers.values().any(|of| *of == 0) && count < 10 * REQUESTS {
            count += 1;
            let curl = ["-sS", "--max-time", "5", seed::VIP];
            let answer = self.host.run("curl", curl)?;
            let answer = answer.trim_end();
            println!("[root@bgp-router ~]# curl {}\n{answer}", seed::VIP);
            let pod = pods.iter().find(|pod| answer.ends_with(&format!(">{pod}")));
            let pod =
                pod.with_context(|| format!("the answer is from nobody we know: {answer}"))?;
            *answers.entry(pod).or_default() += 1;
        }
        println!();
        ensure!(
            answers.values().all(|count| *count > 0),
            "one of the pods answered none: {answers:?}"
        );
        let counts: Vec<_> = answers
            .iter()
            .map(|(pod, count)| format!("{pod} answered {count}"))
            .collect();
        page::met(&format!("{count} requests: {}", counts.join(", ")));
        Ok(count)
    }
}

fn prefix() -> IpNet {
    ip(seed::VIP).into()
}

fn nodes() -> BTreeSet<IpAddr> {
    seed::NODES.iter().map(|node| ip(node.address)).collect()
}
