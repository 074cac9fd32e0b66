//! `l2-scale`: many addresses, and a segment where much is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use carillon_core::interface::MacAddress;

use crate::bench::chart::Chart;
use crate::bench::kubernetes::cpu_seconds;
use crate::bench::record::Record;
use crate::bench::report::{Report, Row};
use crate::bench::{Options, millis, progress};
use crate::layer2::{Answers, Arp, Cluster, PacketSocket, arp, endpoints, service};
use crate::{Carillon, Lab, wait};

const RUNS: usize = 10;
const NODES: [&str; 3] = ["alpha", "beta", "gamma"];
const ADDRESSES: u32 = 10_000;
const PER_FILE: usize = 500;
/// The subnet 10.7.0.0/16: nodes from .0.11 on, every second address from .128.0, foreign ones below
/// and between.
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 7, 128, 0);
const FOREIGN: Ipv4Addr = Ipv4Addr::new(10, 7, 1, 0);
/// Between two questions when all addresses are gone through: 20 000 in a second.
const SWEEP: Duration = Duration::from_micros(50);
/// Between two questions when the time to the answer counts.
const CALM: Duration = Duration::from_millis(5);
/// How long the foreign questions last, and how many there are in each millisecond.
const STORM: Duration = Duration::from_secs(10);
const PER_MILLISECOND: u32 = 20;
const WATCH: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the nodes are left alone after a cut.
const REST: Duration = Duration::from_secs(10);
/// A tenth of what MetalLB took of a core with 2 000 addresses, and the reply's p99 in ms.
const AIM: (f64, f64) = (9.1, 1.0);
const CASES: [(&str, Option<Foreign>); 3] = [
    ("at rest", None),
    ("under foreign ARP", Some(Foreign::Elsewhere)),
    ("under foreign ARP between ours", Some(Foreign::Between)),
];
const ELSEWHERE: &str = "\
MetalLB 0.16.1 with 2 000 addresses, measured on another day on a machine like this one, under 20 000 \
foreign questions in a second: 91 % of a core; reply p50 / p99 / max 0.6 / 10.9 / 42 ms; at rest 3 %, \
0.7 / 1.4 / 1.9 ms.";

/// Runs it.
pub fn run(options: &Options) -> Result<Report> {
    let cluster = cluster()?;
    let nodes = cluster.start_all(&[])?;
    await_all(&cluster)?;
    let chart = Chart::ranges("10 000 addresses: min, median, max", "ms");
    let mut report = Report::new("l2-scale", chart);
    report.notes.push(ELSEWHERE.to_owned());
    take_over(&cluster, options.runs.unwrap_or(RUNS), &mut report)?;
    await_all(&cluster)?;
    for (case, storm) in CASES {
        replies(&cluster, &nodes, (case, storm), &mut report)?;
    }
    Ok(report)
}

/// Where addresses lie that nobody has.
#[derive(Clone, Copy)]
enum Foreign {
    Elsewhere,
    Between,
}

impl Foreign {
    fn address(self, count: u32) -> Ipv4Addr {
        match self {
            Self::Elsewhere => Ipv4Addr::from_bits(FOREIGN.to_bits() + count % 4096),
            Self::Between => Ipv4Addr::from_bits(FIRST.to_bits() + count % ADDRESSES * 2 + 1),
        }
    }
}

fn addresses() -> impl Iterator<Item = IpAddr> {
    (0..ADDRESSES).map(|number| Ipv4Addr::from_bits(FIRST.to_bits() + number * 2).into())
}

fn cluster() -> Result<Cluster> {
    let cluster = Cluster::new(&Lab::new()?, &NODES)?;
    cluster.configure(&["{name: pool, protocol: layer2, addresses: [10.7.128.0/17]}"])?;
    for station in &cluster.segment.stations {
        let own = format!("10.7.0.{}/16", station.number);
        station.host.address("eth0", &[&own])?;
    }
    let all: Vec<_> = addresses().collect();
    for (number, chunk) in all.chunks(PER_FILE).enumerate() {
        let mut text = String::new();
        for address in chunk {
            let name = address.to_string().replace('.', "-");
            let name = format!("s{name}");
            text += &service(&name, *address, "");
            let _ = write!(text, "{}", endpoints(&name, *address, &NODES));
        }
        cluster.write(&format!("many{number}.yaml"), &text)?;
    }
    Ok(cluster)
}

/// Asks for all addresses once; who answered.
fn owners(cluster: &Cluster) -> Result<BTreeMap<IpAddr, BTreeSet<MacAddress>>> {
    let all: Vec<_> = addresses().collect();
    let asker = cluster.segment.ask(&all, SWEEP)?;
    thread::sleep(SWEEP * ADDRESSES + Duration::from_millis(100));
    let mut owners: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (_, address, answers) in asker.stop().questions {
        let stations = answers.iter().map(|answer| answer.station);
        owners.entry(address).or_default().extend(stations);
    }
    Ok(owners)
}

/// Waits until every address has one owner, and returns them.
fn await_all(cluster: &Cluster) -> Result<BTreeMap<IpAddr, MacAddress>> {
    wait::until("one owner of each address", PATIENCE, || {
        let owners = owners(cluster)?;
        let single = owners.iter().filter(|(_, stations)| stations.len() == 1);
        let count = single.count();
        ensure!(
            count == owners.len(),
            "{count} of {} have one",
            owners.len()
        );
        let owner =
            |(address, stations): (_, BTreeSet<_>)| Some((address, stations.into_iter().next()?));
        Ok(owners.into_iter().filter_map(owner).collect())
    })
}

/// Cuts the node that has the most addresses.
fn take_over(cluster: &Cluster, runs: usize, report: &mut Report) -> Result<()> {
    let bar = progress("l2-scale", runs);
    let (mut announced, mut answered) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let owners = await_all(cluster)?;
        let stations = cluster.segment.stations.iter();
        let count = |mac| owners.values().filter(|owner| **owner == mac).count();
        let busiest = stations.max_by_key(|station| count(station.mac));
        let busiest = busiest.context("no node")?;
        let orphans = owners.iter().filter(|(_, owner)| **owner == busiest.mac);
        let orphans: Vec<_> = orphans.map(|(address, _)| *address).collect();
        let asker = cluster.segment.ask(&orphans, SWEEP)?;
        thread::sleep(Duration::from_millis(rand::random_range(500..1500)));
        asker.ask_until_taken_from(busiest.mac);
        let cut = Instant::now();
        busiest.cable.cut()?;
        thread::sleep(WATCH);
        let heard = asker.stop();
        busiest.cable.mend()?;
        let times = taken_over(&heard, cut, busiest.mac, orphans.len())?;
        announced.push(millis(times.0));
        answered.push(millis(times.1));
        thread::sleep(REST);
        bar.inc(1);
    }
    bar.finish_and_clear();
    for (case, samples) in [
        ("owner cut: the last is announced", announced),
        ("owner cut: the last is answered", answered),
    ] {
        let record = record(case, "ms", &samples)?;
        let range = [record.min, record.p50, record.max];
        report.chart.range(case, range);
        report.rows.push(record.into());
    }
    Ok(())
}

/// How long after the cut the last address was announced, and answered, by another node.
fn taken_over(
    heard: &Answers,
    cut: Instant,
    lost: MacAddress,
    count: usize,
) -> Result<(Duration, Duration)> {
    let answers = heard.questions.iter().flat_map(|(_, _, answers)| answers);
    let last = |answers: &mut dyn Iterator<Item = &crate::layer2::Answer>| {
        let mut firsts: BTreeMap<IpAddr, Instant> = BTreeMap::new();
        for answer in answers.filter(|answer| answer.at > cut && answer.station != lost) {
            let first = firsts.entry(answer.address).or_insert(answer.at);
            *first = (*first).min(answer.at);
        }
        (
            firsts.len(),
            firsts
                .into_values()
                .max()
                .map_or(Duration::ZERO, |last| last - cut),
        )
    };
    let asked: BTreeSet<_> = heard
        .questions
        .iter()
        .map(|(_, address, _)| *address)
        .collect();
    let mut announcements = heard
        .announced
        .iter()
        .filter(|answer| asked.contains(&answer.address));
    let (announced, first) = last(&mut announcements);
    let (answered, second) = last(&mut answers.into_iter());
    ensure!(
        announced == count && answered == count,
        "of {count} addresses {announced} were announced and {answered} answered after {WATCH:?}"
    );
    Ok((first, second))
}

/// What the daemons use of a core, and how long a client waits for a reply.
fn replies(
    cluster: &Cluster,
    nodes: &[Carillon],
    (case, foreign): (&str, Option<Foreign>),
    report: &mut Report,
) -> Result<()> {
    let cpu = || nodes.iter().map(|node| cpu_seconds(node.process.id()));
    let all: Vec<_> = addresses().collect();
    let ended = AtomicBool::new(false);
    let (heard, used, asked) = thread::scope(|scope| {
        let ended = &ended;
        let spawn = |foreign| scope.spawn(move || storm(cluster, foreign, ended));
        let storm = foreign.map(spawn);
        let outcome = watch(cluster, &all, &cpu);
        ended.store(true, Ordering::Relaxed);
        let asked = storm.map(ScopedJoinHandle::join).transpose();
        outcome.map(|(heard, used)| (heard, used, asked))
    })?;
    if let Ok(Some(asked)) = asked {
        report.notes.push(format!(
            "Foreign questions, {case}: {:.0} in a second.",
            asked?
        ));
    }
    let delays: Vec<_> = heard.delays().map(millis).collect();
    let mut row = Row::from(record(&format!("reply, {case}"), "ms", &delays)?);
    row.aim(format!("p99 ≤ {}", AIM.1), row.record.p99 <= AIM.1);
    report.rows.push(row);
    let unanswered = record(
        &format!("unanswered, {case}"),
        "questions",
        &[heard.unanswered() as f64],
    )?;
    report.rows.push(unanswered.into());
    let mut row = Row::from(record(&format!("CPU of each daemon, {case}"), "%", &used)?);
    row.aim(format!("max ≤ {}", AIM.0), row.record.max <= AIM.0);
    report.rows.push(row);
    Ok(())
}

fn watch<I: Iterator<Item = Result<f64>>>(
    cluster: &Cluster,
    all: &[IpAddr],
    cpu: &impl Fn() -> I,
) -> Result<(Answers, Vec<f64>)> {
    thread::sleep(Duration::from_secs(1));
    let asker = cluster.segment.ask(all, CALM)?;
    let (start, before) = (Instant::now(), cpu().collect::<Result<Vec<_>>>()?);
    thread::sleep(STORM);
    let after = cpu().collect::<Result<Vec<_>>>()?;
    let time = start.elapsed().as_secs_f64();
    let used = after.into_iter().zip(before);
    let used = used.map(|(after, before)| 100.0 * (after - before) / time);
    Ok((asker.stop(), used.collect()))
}

/// Asks for addresses that nobody has, and returns how often in a second.
fn storm(cluster: &Cluster, foreign: Foreign, ended: &AtomicBool) -> Result<f64> {
    let client = &cluster.segment.client;
    let socket = PacketSocket::open(client)?;
    let interface = crate::layer2::interface(client, "eth0")?;
    let sender_mac = client.mac("eth0")?;
    let start = Instant::now();
    let (mut next, mut count) = (start, 0_u32);
    while !ended.load(Ordering::Relaxed) {
        for _ in 0..PER_MILLISECOND {
            let target = foreign.address(count);
            socket.send(
                &interface,
                &arp(&Arp {
                    is_request: true,
                    sender_mac,
                    sender: Ipv4Addr::new(192, 0, 2, 1),
                    target_mac: MacAddress([0; 6]),
                    target,
                }),
            )?;
            count += 1;
        }
        next += Duration::from_millis(1);
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

fn record(case: &str, unit: &'static str, samples: &[f64]) -> Result<Record> {
    Record::new("Carillon", case, usize::try_from(ADDRESSES)?, unit, samples).context("no samples")
}
