//! Addresses that no host on a network can have, so that a pool of them would be given out in vain:
//! routers drop what is sent to them, or the routes (RFC 1122 section 3.2.1.3, RFC 6890).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A block of such addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Special {
    /// The block.
    pub block: IpNet,
    /// What its addresses are, and where that is said.
    pub meaning: &'static str,
}

const fn v4(a: u8, length: u8, meaning: &'static str) -> Special {
    let block = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, 0, 0, 0), length));
    Special { block, meaning }
}

const fn v6(first: u16, last: u16, length: u8, meaning: &'static str) -> Special {
    let address = Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, last);
    let block = IpNet::V6(Ipv6Net::new_assert(address, length));
    Special { block, meaning }
}

/// All of them; disjoint.
const SPECIAL: [Special; 8] = [
    v4(0, 8, "\"this network\", RFC 1122"),
    v4(127, 8, "the host itself, RFC 1122"),
    v4(224, 4, "multicast groups, RFC 5771"),
    v4(240, 4, "reserved and broadcast, RFC 1112"),
    v6(0, 0, 128, "no address, RFC 4291"),
    v6(0, 1, 128, "the host itself, RFC 4291"),
    v6(
        0xfe80,
        0,
        10,
        "link-local, so it needs an interface beside the address, RFC 4291",
    ),
    v6(0xff00, 0, 8, "multicast groups, RFC 4291"),
];

/// The addresses of IPv4 as they are written in IPv6; they are on no network either.
const MAPPED: Special = Special {
    block: IpNet::V6(Ipv6Net::new_assert(
        Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0),
        96,
    )),
    meaning: "IPv4 addresses in the notation of IPv6, RFC 4291",
};

/// The special blocks that have addresses in common with these blocks.
fn met(blocks: &[IpNet]) -> impl Iterator<Item = Special> {
    let all = SPECIAL.into_iter().chain([MAPPED]);
    all.filter(|special| {
        let meets = |block: &IpNet| block.contains(&special.block) || special.block.contains(block);
        blocks.iter().any(meets)
    })
}

/// The first of these, if there is any.
pub(super) fn among(blocks: &[IpNet]) -> Option<Special> {
    met(blocks).next()
}

/// What to write instead of this entry.
pub(super) fn remedy(special: Special, blocks: &[IpNet]) -> String {
    let is_within = |block: &IpNet| special.block.contains(block);
    if blocks.iter().all(is_within) {
        let example = match special.block.addr() {
            IpAddr::V4(_) => "192.168.7.0/24",
            IpAddr::V6(_) => "2001:db8::/64",
        };
        format!("write addresses of your network, for example {example}")
    } else {
        let all: Vec<String> = met(blocks).map(|met| met.block.to_string()).collect();
        match all.split_last() {
            Some((last, others @ [_, ..])) => {
                format!("leave out {} and {last}", others.join(", "))
            }
            _ => format!("leave out {}", special.block),
        }
    }
}
