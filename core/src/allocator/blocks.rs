//! From an address to its pool.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::refusal::Refusal;
use super::space::Position;
use crate::config::{Config, PoolName, is_buggy};

/// The blocks of all pools, by first address. They are disjoint.
#[derive(Debug, Default)]
pub(crate) struct Blocks(BTreeMap<IpAddr, Block>);

/// One block of a pool.
#[derive(Debug)]
pub(crate) struct Block {
    last: IpAddr,
    pub(crate) pool: PoolName,
    avoid_buggy_ips: bool,
    /// Its place in [`crate::config::Pool::blocks`].
    index: usize,
}

impl Block {
    pub(super) fn position(&self, address: IpAddr) -> Position {
        Position {
            block: self.index,
            address,
        }
    }
}

impl Blocks {
    pub(crate) fn new(config: &Config) -> Self {
        let blocks = config.pools.values().flat_map(|pool| {
            pool.blocks.iter().enumerate().map(|(index, net)| {
                let block = Block {
                    last: net.broadcast(),
                    pool: pool.name.clone(),
                    avoid_buggy_ips: pool.avoid_buggy_ips,
                    index,
                };
                (net.network(), block)
            })
        });
        Self(blocks.collect())
    }

    /// The block that contains the address.
    pub(crate) fn find(&self, address: IpAddr) -> Option<&Block> {
        let (_, block) = self.0.range(..=address).next_back()?;
        (address <= block.last).then_some(block)
    }

    /// The pool that contains all of `addresses`, whether or not it avoids some of them.
    pub(crate) fn pool_of(&self, addresses: &[IpAddr]) -> Result<&PoolName, Refusal> {
        let mut owner: Option<(IpAddr, &PoolName)> = None;
        for address in addresses {
            let block = self.find(*address).ok_or(Refusal::NoPool(*address))?;
            match owner {
                None => owner = Some((*address, &block.pool)),
                Some((_, pool)) if *pool == block.pool => {}
                Some((first, pool)) => {
                    return Err(Refusal::TwoPools {
                        addresses: [first, *address],
                        pools: [pool.clone(), block.pool.clone()],
                    });
                }
            }
        }
        owner.map(|(_, pool)| pool).ok_or(Refusal::NothingAsked)
    }

    /// The pool that may hand out all of `addresses`: it contains them and avoids none of them.
    pub(crate) fn giver_of(&self, addresses: &[IpAddr]) -> Result<&PoolName, Refusal> {
        let pool = self.pool_of(addresses)?;
        let avoids = |address: &&IpAddr| {
            let block = self.find(**address).filter(|block| block.avoid_buggy_ips);
            block.is_some() && is_buggy(**address)
        };
        match addresses.iter().find(avoids) {
            Some(address) => Err(Refusal::Avoided {
                address: *address,
                pool: pool.clone(),
            }),
            None => Ok(pool),
        }
    }
}
