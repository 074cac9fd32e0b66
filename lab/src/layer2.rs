//! Instruments for addresses that move between the hosts of a segment: who answers for an address,
//! when, and for how long nobody does or two do.

mod asker;
mod cluster;
mod frame;
mod hostile;
mod meter;
mod neighbor;
mod packet;
mod prober;
mod responder;
mod segment;
mod vrrp;
mod witness;

pub use asker::{Answer, Answers, Asker};
pub use cluster::{Cluster, GOSSIP, endpoints, service};
pub use frame::{Arp, Frame, Message, advertisement, arp, solicitation};
pub use hostile::{Hostile, flood, forge, hostile_datagrams, lowest_mark};
pub use meter::{Meter, Traffic};
pub use neighbor::Neighbor;
pub use packet::{PacketSocket, interface};
pub use prober::{Outage, Prober, Probes};
pub use responder::Responder;
pub use segment::{Segment, Station};
pub use vrrp::{Advertisement, Vrrp};
pub use witness::{Sighting, Witness};
