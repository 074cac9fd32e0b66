//! The room of the ARP backend (gratuitous ARP, IPv4). This version of Carillon has none: the crate
//! is empty, and a pool with `protocol: layer2` or `protocol: arp` is refused by the configuration
//! with a message that says so.
