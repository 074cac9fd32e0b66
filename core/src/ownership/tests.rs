//! The rules one by one, on machines that share a bus.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::*;
use crate::announcement::Asked;
use crate::interface::{Exclusion, Interface, Interfaces};
use crate::mark::Mark;
use crate::membership::Departure;
use crate::membership::record::{Claim, Key, Value};
use bus::{Bus, VIP, id, interfaces, vip};

mod bus;
mod conflicts;
mod model;
mod moves;
mod order;
mod rules;
