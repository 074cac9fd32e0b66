//! The Carillon daemon and its command line.

fn main() {}
