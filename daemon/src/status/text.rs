//! The status for people.

use std::fmt::Write;
use std::time::Duration;

use comfy_table::{ContentArrangement, Table, TableStyle};

use super::{Neighbor, Pool, Status, Usage};

#[cfg(test)]
mod tests;

/// How wide a table may be.
const WIDTH: u16 = 118;
/// How many services or routes are shown without `--all`.
const SHOWN: usize = 20;

/// The whole status; `all` shows every service and route.
pub(super) fn render(status: &Status, all: bool) -> String {
    let mut out = format!(
        "carillon {} on node {}, up {}\n",
        status.version,
        status.node,
        duration(status.uptime_seconds)
    );
    if status.drained {
        line(
            &mut out,
            "drained: everything is left to other nodes until `carillon undrain`",
        );
    }
    problems(&mut out, status);
    configuration(&mut out, status);
    controller(&mut out, status);
    pools(&mut out, &status.pools);
    services(&mut out, status, all);
    owned(&mut out, status, all);
    nodes(&mut out, status);
    dropped(&mut out, status, all);
    neighbors(&mut out, &status.neighbors, all);
    out
}

fn problems(out: &mut String, status: &Status) {
    let mut problems = status.problems.iter().peekable();
    if problems.peek().is_some() {
        heading(out, "Problems");
    }
    for problem in problems {
        line(out, &format!("  ! {problem}"));
    }
}

fn configuration(out: &mut String, status: &Status) {
    let configuration = &status.configuration;
    heading(out, "Configuration");
    let file = match &configuration.file {
        Some(file) if *file == configuration.object => String::new(),
        Some(file) => format!(" in {file}"),
        None => " not found".to_owned(),
    };
    let state = match (configuration.accepted_seconds_ago, configuration.up_to_date) {
        (Some(age), true) => format!("accepted {} ago", duration(age)),
        (Some(age), false) => {
            format!(
                "an older version is in force, accepted {} ago",
                duration(age)
            )
        }
        (None, _) => "none is in force".to_owned(),
    };
    line(out, &format!("  {}{file}: {state}", configuration.object));
}

fn controller(out: &mut String, status: &Status) {
    let Some(controller) = &status.controller else {
        return;
    };
    heading(out, "Controller");
    let text = match (&controller.holder, controller.leads) {
        (_, true) => match controller.unwritten {
            0 => "this node gives services their addresses".to_owned(),
            n => format!("this node gives services their addresses; {n} are still to be written"),
        },
        (Some(holder), false) => format!("{holder} gives services their addresses"),
        (None, false) => "nobody gives services addresses at present".to_owned(),
    };
    line(out, &format!("  {text}"));
}

fn pools(out: &mut String, pools: &[Pool]) {
    if pools.is_empty() {
        return;
    }
    heading(out, "Pools");
    let mut table = table([
        "NAME",
        "PROTOCOL",
        "AUTO",
        "IPV4 USED/FREE",
        "IPV6 USED/FREE",
        "ADDRESSES",
    ]);
    for pool in pools {
        table.add_row([
            pool.name.clone(),
            pool.protocol.clone(),
            if pool.auto_assign { "yes" } else { "no" }.to_owned(),
            usage(pool.ipv4),
            usage(pool.ipv6),
            some(&pool.addresses, 6),
        ]);
    }
    line(out, &table.to_string());
}

fn services(out: &mut String, status: &Status, all: bool) {
    let services = &status.services;
    heading(out, "Services");
    if services.is_empty() {
        line(out, "  no Service of type LoadBalancer");
        return;
    }
    let announced = services.iter().filter(|service| service.announced).count();
    line(
        out,
        &format!(
            "  {announced} of {} announced from this node",
            services.len()
        ),
    );
    let heard = |neighbor: &Neighbor| neighbor.sent_prefixes > 0;
    if announced > 0 && !status.neighbors.iter().any(heard) {
        line(out, "  but no peer is up to hear it: see below");
    }
    // What needs a look comes first.
    let (fine, troubled): (Vec<_>, Vec<_>) = services
        .iter()
        .partition(|service| service.announced && service.why.is_none());
    let shown = if all { usize::MAX } else { SHOWN };
    let mut table = table(["NAME", "ADDRESSES", "POOL", "ANNOUNCED", "WHY NOT"]);
    for service in troubled.iter().chain(&fine).take(shown) {
        let addresses: Vec<_> = service.addresses.iter().map(ToString::to_string).collect();
        let reason = service.reason.as_ref().map(|token| format!(" ({token})"));
        let why = service
            .why
            .as_ref()
            .map(|why| format!("{why}{}", reason.unwrap_or_default()));
        table.add_row([
            service.name.clone(),
            addresses.join(" "),
            service.pool.clone().unwrap_or_default(),
            if service.announced { "yes" } else { "no" }.to_owned(),
            why.unwrap_or_default(),
        ]);
    }
    line(out, &table.to_string());
    more(out, services.len(), shown);
}

fn owned(out: &mut String, status: &Status, all: bool) {
    if status.owned.is_empty() {
        return;
    }
    heading(out, "Addresses that one node announces");
    let here = status.held().count();
    line(out, &format!("  {here} of {} here", status.owned.len()));
    let (troubled, fine): (Vec<_>, Vec<_>) = status
        .owned
        .iter()
        .partition(|owned| owned.owner.is_none() || owned.trouble.is_some());
    let shown = if all { usize::MAX } else { SHOWN };
    let mut table = table(["ADDRESS", "NODE", "SINCE", "TERM", "WHY"]);
    for owned in troubled.iter().chain(&fine).take(shown) {
        let why = [&owned.trouble, &owned.why].into_iter().flatten();
        let why: Vec<&str> = why.map(String::as_str).collect();
        table.add_row([
            owned.address.to_string(),
            owned.owner.clone().unwrap_or_else(|| "none".to_owned()),
            owned.since_seconds.map(duration).unwrap_or_default(),
            owned.term.to_string(),
            why.join("; "),
        ]);
    }
    line(out, &table.to_string());
    more(out, status.owned.len(), shown);
}

fn nodes(out: &mut String, status: &Status) {
    if status.nodes.is_empty() {
        return;
    }
    heading(out, "Nodes");
    let mut table = table(["NODE", "DAEMON", "HEARD", "ADDRESSES", "WHY NONE"]);
    for node in &status.nodes {
        let heard = match (node.here, node.heard_seconds_ago) {
            (true, _) => "this node".to_owned(),
            (false, Some(seconds)) if seconds < 2.0 => "now".to_owned(),
            (false, Some(seconds)) => format!("{} ago", duration(seconds)),
            (false, None) => "never".to_owned(),
        };
        table.add_row([
            node.name.clone(),
            node.address.clone(),
            heard,
            node.addresses.to_string(),
            node.why_none.clone().unwrap_or_default(),
        ]);
    }
    line(out, &table.to_string());
    if let Some(unsent) = &status.unsent {
        let (count, last) = (unsent.count, duration(unsent.seconds_ago));
        let text = format!(
            "  {count} times, what was sent to them did not leave this host, {last} ago last"
        );
        line(out, &text);
    }
}

fn dropped(out: &mut String, status: &Status, all: bool) {
    if status.dropped.is_empty() {
        return;
    }
    heading(out, "Dropped datagrams of other daemons");
    let shown = if all { usize::MAX } else { SHOWN };
    let mut table = table(["FROM", "COUNT", "LAST", "WHY"]);
    for dropped in status.dropped.iter().take(shown) {
        table.add_row([
            dropped.from.to_string(),
            dropped.count.to_string(),
            format!("{} ago", duration(dropped.seconds_ago)),
            dropped.why.clone(),
        ]);
    }
    line(out, &table.to_string());
    more(out, status.dropped.len(), shown);
}

fn neighbors(out: &mut String, neighbors: &[Neighbor], all: bool) {
    heading(out, "Peers and interfaces");
    if neighbors.is_empty() {
        line(out, "  none: nothing is announced to anybody");
        return;
    }
    let mut table = table(["TO", "BACKEND", "STATE", "SINCE", "PREFIXES", "LAST ERROR"]);
    for neighbor in neighbors {
        table.add_row([
            neighbor.name.clone(),
            neighbor.backend.clone(),
            neighbor.state.clone(),
            duration(neighbor.since_seconds),
            neighbor.sent_prefixes.to_string(),
            neighbor.last_error.clone().unwrap_or_default(),
        ]);
    }
    line(out, &table.to_string());
    for neighbor in neighbors {
        detail(out, neighbor, all);
    }
}

fn detail(out: &mut String, neighbor: &Neighbor, all: bool) {
    heading(out, &format!("To {}", neighbor.name));
    let facts = neighbor.facts.iter();
    let facts: Vec<_> = facts
        .map(|(label, value)| format!("{label} {value}"))
        .collect();
    paragraph(out, &facts);
    let shown = if all { usize::MAX } else { SHOWN };
    let routes = || neighbor.announced.iter().take(shown);
    let widest = routes()
        .map(|route| route.prefix.len())
        .max()
        .unwrap_or_default();
    for route in routes() {
        line(
            out,
            &format!("  {:widest$}  {}", route.prefix, route.attributes),
        );
    }
    more(out, neighbor.announced.len(), shown);
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table
        .load_style(TableStyle::new())
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(header);
    table
}

fn heading(out: &mut String, text: &str) {
    line(out, &format!("\n{text}"));
}

fn line(out: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}

/// Items separated by commas, over as many lines as it takes.
fn paragraph(out: &mut String, items: &[String]) {
    let mut text = String::new();
    for item in items {
        if !text.is_empty() {
            text.push(',');
            if text.chars().count() + item.chars().count() + 4 > WIDTH.into() {
                line(out, &format!("  {text}"));
                text.clear();
            } else {
                text.push(' ');
            }
        }
        text.push_str(item);
    }
    line(out, &format!("  {text}"));
}

fn more(out: &mut String, total: usize, shown: usize) {
    if total > shown {
        line(
            out,
            &format!("  … and {} more; --all shows them", total - shown),
        );
    }
}

/// The first items of a list, and how many there are besides.
fn some(items: &[String], shown: usize) -> String {
    let first: Vec<&str> = items.iter().take(shown).map(String::as_str).collect();
    match items.len().saturating_sub(shown) {
        0 => first.join(" "),
        more => format!("{} … and {more} more", first.join(" ")),
    }
}

fn usage(usage: Usage) -> String {
    match (usage.assigned, usage.available) {
        (0, 0) => "-".to_owned(),
        (assigned, available) if available > 1 << 40 => format!("{assigned}/plenty"),
        (assigned, available) => format!("{assigned}/{available}"),
    }
}

/// A duration in at most two units.
fn duration(seconds: f64) -> String {
    let seconds = Duration::try_from_secs_f64(seconds)
        .unwrap_or_default()
        .as_secs();
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m{}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h{minutes}m"),
        (days, hours, _) => format!("{days}d{hours}h"),
    }
}
