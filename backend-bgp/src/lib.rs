//! Carillon's BGP-4 speaker.
//!
//! It announces and learns nothing: routes that a peer sends are judged (RFC 7606) and dropped. Only [`io`] opens
//! sockets, spawns tasks and reads the clock; every other file is a deterministic function of its inputs.

pub mod packet;
