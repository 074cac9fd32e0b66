//! `allocation`: what the controller role takes to find an address, from the service put in to the
//! status change that comes out. No other program takes part, and nothing is read or written.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use carillon_core::address::Family;
use carillon_core::config::Pool;
use carillon_core::controller::{Controller, Input};
use carillon_core::service::{Families, Service};
use carillon_core::testing::{self, config, pool, ports};

use super::chart::Chart;
use super::record::Record;
use super::report::{Report, Row};
use super::{Options, millis, progress};

const MANY: usize = 10_000;
/// How often each allocation is repeated, its service being deleted again.
const REPETITIONS: usize = 2_000;
/// How often all are allocated.
const FILLS: usize = 20;
/// The allocations that are looked at: the first, the tenth, ….
const LOOK_AT: [usize; 5] = [1, 10, 100, 1_000, MANY];
const SYSTEM: &str = "Carillon";

/// What the services ask for.
#[derive(Clone, Copy)]
enum Wish {
    /// An IPv4 address out of a /15.
    Ipv4,
    /// An IPv6 address out of a /64.
    Ipv6,
    /// Like `Ipv4`, shared by a hundred services with different ports each.
    Shared,
    /// Like `Ipv4`, all willing to share with each other, and none able to: they have the same port.
    Contended,
}

const WISHES: [(Wish, &str); 4] = [
    (Wish::Ipv4, "IPv4"),
    (Wish::Ipv6, "IPv6 /64"),
    (Wish::Shared, "100 sharing keys"),
    (Wish::Contended, "one sharing key, one port"),
];

/// Runs it.
pub fn run(options: &Options) -> Result<Report> {
    let chart = Chart::lines("One more allocation, median, by number of services", "µs");
    let mut report = Report::new("allocation", chart);
    let fills = options.runs.unwrap_or(FILLS);
    let bar = progress("allocation", WISHES.len() * (fills + LOOK_AT.len()));
    for (wish, name) in WISHES {
        bar.set_message(name);
        let mut totals = Vec::new();
        for _ in 0..fills {
            totals.push(millis(fill(wish)?));
            bar.inc(1);
        }
        let case = format!("{name}: all, one by one");
        report.rows.push(record(&case, MANY, "ms", &totals)?.into());
        let mut first = None;
        for nth in LOOK_AT {
            let record = record(&format!("{name}: nth"), nth, "us", &repeat(wish, nth)?)?;
            report.chart.point(name, nth, record.p50);
            let (p50, first) = (record.p50, *first.get_or_insert(record.p50));
            let mut row = Row::from(record);
            if nth == MANY {
                let met = p50 <= 2.0 * first;
                row.aim(format!("p50 ≤ 2 × {first:.2}, the first"), met);
            }
            report.rows.push(row);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(report)
}

fn record(case: &str, n: usize, unit: &'static str, samples: &[f64]) -> Result<Record> {
    Record::new(SYSTEM, case, n, unit, samples).context("no runs")
}

/// The time to allocate for all services, each status change coming back before the next service.
fn fill(wish: Wish) -> Result<Duration> {
    let services: Vec<Service> = (0..MANY).map(|number| service(wish, number)).collect();
    let mut controller = controller(wish)?;
    let before = Instant::now();
    for service in services {
        allocate(&mut controller, service)?;
    }
    Ok(before.elapsed())
}

/// The times of the `nth` allocation in µs, over and over, beside `nth - 1` services that stay.
fn repeat(wish: Wish, nth: usize) -> Result<Vec<f64>> {
    let mut controller = controller(wish)?;
    for number in 1..nth {
        allocate(&mut controller, service(wish, number))?;
    }
    let mut times = Vec::with_capacity(REPETITIONS);
    for _ in 0..REPETITIONS {
        let last = service(wish, nth);
        let key = last.key.clone();
        let before = Instant::now();
        controller.handle(Input::Service(last));
        let change = controller.poll_change();
        times.push(before.elapsed().as_secs_f64() * 1e6);
        ensure!(
            change.is_some_and(|change| !change.addresses.is_empty()),
            "no address"
        );
        controller.handle(Input::ServiceDeleted(key));
        ensure!(
            controller.poll_change().is_none(),
            "a deletion changed another service"
        );
    }
    Ok(times)
}

/// Allocates and publishes.
fn allocate(controller: &mut Controller, mut service: Service) -> Result<()> {
    controller.handle(Input::Service(service.clone()));
    let change = controller
        .poll_change()
        .context("no address for a service")?;
    let published = change.addresses.into_iter();
    service.publish(published.map(carillon_core::service::Ingress::Address));
    controller.handle(Input::Service(service));
    ensure!(
        controller.poll_change().is_none(),
        "the published address is changed again"
    );
    Ok(())
}

fn controller(wish: Wish) -> Result<Controller> {
    let block = match wish {
        Wish::Ipv4 | Wish::Shared | Wish::Contended => "100.64.0.0/15",
        Wish::Ipv6 => "2001:db8::/64",
    };
    let pool = Pool {
        avoid_buggy_ips: true,
        ..pool("pool", &[block])
    };
    let config = config([pool]);
    let mut controller = Controller::new(None);
    controller.handle(Input::Config(Arc::new(config)));
    controller.handle(Input::Synced);
    ensure!(
        controller.poll_change().is_none(),
        "a change without services"
    );
    Ok(controller)
}

fn service(wish: Wish, number: usize) -> Service {
    let (family, sharing_key, port) = match wish {
        Wish::Ipv4 => (Family::V4, None, 80),
        Wish::Ipv6 => (Family::V6, None, 80),
        Wish::Shared => (
            Family::V4,
            Some(format!("key-{}", number / 100)),
            number % 100,
        ),
        Wish::Contended => (Family::V4, Some("key".to_owned()), 80),
    };
    let mut service = testing::service(&format!("service-{number}"));
    service.families = Ok(Families::One(family));
    service.requests.sharing_key = sharing_key;
    service.ports = ports(&[u16::try_from(port).unwrap_or(u16::MAX)]);
    service
}
