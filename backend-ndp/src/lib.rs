//! The room of the NDP backend (unsolicited neighbour advertisements, IPv6). This version of
//! Carillon has none: the crate is empty, and a pool with `protocol: layer2` or `protocol: ndp` is
//! refused by the configuration with a message that says so.
