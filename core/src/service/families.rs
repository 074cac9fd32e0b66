//! Which address families a Service wants.

use std::net::IpAddr;

use crate::address::Family;
use crate::text::excerpt;

/// `spec.ipFamilyPolicy`; absent counts as `SingleStack`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FamilyPolicy {
    /// One family.
    #[default]
    SingleStack,
    /// Both if they can be had.
    PreferDualStack,
    /// Both or nothing.
    RequireDualStack,
}

/// The addresses that a Service should get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Families {
    /// One address of this family.
    One(Family),
    /// One of each family, from one pool.
    Both,
    /// One of each family from one pool, or else one address, of the primary family first.
    PreferBoth {
        /// The family to fall back to.
        primary: Family,
    },
}

/// Why the families of a Service are unclear. Nothing is allocated until the Service is changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum FamiliesError {
    /// The API server has not given it a cluster IP (yet).
    #[error("the service has no cluster IP")]
    NoClusterIp,
    /// A cluster IP is not an address, for example `None` of a headless service.
    #[error(
        "cluster IP {0:?} is not an IP address{headless}",
        headless = if .0 == "None" {
            " (a headless service cannot have a load balancer address)"
        } else {
            ""
        }
    )]
    InvalidClusterIp(String),
    /// More cluster IPs than there are families, or two of one family.
    #[error("cluster IPs {0:?} are not one per address family")]
    InvalidClusterIps(Vec<String>),
    /// `RequireDualStack` with fewer than two cluster IPs.
    #[error("service requires dual stack but has not enough cluster IPs: {0:?}")]
    NotEnoughClusterIps(Vec<String>),
    /// Two cluster IPs with `SingleStack`: an object that contradicts itself.
    #[error("service has cluster IPs of both families but ipFamilyPolicy SingleStack")]
    SingleStackWithBoth,
}

impl Families {
    /// The families from `spec.clusterIPs` (falling back to `spec.clusterIP` is the caller's part),
    /// `spec.ipFamilies[0]` and `spec.ipFamilyPolicy`.
    ///
    /// # Errors
    /// The object is incomplete or contradicts itself; see [`FamiliesError`].
    pub fn of(
        cluster_ips: &[String],
        first_family: Option<Family>,
        policy: FamilyPolicy,
    ) -> Result<Self, FamiliesError> {
        let families = cluster_ips
            .iter()
            .map(|ip| ip.parse().map(|ip: IpAddr| Family::of(ip)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| FamiliesError::InvalidClusterIp(excerpt(&cluster_ips.join(","))))?;
        match (families.as_slice(), policy) {
            ([], _) => Err(FamiliesError::NoClusterIp),
            ([_], FamilyPolicy::RequireDualStack) => {
                Err(FamiliesError::NotEnoughClusterIps(cluster_ips.to_vec()))
            }
            ([family], FamilyPolicy::SingleStack | FamilyPolicy::PreferDualStack) => {
                Ok(Self::One(*family))
            }
            ([a, b], policy) if a != b => match policy {
                FamilyPolicy::SingleStack => Err(FamiliesError::SingleStackWithBoth),
                FamilyPolicy::RequireDualStack => Ok(Self::Both),
                FamilyPolicy::PreferDualStack => Ok(Self::PreferBoth {
                    primary: first_family.unwrap_or(Family::V4),
                }),
            },
            _ => Err(FamiliesError::InvalidClusterIps(cluster_ips.to_vec())),
        }
    }
}
