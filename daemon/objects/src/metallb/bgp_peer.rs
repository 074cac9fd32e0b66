//! BGPPeer: a router that is told routes by BGP.
//!
//! Both versions are read as one: v1beta1 has fewer fields, which mean the same.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use carillon_core::config::draft::{Draft, PeerDraft};
use carillon_core::config::peer::{self, DEFAULT_HOLD_TIME, DEFAULT_PORT};
use carillon_core::config::place::Located;
use carillon_core::config::{Password, Peer};
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::Setting;
use super::super::hidden::{self, Hidden};
use super::super::kind::{Kind, KindInfo};
use super::super::schema::Table;
use super::super::tree::{FieldError, Path};
use super::selector::{self, EXPRESSION, LabelSelector, SELECTOR};
use super::{ObjectAt, Problems, Resource, Spec, row, spec};

mod unsupported;

/// The row of this kind.
pub(in super::super) static KIND: KindInfo =
    row::<BgpPeerSpec>("BGPPeer", "bgppeers", "v1beta2", &["v1beta1"]);

/// The highest port that the API server takes.
const MAX_PORT: i64 = 16384;

/// A router that is told routes by BGP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["myASN"]))]
pub struct BgpPeerSpec {
    /// The AS number of this side.
    #[serde(rename = "myASN")]
    #[schemars(range(min = 0, max = 4_294_967_295_u32))]
    my_asn: i64,
    /// The AS number of the router. Either this or dynamicASN is given.
    #[serde(rename = "peerASN")]
    #[schemars(range(min = 0, max = 4_294_967_295_u32))]
    peer_asn: i64,
    /// Another AS number that the router sees instead of myASN. Not supported yet.
    #[serde(rename = "localASN")]
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    local_asn: Option<i64>,
    /// How the AS number of the router is found where it is not given: `internal` takes one that is
    /// myASN, `external` any other. Not supported yet.
    #[serde(rename = "dynamicASN")]
    #[schemars(extend("enum" = ["internal", "external"]))]
    dynamic_asn: String,
    /// The address of the router. Either this or interface is given.
    peer_address: String,
    /// The interface on which the router is, where its address is not given. Not supported yet.
    interface: String,
    /// The address to connect from.
    source_address: String,
    /// The TCP port of the router.
    #[schemars(range(min = 1, max = 16384), extend("x-default" = 179))]
    peer_port: Option<i64>,
    /// After how long without a message the session ends: 0s for never, or at least 3s. 90s where it is
    /// not given, or three times keepaliveTime.
    hold_time: Option<String>,
    /// The time between messages that keep the session up; a third of holdTime where it is not given.
    keepalive_time: Option<String>,
    /// The longest time between attempts to connect, in whole seconds from 1s to 65535s; where it is not
    /// given they become rarer, up to 30s.
    #[schemars(extend("x-kubernetes-validations" = [
        {
            "message": "connect time should be between 1 seconds to 65535",
            "rule": "duration(self).getSeconds() >= 1 && duration(self).getSeconds() <= 65535",
        },
        {
            "message": "connect time should contain a whole number of seconds",
            "rule": "duration(self).getMilliseconds() % 1000 == 0",
        },
    ]))]
    connect_time: Option<String>,
    /// The BGP identifier of this side, an IPv4 address; that of the session where it is not given.
    #[serde(rename = "routerID")]
    router_id: String,
    /// The nodes that have a session with the router; all, where there are no selectors.
    node_selectors: Vec<LabelSelector>,
    /// The password of the session (TCP MD5). Better is passwordSecret, of which only one is given.
    #[schemars(with = "String")]
    password: Hidden,
    /// The Secret with the password, of type kubernetes.io/basic-auth and in the namespace of this
    /// object.
    #[serde(deserialize_with = "hidden::optional_mapping")]
    password_secret: Option<SecretReference>,
    /// The BFDProfile of the session. BFD is not supported yet: the session goes without.
    bfd_profile: String,
    /// Whether the router keeps the routes while this side restarts. Not supported yet: the session goes
    /// without.
    #[schemars(extend("x-kubernetes-validations" = [{
        "message": "EnableGracefulRestart cannot be changed after creation",
        "rule": "self == oldSelf",
    }]))]
    enable_graceful_restart: bool,
    /// Whether a router of another AS may be more than one hop away, which is so in any case.
    ebgp_multi_hop: bool,
    /// The VRF of the session. Not supported yet.
    vrf: String,
    /// Without effect.
    #[serde(rename = "disableMP")]
    #[schemars(extend("x-default" = false))]
    disable_mp: bool,
    /// Whether the session carries routes of both families. Not supported yet.
    #[schemars(extend("x-default" = false))]
    dual_stack_address_family: bool,
}

/// A Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct SecretReference {
    /// Its name.
    name: String,
    /// Its namespace; without effect.
    namespace: String,
}

impl Spec for BgpPeerSpec {
    const KIND: Kind = Kind::BgpPeer;
    const FIELDS: Table = &[
        ("", &["apiVersion", "kind", "metadata", "spec", "status"]),
        (
            "spec",
            &[
                "bfdProfile",
                "connectTime",
                "disableMP",
                "dualStackAddressFamily",
                "dynamicASN",
                "ebgpMultiHop",
                "enableGracefulRestart",
                "holdTime",
                "interface",
                "keepaliveTime",
                "localASN",
                "myASN",
                "nodeSelectors",
                "password",
                "passwordSecret",
                "peerASN",
                "peerAddress",
                "peerPort",
                "routerID",
                "sourceAddress",
                "vrf",
            ],
        ),
        ("spec.nodeSelectors[]", SELECTOR),
        ("spec.nodeSelectors[].matchExpressions[]", EXPRESSION),
        ("spec.passwordSecret", &["name", "namespace"]),
    ];

    fn setting(resource: Arc<Resource<Self>>) -> Setting {
        Setting::BgpPeer(resource)
    }

    fn draft(&self, at: &ObjectAt<'_>, problems: &mut Problems) -> Draft {
        let peer = PeerDraft {
            place: at.place(Path::default()),
            peer: self.peer(at, problems),
            bfd_profile: written(&self.bfd_profile)
                .map(|name| at.locate(name.to_owned(), spec("bfdProfile"))),
            password_secret: self.secret(at),
        };
        self.refuse_unsupported(problems);
        Draft {
            peers: vec![peer],
            ..Draft::default()
        }
    }

    fn remarks(&self) -> Vec<FieldError> {
        self.without_effect()
    }
}

/// A text, unless it is empty, which is the same as none.
fn written(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

impl BgpPeerSpec {
    fn peer(&self, at: &ObjectAt<'_>, problems: &mut Problems) -> Option<Peer> {
        let my_asn = problems.number(&spec("myASN"), self.my_asn, 0..=u32::MAX.into());
        let my_asn =
            my_asn.and_then(|number| problems.checked(&spec("myASN"), peer::my_asn(number)));
        let peer_asn = self.peer_asn(problems);
        let address = self.address(problems);
        let source_address = self.source_address(address, problems);
        let port = self.peer_port.filter(|port| *port != 0);
        let port = port.map_or(Some(DEFAULT_PORT), |port| {
            problems.number(&spec("peerPort"), port, 1..=MAX_PORT)
        });
        let (hold_time, keepalive_time) = self.timers(problems);
        let connect_time = self.connect_time.as_deref().and_then(written);
        let connect_time = connect_time
            .and_then(|text| problems.checked(&spec("connectTime"), peer::connect_time(text)));
        let router_id = written(&self.router_id);
        let router_id =
            router_id.and_then(|text| problems.checked(&spec("routerID"), peer::router_id(text)));
        let nodes = &self.node_selectors;
        let node_selectors = selector::read_list(nodes, &spec("nodeSelectors"), problems);
        if let Some((my_asn, peer_asn)) = my_asn.zip(peer_asn) {
            let multihop = peer::check_multihop(self.ebgp_multi_hop, my_asn, peer_asn);
            problems.checked(&spec("ebgpMultiHop"), multihop);
        }
        let password = self.password(problems);
        Some(Peer {
            name: at.name.name().into(),
            port: port?,
            source_address,
            hold_time: hold_time?,
            keepalive_time,
            connect_time,
            router_id,
            node_selectors,
            password,
            ebgp_multihop: self.ebgp_multi_hop.then_some(true),
            ..Peer::new(my_asn?, peer_asn?, address?)
        })
    }

    /// The AS number of the peer, where it is given.
    fn peer_asn(&self, problems: &mut Problems) -> Option<u32> {
        let path = spec("peerASN");
        match (self.peer_asn, written(&self.dynamic_asn)) {
            (0, None) => {
                let message = "is missing: write the AS number of the router, for example 64512";
                problems.refuse(path, message);
                None
            }
            (0, Some(_)) => None,
            (_, Some(_)) => {
                problems.refuse(path, "is given beside dynamicASN: remove one of them");
                None
            }
            (number, None) => problems.number(&path, number, 1..=u32::MAX.into()),
        }
    }

    fn address(&self, problems: &mut Problems) -> Option<IpAddr> {
        let path = spec("peerAddress");
        match (written(&self.peer_address), written(&self.interface)) {
            (None, None) => {
                let message =
                    "is missing: write the address of the router, for example 192.168.7.10";
                problems.refuse(path, message);
                None
            }
            (None, Some(_)) => None,
            (Some(_), Some(_)) => {
                problems.refuse(path, "is given beside interface: remove one of them");
                None
            }
            (Some(text), None) => problems.checked(&path, peer::address(text)),
        }
    }

    fn source_address(&self, peer: Option<IpAddr>, problems: &mut Problems) -> Option<IpAddr> {
        let path = spec("sourceAddress");
        let text = written(&self.source_address)?;
        let source = problems.checked(&path, peer::source(text))?;
        problems.checked(&path, peer::check_source(source, peer?))?;
        Some(source)
    }

    /// The hold time (`None` if it is wrong) and the keepalive interval.
    fn timers(&self, problems: &mut Problems) -> (Option<Duration>, Option<Duration>) {
        let (hold, keepalive) = (spec("holdTime"), spec("keepaliveTime"));
        let keepalive_time = self.keepalive_time.as_deref().and_then(written);
        match (self.hold_time.as_deref().and_then(written), keepalive_time) {
            (None, None) => (Some(DEFAULT_HOLD_TIME), None),
            (None, Some(text)) => {
                let timers = problems.checked(&keepalive, peer::timers_of_keepalive(text));
                timers.unzip()
            }
            (Some(text), keepalive_time) => {
                let hold_time = problems.checked(&hold, peer::hold_time(text));
                let keepalive_time = keepalive_time.zip(hold_time);
                let keepalive_time = keepalive_time.and_then(|(text, hold_time)| {
                    let time = peer::keepalive_time_or_default(text, hold_time);
                    problems.checked(&keepalive, time)
                });
                (hold_time, keepalive_time.flatten())
            }
        }
    }

    fn password(&self, problems: &mut Problems) -> Option<Password> {
        let text = written(self.password.text())?;
        let path = spec("password");
        if self.secret_name().is_some() {
            problems.refuse(path, "is given beside passwordSecret: remove one of them");
            return None;
        }
        problems.checked(&path, peer::check_password(text))?;
        Some(Password(text.to_owned()))
    }

    fn secret_name(&self) -> Option<&str> {
        written(&self.password_secret.as_ref()?.name)
    }

    fn secret(&self, at: &ObjectAt<'_>) -> Option<Located<String>> {
        let path = spec("passwordSecret").field("name");
        Some(at.locate(self.secret_name()?.to_owned(), path))
    }
}
