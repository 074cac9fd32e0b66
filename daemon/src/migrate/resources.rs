//! The resources, in the order in which MetalLB's own converter writes them.

use std::collections::BTreeMap;
use std::time::Duration;

use carillon_core::config::draft::{BgpAdvertisementDraft, Draft, PeerDraft, PoolDraft};
use carillon_core::config::peer::DEFAULT_PORT;
use carillon_core::config::{Peer, Protocol};
use carillon_core::selector::{Operator, Selector};
use carillon_objects::METALLB;
use serde_json::{Map, Value, json};

use super::names::Names;

/// What was made.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// The objects.
    pub(super) documents: Vec<Value>,
    /// What they do not say, or say otherwise.
    pub(super) notes: Vec<String>,
}

/// The resources of a draft in this namespace, with these BFD profiles.
pub(super) fn of(draft: &Draft, profiles: &BTreeMap<String, Value>, namespace: &str) -> Made {
    let pools = Names::of(draft.pools.iter().map(|pool| &**pool.label()));
    let bfd = Names::of(profiles.keys().map(String::as_str));
    let mut maker = Maker {
        namespace,
        pools: &pools,
        bfd: &bfd,
        made: Made::default(),
    };
    for (number, peer) in (1..).zip(&draft.peers) {
        maker.peer(number, peer);
    }
    for pool in &draft.pools {
        maker.pool(pool);
    }
    maker.bgp_advertisements(draft);
    let layer2 = draft
        .pools
        .iter()
        .filter(|pool| pool.protocol == Some(Protocol::Layer2));
    for (number, pool) in (1..).zip(layer2) {
        let spec = json!({"ipAddressPools": [pools.get(pool.label())]});
        maker.add(
            "L2Advertisement",
            "v1beta1",
            &format!("l2advertisement{number}"),
            &spec,
        );
    }
    for (name, spec) in profiles {
        maker.add("BFDProfile", "v1beta1", bfd.get(name), spec);
    }
    maker.communities(draft);
    maker.renamed();
    maker.made
}

struct Maker<'a> {
    namespace: &'a str,
    pools: &'a Names,
    bfd: &'a Names,
    made: Made,
}

impl Maker<'_> {
    fn add(&mut self, kind: &str, version: &str, name: &str, spec: &Value) {
        self.made.documents.push(json!({
            "apiVersion": format!("{METALLB}/{version}"),
            "kind": kind,
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": spec,
        }));
    }

    fn note(&mut self, note: String) {
        self.made.notes.push(note);
    }

    fn peer(&mut self, number: usize, draft: &PeerDraft) {
        let Some(peer) = &draft.peer else {
            return;
        };
        let name = format!("peer{number}");
        let mut spec = peer_spec(peer);
        if let Some(profile) = &draft.bfd_profile {
            spec.insert("bfdProfile".to_owned(), self.bfd.get(&profile.value).into());
            self.note(format!(
                "BGPPeer {name}: Carillon has no BFD yet, the session goes without"
            ));
        }
        if let Some(password) = &peer.password {
            spec.insert("password".to_owned(), password.0.clone().into());
            self.note(format!(
                "BGPPeer {name} has its password in it, as the ConfigMap has: a Secret and \
                 passwordSecret hide it"
            ));
        }
        if peer.ebgp_multihop == Some(false) && !peer.is_internal() {
            self.note(format!(
                "BGPPeer {name}: ebgp-multihop: false kept the session to a router next to the node; \
                 resources cannot say that, and it may be further away"
            ));
        }
        self.add("BGPPeer", "v1beta2", &name, &spec.into());
    }

    fn pool(&mut self, pool: &PoolDraft) {
        let addresses = pool.addresses.iter().map(|entry| &entry.value.text);
        let mut spec = Map::new();
        spec.insert("addresses".to_owned(), addresses.cloned().collect());
        if !pool.rest.auto_assign {
            spec.insert("autoAssign".to_owned(), false.into());
        }
        if pool.rest.avoid_buggy_ips {
            spec.insert("avoidBuggyIPs".to_owned(), true.into());
        }
        if let Some(Protocol::Backend(name)) = pool.protocol {
            spec.insert("protocol".to_owned(), name.into());
        }
        let name = self.pools.get(pool.label()).to_owned();
        self.add("IPAddressPool", "v1beta1", &name, &spec.into());
    }

    /// Those that are written, and one for each other pool of BGP.
    fn bgp_advertisements(&mut self, draft: &Draft) {
        let mut number = 0;
        let bgp = draft
            .pools
            .iter()
            .filter(|pool| pool.protocol == Some(Protocol::Bgp));
        for pool in bgp {
            let is_for = |one: &&BgpAdvertisementDraft| one.pools.names().contains(pool.label());
            let written: Vec<_> = draft.bgp_advertisements.iter().filter(is_for).collect();
            let mut specs: Vec<_> = written.into_iter().map(advertisement_spec).collect();
            if specs.is_empty() {
                // Resources that say nothing have 100.
                specs.push(Map::from_iter([(
                    "localPref".to_owned(),
                    pool.local_pref.into(),
                )]));
            }
            for mut spec in specs {
                number += 1;
                let pools = json!([self.pools.get(pool.label())]);
                spec.insert("ipAddressPools".to_owned(), pools);
                let name = format!("bgpadvertisement{number}");
                self.add("BGPAdvertisement", "v1beta1", &name, &spec.into());
            }
        }
    }

    fn communities(&mut self, draft: &Draft) {
        let named = draft.communities.iter();
        let named: BTreeMap<_, _> = named
            .filter_map(|alias| Some((alias.name.value.to_string(), alias.value?)))
            .collect();
        if named.is_empty() {
            return;
        }
        let named = named.into_iter();
        let named = named.map(|(name, value)| json!({"name": name, "value": value.to_string()}));
        let spec = json!({"communities": named.collect::<Vec<_>>()});
        self.add("Community", "v1beta1", "communities", &spec);
    }

    fn renamed(&mut self) {
        for (kind, names) in [("IPAddressPool", self.pools), ("BFDProfile", self.bfd)] {
            for (written, name) in names.changed() {
                let services = if kind == "IPAddressPool" {
                    ": services that ask for it by name must ask for the new one"
                } else {
                    ""
                };
                self.note(format!(
                    "{kind} {name} was {written:?}, which is no name of a resource{services}"
                ));
            }
        }
    }
}

fn peer_spec(peer: &Peer) -> Map<String, Value> {
    let mut spec = Map::new();
    let mut put = |field: &str, value: Value| drop(spec.insert(field.to_owned(), value));
    put("myASN", peer.my_asn.into());
    put("peerASN", peer.peer_asn.into());
    put("peerAddress", peer.address.to_string().into());
    put("holdTime", seconds(peer.hold_time));
    if peer.port != DEFAULT_PORT {
        put("peerPort", peer.port.into());
    }
    if let Some(source) = peer.source_address {
        put("sourceAddress", source.to_string().into());
    }
    if let Some(keepalive) = peer.keepalive_time {
        put("keepaliveTime", seconds(keepalive));
    }
    if let Some(id) = peer.router_id {
        put("routerID", id.to_string().into());
    }
    if peer.ebgp_multihop == Some(true) {
        put("ebgpMultiHop", true.into());
    }
    if !peer.node_selectors.is_empty() {
        put(
            "nodeSelectors",
            each_once(peer.node_selectors.iter().map(selector)),
        );
    }
    spec
}

/// A list without what is in it before: resources refuse that, and it means nothing.
fn each_once(list: impl Iterator<Item = Value>) -> Value {
    let mut once: Vec<Value> = Vec::new();
    for value in list {
        if !once.contains(&value) {
            once.push(value);
        }
    }
    once.into()
}

fn seconds(duration: Duration) -> Value {
    format!("{}s", duration.as_secs()).into()
}

fn selector(selector: &Selector) -> Value {
    let terms = selector.requirements.iter().map(|term| {
        let (operator, values) = match &term.operator {
            Operator::In(values) => ("In", Some(values)),
            Operator::NotIn(values) => ("NotIn", Some(values)),
            Operator::Exists => ("Exists", None),
            Operator::DoesNotExist => ("DoesNotExist", None),
        };
        match values {
            Some(values) => json!({"key": term.key, "operator": operator, "values": values}),
            None => json!({"key": term.key, "operator": operator}),
        }
    });
    let terms: Vec<_> = terms.collect();
    if terms.is_empty() {
        json!({})
    } else {
        json!({"matchExpressions": terms})
    }
}

fn advertisement_spec(draft: &BgpAdvertisementDraft) -> Map<String, Value> {
    let mut spec = Map::new();
    let mut put = |field: &str, value: Value| drop(spec.insert(field.to_owned(), value));
    if let Some(length) = &draft.aggregation_length_v4 {
        put("aggregationLength", length.value.into());
    }
    if let Some(length) = &draft.aggregation_length_v6 {
        put("aggregationLengthV6", length.value.into());
    }
    // Resources that say nothing have 100.
    put("localPref", draft.rest.local_pref.into());
    if !draft.communities.is_empty() {
        let communities = draft.communities.iter();
        let communities = communities.map(|one| one.value.clone().into());
        put("communities", each_once(communities));
    }
    spec
}
