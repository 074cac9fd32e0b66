//! The rules one by one, on machines that share a bus.

use std::collections::BTreeSet;
use std::net::IpAddr;

use carillon_gossip::Departure;
use carillon_gossip::record::{Claim, Key, Value};

use super::*;
use crate::announcement::Asked;
use crate::interface::{Exclusion, Interface, Interfaces};
use crate::mark::Mark;
use bus::{Bus, VIP, id, interfaces, vip};

mod bus;
mod conflicts;
mod model;
mod moves;
mod order;
mod rules;
