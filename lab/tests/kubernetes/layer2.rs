//! Layer 2 on the whole cluster: two nodes, of which one at a time announces the address of a
//! service to their segment, and kube-proxy behind them.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use carillon_lab::kubernetes::{Cluster, Node};
use carillon_lab::layer2::Asker;
use carillon_lab::{Host, ip, seed, test, wait};
use serde_json::Value;

use crate::pods::{SOON, await_gateways, await_rollout, install, kubectl, speakers};

const VIP: &str = "192.168.7.100";
/// What is added to the seed's pools.
const POOL: &str = "    - name: lan
      protocol: layer2
      auto-assign: false
      addresses:
      - 192.168.7.100/32
";
const SERVICE: &str = "{apiVersion: v1, kind: Service, metadata: {name: lan, annotations: {\
    metallb.io/address-pool: lan}}, spec: {type: LoadBalancer, selector: {env: test}, \
    ports: [{port: 80}]}}";
const GUIDE: &str = include_str!("../../../docs/openshift.md");
const BOTH: [&str; 2] = ["master-0", "worker-0"];
/// How long the API server is away before a node is lost.
const AWAY: Duration = Duration::from_secs(60);
/// How many visits may fail in a planned move: a connection that is under way then is known to the
/// old node only, which no announcement can help.
const UNLUCKY: usize = 3;

#[test]
fn one_node_announces_an_address_to_the_segment_and_another_takes_over() {
    test(|lab| {
        let mut cluster = Cluster::start(lab)?;
        let config = seed::CONFIG_MAP.to_owned() + POOL;
        install(&cluster, &[&*config, seed::DEMO, SERVICE])?;
        let asker = lab.host("asker")?;
        cluster.lan.plug(&asker, "eth0", &["192.168.7.20/24"])?;
        without_the_secret_bgp_works_and_status_says_what_to_do(&cluster)?;
        with_it_the_address_is_reached(&cluster)?;
        status_tells_nodes_and_owner(&cluster)?;
        a_rolling_update_loses_nothing(&cluster, &asker)?;
        a_label_drains_a_node_and_cordoning_does_not(&cluster)?;
        a_node_is_lost_while_the_api_server_is_away(&mut cluster, &asker)
    });
}

fn without_the_secret_bgp_works_and_status_says_what_to_do(cluster: &Cluster) -> Result<()> {
    await_gateways(cluster, seed::VIP, &BOTH)?;
    let address = "get service lan --output jsonpath={.status.loadBalancer.ingress[*].ip}";
    wait::until("the address of the service", SOON, || {
        let address = kubectl(cluster, address)?;
        ensure!(address == VIP, "it has {address:?}");
        Ok(())
    })?;
    let remedy = "kubectl create secret generic carillon-gossip -n metallb-system";
    for pod in speakers(cluster, "{.metadata.name}")? {
        wait::until(format!("{pod} to say what to do"), SOON, || {
            let log = kubectl(cluster, &format!("logs -n metallb-system {pod}"))?;
            ensure!(log.contains(remedy), "{log}");
            let status = status_text(cluster, &pod)?;
            ensure!(status.contains(remedy), "{status}");
            Ok(())
        })?;
    }
    ensure!(visit(cluster).is_err(), "{VIP} is announced");
    Ok(())
}

/// As the guide says.
fn with_it_the_address_is_reached(cluster: &Cluster) -> Result<()> {
    let (_, command) = GUIDE
        .split_once("oc create secret generic carillon-gossip")
        .context("the guide has no such command")?;
    let (command, _) = command.split_once("\n```").context("it has no end")?;
    let kubectl = cluster.api.kubectl_line();
    let line = format!("{kubectl} create secret generic carillon-gossip{command}");
    let created = Command::new("sh").args(["-ec", &line]).output()?;
    let said = String::from_utf8_lossy(&created.stderr);
    ensure!(created.status.success(), "{line}: {said}");
    let begun = Instant::now();
    wait::until("an answer", SOON, || visit(cluster))?;
    println!("{:?} from the Secret to the answer", begun.elapsed());
    await_gateways(cluster, seed::VIP, &BOTH)
}

fn status_tells_nodes_and_owner(cluster: &Cluster) -> Result<()> {
    let owner = owner(cluster)?.name();
    for pod in speakers(cluster, "{.metadata.name}")? {
        wait::until(format!("the status of {pod}"), SOON, || {
            let status = status(cluster, &pod)?;
            let told = |pointer: &str| status.pointer(pointer).and_then(Value::as_str);
            ensure!(told("/owned/0/owner") == Some(owner), "{status:#}");
            let nodes = [told("/nodes/0/name"), told("/nodes/1/name")];
            ensure!(nodes == BOTH.map(Some), "{status:#}");
            let problems = status.pointer("/problems/other");
            let count = problems.and_then(Value::as_array).map(Vec::len);
            ensure!(count == Some(0), "{problems:?}");
            Ok(())
        })?;
    }
    Ok(())
}

fn a_rolling_update_loses_nothing(cluster: &Cluster, asker: &Host) -> Result<()> {
    let visitor = Visitor::start(&cluster.router)?;
    let asking = ask(asker)?;
    kubectl(
        cluster,
        "rollout restart daemonset/speaker -n metallb-system",
    )?;
    await_rollout(cluster)?;
    let answers = asking.stop();
    let (moves, double) = (answers.moves(), answers.time_with_two_owners());
    println!("{moves} moves in a rolling update, {double:?} with two owners");
    ensure!(moves <= 2, "{moves} moves");
    ensure!(
        double <= Duration::from_secs(1),
        "{double:?} with two owners"
    );
    visitor.ensure_lucky("a rolling update")
}

fn a_label_drains_a_node_and_cordoning_does_not(cluster: &Cluster) -> Result<()> {
    let set = "set env daemonset/speaker -n metallb-system CARILLON_DRAIN_ON=label:maintenance";
    kubectl(cluster, set)?;
    await_rollout(cluster)?;
    wait::until("an answer", SOON, || visit(cluster))?;
    let old = owner(cluster)?.name();
    let visitor = Visitor::start(&cluster.router)?;
    kubectl(cluster, &format!("cordon {old}"))?;
    thread::sleep(Duration::from_secs(3));
    ensure!(owner(cluster)?.name() == old, "cordoning has moved {VIP}");
    kubectl(cluster, &format!("uncordon {old}"))?;

    kubectl(cluster, &format!("label node {old} maintenance=soon"))?;
    wait::until("another node to have it", SOON, || {
        ensure!(owner(cluster)?.name() != old, "{old} has it");
        Ok(())
    })?;
    let others: Vec<_> = BOTH.into_iter().filter(|node| *node != old).collect();
    await_gateways(cluster, seed::VIP, &others)?;
    visitor.ensure_lucky("draining")?;
    kubectl(cluster, &format!("label node {old} maintenance-"))?;
    await_gateways(cluster, seed::VIP, &BOTH)?;
    ensure!(owner(cluster)?.name() != old, "{old} has taken {VIP} back");
    Ok(())
}

/// Only pods of the other node serve then, as Kubernetes would arrange it if it knew.
fn a_node_is_lost_while_the_api_server_is_away(cluster: &mut Cluster, asker: &Host) -> Result<()> {
    let old = owner(cluster)?.name().to_owned();
    let lost = seed::NODES.into_iter().find(|node| node.name == old);
    let pod = lost.context("no such node")?.pod;
    kubectl(cluster, &format!("delete pod {pod} --grace-period 1"))?;
    let slices = "get endpointslices --selector kubernetes.io/service-name=lan --output \
                  jsonpath={.items[*].endpoints[*].nodeName}";
    wait::until("the other pod to serve alone", SOON, || {
        let nodes = kubectl(cluster, slices)?;
        ensure!(!nodes.contains(&old), "those of {nodes} serve");
        Ok(())
    })?;
    cluster.api.stop()?;
    thread::sleep(AWAY);
    ensure!(answering(asker)? == 1, "not one node answers");

    let visitor = Visitor::start(&cluster.router)?;
    thread::sleep(Duration::from_secs(1));
    let cut = Instant::now();
    cluster.node(&old)?.cable().cut()?;
    wait::until("another node to have it", SOON, || {
        visit(cluster)?;
        ensure!(owner(cluster)?.name() != old, "{old} has it");
        Ok(())
    })?;
    thread::sleep(Duration::from_secs(1));
    let outage = visitor.stop().outage(cut);
    println!("{outage:?} without an answer after a node was cut, without an API server");
    ensure!(outage < Duration::from_secs(10), "{outage:?} without it");

    cluster.node(&old)?.cable().mend()?;
    wait::until("one owner again", SOON, || {
        let answering = answering(asker)?;
        ensure!(answering == 1, "{answering} nodes answer");
        ensure!(owner(cluster)?.name() != old, "{old} has taken it back");
        Ok(())
    })?;
    cluster.api.start_again()?;
    visit(cluster)
}

/// How many stations answer to who asks for the address.
fn answering(asker: &Host) -> Result<usize> {
    let asking = ask(asker)?;
    thread::sleep(Duration::from_millis(300));
    Ok(asking.stop().stations().len())
}

fn ask(asker: &Host) -> Result<Asker> {
    let own = (Ipv4Addr::new(192, 168, 7, 20), Ipv6Addr::LOCALHOST);
    Asker::start(asker, own, vec![ip(VIP)], Duration::from_millis(20))
}

/// The node to which the router sends what is for the address.
fn owner(cluster: &Cluster) -> Result<&Node> {
    let mac = cluster.router.neighbor(ip(VIP))?;
    for node in cluster.nodes() {
        if node.host().mac("enp1s0")? == mac {
            return Ok(node);
        }
    }
    anyhow::bail!("{mac} is no node")
}

fn status_text(cluster: &Cluster, pod: &str) -> Result<String> {
    let exec = format!("exec -n metallb-system {pod} -- carillon status");
    kubectl(cluster, &exec)
}

fn status(cluster: &Cluster, pod: &str) -> Result<Value> {
    let exec = format!("exec -n metallb-system {pod} -- carillon status --json");
    Ok(serde_json::from_str(&kubectl(cluster, &exec)?)?)
}

/// Visits the service from the router.
fn visit(cluster: &Cluster) -> Result<()> {
    let curl = ["-sS", "--max-time", "1", VIP];
    let answer = cluster.router.run("curl", curl)?;
    ensure!(answer.contains("Hello!"), "{answer}");
    Ok(())
}

/// Visits the service again and again from a host.
struct Visitor {
    visits: Arc<Mutex<Vec<Visit>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Visit {
    begun: Instant,
    ended: Instant,
    result: io::Result<()>,
}

struct Visits(Vec<Visit>);

impl Visitor {
    /// How long a visit may take.
    const PATIENCE: Duration = Duration::from_millis(250);
    const PAUSE: Duration = Duration::from_millis(10);

    fn start(host: &Host) -> Result<Self> {
        let visits: Arc<Mutex<Vec<Visit>>> = Arc::default();
        let ended: Arc<AtomicBool> = Arc::default();
        let (list, end) = (visits.clone(), ended.clone());
        // A thread is in the namespace of the one that started it.
        let thread = host.enter(|| {
            thread::spawn(move || {
                while !end.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    let result = Self::visit(SocketAddr::new(ip(VIP), 80));
                    let ended = Instant::now();
                    list.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(Visit {
                            begun,
                            ended,
                            result,
                        });
                    thread::sleep(Self::PAUSE);
                }
            })
        })?;
        Ok(Self {
            visits,
            ended,
            thread: Some(thread),
        })
    }

    fn visit(service: SocketAddr) -> io::Result<()> {
        let mut stream = TcpStream::connect_timeout(&service, Self::PATIENCE)?;
        stream.set_read_timeout(Some(Self::PATIENCE))?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let is_right = answer.contains("Hello!");
        is_right
            .then_some(())
            .ok_or_else(|| io::Error::other(answer))
    }

    fn stop(mut self) -> Visits {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let visits =
            std::mem::take(&mut *self.visits.lock().unwrap_or_else(PoisonError::into_inner));
        Visits(visits)
    }

    /// Ends the visits of a planned change.
    fn ensure_lucky(self, what: &str) -> Result<()> {
        let visits = self.stop().0;
        let failed = visits
            .iter()
            .filter_map(|visit| visit.result.as_ref().err());
        let failed: Vec<_> = failed.map(ToString::to_string).collect();
        let (count, all) = (failed.len(), visits.len());
        println!("{count} of {all} visits failed during {what}");
        ensure!(
            count <= UNLUCKY,
            "{count} of {all} during {what}: {failed:?}"
        );
        Ok(())
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Visits {
    /// From a moment to the begin of the first visit from which on all succeed.
    fn outage(&self, from: Instant) -> Duration {
        let failed = self.0.iter().filter(|visit| visit.result.is_err());
        let last = failed.map(|visit| visit.ended).max();
        let after = |visit: &&Visit| last.is_some_and(|last| visit.begun >= last);
        let first = self.0.iter().find(after);
        first.map_or(Duration::ZERO, |first| {
            first.begun.saturating_duration_since(from)
        })
    }
}
