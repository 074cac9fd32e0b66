//! The benchmarks' receiver against real senders.

use anyhow::{Result, ensure};
use carillon_lab::bench::entrant::Entrant;
use carillon_lab::bench::peer::wire::packed_minimum;
use carillon_lab::bench::sender::System;
use carillon_lab::{Lab, test};

const ROUTES: usize = 2_000;

fn receive_from(lab: &Lab, system: System) -> Result<()> {
    let receiver = lab.host("receiver")?;
    let entrant = Entrant::start(lab, &receiver, 0, system, ROUTES, 2)?;
    entrant.converge()?;
    entrant.change(true)?;
    entrant.change(false)?;
    let transfer = entrant.measure_again()?;
    let (messages, bytes) = packed_minimum(ROUTES, transfer.attribute_bytes);
    ensure!(transfer.messages >= messages, "{transfer:?}");
    ensure!(transfer.bytes >= bytes, "{transfer:?}");
    Ok(())
}

#[test]
fn receives_from_bird() {
    test(|lab| receive_from(lab, System::Bird));
}

#[test]
fn receives_from_frr() {
    test(|lab| receive_from(lab, System::FrrAtOnce));
}

#[test]
fn receives_from_carillon() {
    test(|lab| receive_from(lab, System::Carillon { per_file: 500 }));
}
