//! What is done to a world, all of it drawn from a seed.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use carillon_core::interface::MacAddress;
use carillon_core::mark::Mark;
use carillon_core::ownership::{Input, Scope};
use carillon_gossip::testing::Link;
use carillon_layer2::DEFAULT_REFRESH;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::daemon::Arrival;
use crate::segment;
use crate::world::{Site, World};

/// The time from the start of the first daemon until the first fault.
pub(crate) const SETTLING: Duration = Duration::from_secs(5);

/// What may happen, and so what must not follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// At most every tenth datagram is lost, and nobody stands still for more than 300 ms.
    Calm,
    /// Nodes are drained, daemons stopped and started, and VIPs moved, one after the other.
    Planned,
    /// Everything, and several things at once.
    Wild,
    /// Somebody else on the segment says things that are not true, and answers no question.
    Forged,
    /// Interfaces send and do not hear, or hear and do not send.
    OneWay,
    /// Only the daemons do not hear each other; all frames get through.
    Gossip,
    /// A node stands still for minutes.
    Paused,
}

/// Something that is done to the world.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Every way loses such a part, and takes as long.
    Network {
        loss: f64,
        latency: u64,
        jitter: u64,
    },
    Stall(usize, u64),
    StallDriver(usize, u64),
    /// The datagrams of the daemons alone are lost.
    GossipLoss(f64),
    /// No frame comes in to a node, or goes out from it; with `gossip` no datagram either.
    OneWay {
        node: usize,
        is_deaf: bool,
        gossip: bool,
    },
    /// Somebody says of a VIP that this station has it.
    Forge {
        vip: IpAddr,
        station: MacAddress,
        mark: Option<Mark>,
    },
    Crash(usize),
    Terminate(usize),
    Start(usize),
    /// The next daemon of a node starts with a clock that is so many seconds off.
    Clock(usize, i64),
    /// No datagrams from one group to the other, and with `wire` no frames either; with `both` nor
    /// the other way round.
    Part {
        group: BTreeSet<usize>,
        wire: bool,
        both: bool,
    },
    /// Nothing reaches the node, nor anybody else from it; it may notice that itself.
    Isolate {
        node: usize,
        notices: bool,
    },
    Drain(usize, bool),
    Service(IpAddr, Option<Scope>),
    Move(usize, IpAddr, usize),
    /// All that is broken is mended.
    Heal,
}

/// Nodes, VIPs, and what is done to them.
#[derive(Debug)]
pub(crate) struct Schedule {
    pub(crate) kind: Kind,
    pub(crate) sites: Vec<Site>,
    /// How often daemons announce again what they have.
    pub(crate) refresh: Duration,
    pub(crate) vips: Vec<(IpAddr, Scope)>,
    pub(crate) acts: Vec<(Duration, Act)>,
    pub(crate) end: Duration,
}

struct Draw {
    rng: StdRng,
    at: Duration,
    nodes: usize,
    vips: Vec<IpAddr>,
    acts: Vec<(Duration, Act)>,
}

impl Schedule {
    /// One of any kind that may happen to happen.
    pub(crate) fn any(seed: u64) -> Self {
        let kind = match seed % 5 {
            0 => Kind::Calm,
            1 => Kind::Planned,
            _ => Kind::Wild,
        };
        Self::draw(seed, kind)
    }

    /// One of this kind.
    pub(crate) fn draw(seed: u64, kind: Kind) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let nodes = match kind {
            Kind::Calm | Kind::Planned | Kind::Wild => rng.random_range(2..=7),
            Kind::Forged | Kind::OneWay | Kind::Gossip => rng.random_range(3..=5),
            Kind::Paused => 3,
        };
        // From one segment to another, nothing can be handed over.
        let segment_count = match kind {
            Kind::Calm | Kind::Wild => rng.random_range(1..=2),
            Kind::Planned | Kind::Forged | Kind::OneWay | Kind::Gossip | Kind::Paused => 1,
        };
        let sites = sites(&mut rng, nodes, segment_count);
        let count = rng.random_range(1..=20);
        let vips =
            (1..=count).map(|n| IpAddr::from([10, 20 + rng.random_range(0..segment_count), 0, n]));
        let vips: Vec<IpAddr> = vips.collect();
        let mut draw = Draw {
            rng,
            at: SETTLING,
            nodes,
            vips: vips.clone(),
            acts: Vec::new(),
        };
        let scopes = vips.into_iter().map(|vip| {
            let scope = match kind {
                Kind::Wild => draw.scope(),
                Kind::Calm
                | Kind::Planned
                | Kind::Forged
                | Kind::OneWay
                | Kind::Gossip
                | Kind::Paused => Scope::Anywhere,
            };
            (vip, scope)
        });
        let vips = scopes.collect();
        for node in 0..nodes {
            let at = draw.pause(0, 1000);
            draw.acts.push((at, Act::Start(node)));
        }
        draw.everything(kind);
        draw.acts.sort_by_key(|(at, _)| *at);
        Self {
            kind,
            sites,
            refresh: kind.refresh(),
            vips,
            acts: draw.acts,
            end: draw.at,
        }
    }
}

impl Kind {
    /// How often daemons announce again what they have. Where that matters it is often, so that much
    /// comes of it in little time.
    fn refresh(self) -> Duration {
        match self {
            Self::Calm | Self::Planned | Self::Wild => DEFAULT_REFRESH,
            Self::Forged | Self::OneWay | Self::Gossip | Self::Paused => Duration::from_secs(4),
        }
    }
}

/// What the nodes are like.
fn sites(rng: &mut StdRng, nodes: usize, segment_count: u8) -> Vec<Site> {
    let assigns = rng.random_bool(0.2).then_some(Duration::from_millis(2));
    let mut site = || Site {
        segments: segments(rng, segment_count),
        assigns,
    };
    (0..nodes).map(|_| site()).collect()
}

/// Those of a node, which may be on more than one.
fn segments(rng: &mut StdRng, count: u8) -> Vec<u8> {
    if count > 1 && rng.random_bool(0.2) {
        return (0..count).collect();
    }
    vec![rng.random_range(0..count)]
}

impl Draw {
    fn pause(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.rng.random_range(least..=most))
    }

    fn wait(&mut self, least: u64, most: u64) {
        let pause = self.pause(least, most);
        self.at += pause;
    }

    fn act(&mut self, act: Act) {
        self.acts.push((self.at, act));
    }

    fn node(&mut self) -> usize {
        self.rng.random_range(0..self.nodes)
    }

    fn vip(&mut self) -> IpAddr {
        self.vips[self.rng.random_range(0..self.vips.len())]
    }

    fn some_nodes(&mut self) -> BTreeSet<usize> {
        let first = self.node();
        let rng = &mut self.rng;
        (0..self.nodes)
            .filter(|node| *node == first || rng.random_bool(0.4))
            .collect()
    }

    fn scope(&mut self) -> Scope {
        if self.rng.random_bool(0.7) {
            return Scope::Anywhere;
        }
        let names = self.some_nodes().into_iter();
        let names = names.map(|node| format!("node-{}", node + 1).into());
        Scope::of_nodes(names)
    }

    fn network(&mut self, most: f64) {
        let loss = self.rng.random_range(0.0..=most);
        let latency = self.rng.random_range(50..2_000);
        let jitter = self.rng.random_range(50..2_000);
        self.act(Act::Network {
            loss,
            latency,
            jitter,
        });
    }

    fn everything(&mut self, kind: Kind) {
        match kind {
            Kind::Calm => self.calm(),
            Kind::Planned => self.planned(),
            Kind::Wild => self.wild(),
            Kind::Forged => self.forged(),
            Kind::OneWay => self.one_way(),
            Kind::Gossip => self.gossip(),
            Kind::Paused => self.paused(),
        }
    }

    fn calm(&mut self) {
        self.network(0.1);
        for _ in 0..8 {
            self.wait(800, 2500);
            let node = self.node();
            let how_long = self.rng.random_range(1..=300);
            if self.rng.random_bool(0.8) {
                self.act(Act::Stall(node, how_long));
            } else {
                self.act(Act::StallDriver(node, how_long));
            }
        }
        self.wait(1000, 1000);
    }

    fn planned(&mut self) {
        self.network(0.05);
        for _ in 0..3 {
            let node = self.node();
            match self.rng.random_range(0..3) {
                0 => {
                    self.act(Act::Drain(node, true));
                    self.wait(500, 4000);
                    self.act(Act::Drain(node, false));
                }
                1 => {
                    self.act(Act::Terminate(node));
                    self.wait(4500, 6000);
                    self.act(Act::Start(node));
                    self.wait(4000, 4000);
                }
                _ => {
                    let (vip, to) = (self.vip(), self.node());
                    self.act(Act::Move(node, vip, to));
                }
            }
            self.wait(1500, 3000);
        }
    }

    fn wild(&mut self) {
        let episodes = self.rng.random_range(1..=2);
        for _ in 0..episodes {
            if self.rng.random_bool(0.3) {
                self.network(0.2);
            }
            for _ in 0..self.rng.random_range(1..=4) {
                self.fault();
                self.wait(0, 2500);
            }
            self.wait(0, 3000);
            self.act(Act::Heal);
            self.wait(3000, 8000);
        }
        self.act(Act::Heal);
        self.at += Duration::from_secs(7);
    }

    /// A foreign host, a node, or one that is gone; marked as by that node, as by nobody known, or
    /// not at all.
    fn forge(&mut self) {
        let node = self.node() + 1;
        let low = u8::try_from(node).unwrap_or(u8::MAX);
        let station = match self.rng.random_range(0..3) {
            0 => MacAddress([2, 2, 0, 0, 0, low]),
            1 => MacAddress([2, 2, 0, 0, 0, 1]),
            _ => MacAddress([2, 0xff, 0, 0, 0, low]),
        };
        let mark = match self.rng.random_range(0..4) {
            0 => None,
            1 => Some(Mark::of(&format!("node-{node}"), 7)),
            2 => Some(Mark::of("", 7)),
            _ => Some(Mark::of("somebody", 7)),
        };
        let vip = self.vip();
        self.act(Act::Forge { vip, station, mark });
    }

    /// One node may be gone for good, since what its station says is believed the longest.
    fn forged(&mut self) {
        self.network(0.05);
        if self.rng.random_bool(0.5) {
            self.act(Act::Crash(0));
            self.wait(4000, 4000);
        }
        for _ in 0..12 {
            for _ in 0..self.rng.random_range(1..=3) {
                self.forge();
            }
            self.wait(100, 2500);
        }
        self.wait(1000, 1000);
    }

    fn one_way(&mut self) {
        for _ in 0..2 {
            let node = self.node();
            let is_deaf = self.rng.random_bool(0.7);
            let gossip = self.rng.random_bool(0.7);
            self.act(Act::OneWay {
                node,
                is_deaf,
                gossip,
            });
            self.wait(3000, 15_000);
            self.act(Act::Heal);
            self.wait(4000, 8000);
        }
    }

    fn gossip(&mut self) {
        for _ in 0..2 {
            if self.rng.random_bool(0.4) {
                let loss = self.rng.random_range(0.1..=0.4);
                self.act(Act::GossipLoss(loss));
            }
            let group = self.some_nodes();
            let both = self.rng.random_bool(0.7);
            self.act(Act::Part {
                group,
                wire: false,
                both,
            });
            self.wait(2000, 10_000);
            self.act(Act::Heal);
            self.wait(5000, 8000);
        }
    }

    fn paused(&mut self) {
        let node = self.node();
        let millis = self.rng.random_range(5_000..=100_000);
        self.act(Act::Stall(node, millis));
        self.at += Duration::from_millis(millis);
        self.wait(7000, 9000);
    }

    fn fault(&mut self) {
        let node = self.node();
        let act = match self.rng.random_range(0..15) {
            14 => Act::OneWay {
                node,
                is_deaf: self.rng.random_bool(0.7),
                gossip: self.rng.random_bool(0.7),
            },
            0 => Act::Stall(node, self.rng.random_range(50..3000)),
            1 => Act::StallDriver(node, self.rng.random_range(50..3000)),
            2 | 3 => Act::Crash(node),
            4 => Act::Terminate(node),
            5 => Act::Start(node),
            6 => {
                let seconds = self.rng.random_range(-1000..1000);
                self.act(Act::Clock(node, seconds));
                self.act(Act::Crash(node));
                self.wait(0, 1500);
                Act::Start(node)
            }
            7 | 8 => Act::Part {
                group: self.some_nodes(),
                wire: self.rng.random_bool(0.5),
                both: self.rng.random_bool(0.7),
            },
            9 | 10 => Act::Isolate {
                node,
                notices: self.rng.random_bool(0.5),
            },
            11 => Act::Drain(node, self.rng.random_bool(0.7)),
            12 => {
                let vip = self.vip();
                let scope = self.rng.random_bool(0.7).then(|| self.scope());
                Act::Service(vip, scope)
            }
            _ => Act::Move(node, self.vip(), self.node()),
        };
        self.act(act);
    }
}

impl Act {
    /// Does it.
    pub(crate) fn apply(&self, world: &mut World) {
        world.tell(format!("*** {self:?}"));
        match self {
            Self::Network {
                loss,
                latency,
                jitter,
            } => {
                world.network.link = Link {
                    latency: Duration::from_micros(*latency),
                    jitter: Duration::from_micros(*jitter),
                    loss: *loss,
                    is_cut: false,
                };
                world.wire_loss = *loss;
                world.disturb();
            }
            Self::GossipLoss(loss) => {
                world.network.link.loss = *loss;
                world.disturb();
            }
            Self::OneWay {
                node,
                is_deaf,
                gossip,
            } => one_way(world, *node, *is_deaf, *gossip),
            Self::Forge { vip, station, mark } => {
                let segment = segment::of_vip(*vip);
                for frame in segment::forged(*vip, *station, *mark) {
                    world.spread(segment, None, &frame);
                }
            }
            Self::Stall(node, millis) => world.stall(*node, Duration::from_millis(*millis), false),
            Self::StallDriver(node, millis) => {
                world.stall(*node, Duration::from_millis(*millis), true);
            }
            Self::Crash(node) => world.kill(*node),
            Self::Terminate(node) => world.arrive(*node, Arrival::Input(Input::Leaving)),
            Self::Start(node) => world.start_daemon(*node),
            Self::Clock(node, seconds) => world.nodes[*node].clock = *seconds,
            Self::Part { group, wire, both } => part(world, group, *wire, *both),
            Self::Isolate { node, notices } => isolate(world, *node, *notices),
            Self::Drain(node, on) => drain(world, *node, *on),
            Self::Service(vip, scope) => world.set_service(*vip, scope.as_ref()),
            Self::Move(by, vip, to) => {
                world.disturb();
                let (now, to) = (world.now(), world.nodes[*to].name.clone());
                if let Some(daemon) = &mut world.nodes[*by].daemon {
                    daemon.move_vip(*vip, &to, now);
                    world.flush(*by);
                }
            }
            Self::Heal => heal(world),
        }
    }
}

fn drain(world: &mut World, node: usize, on: bool) {
    world.disturb();
    world.nodes[node].is_draining = on;
    world.arrive(node, Arrival::Draining(on));
}

fn part(world: &mut World, group: &BTreeSet<usize>, wire: bool, both: bool) {
    world.disturb();
    let rest: Vec<usize> = (0..world.nodes.len())
        .filter(|node| !group.contains(node))
        .collect();
    for (one, other) in group
        .iter()
        .flat_map(|one| rest.iter().map(move |other| (*one, *other)))
    {
        let ways = [(one, other), (other, one)];
        for (from, to) in ways.into_iter().take(if both { 2 } else { 1 }) {
            world.set_gossip_cut(from, to, true);
            if wire {
                world.wire_cuts.insert((from, to));
            }
        }
    }
}

fn one_way(world: &mut World, node: usize, is_deaf: bool, gossip: bool) {
    world.disturb();
    world.set_one_way(node, is_deaf, !is_deaf);
    for other in (0..world.nodes.len()).filter(|other| *other != node && gossip) {
        let (from, to) = if is_deaf {
            (other, node)
        } else {
            (node, other)
        };
        world.set_gossip_cut(from, to, true);
    }
}

fn isolate(world: &mut World, node: usize, notices: bool) {
    part(world, &BTreeSet::from([node]), true, true);
    if notices {
        world.set_carrier(node, false);
    }
}

fn heal(world: &mut World) {
    world.disturb();
    world.network.link = Link::default();
    world.wire_loss = 0.0;
    for (from, to) in world.gossip_cuts.clone() {
        world.set_gossip_cut(from, to, false);
    }
    world.wire_cuts.clear();
    for node in 0..world.nodes.len() {
        world.set_carrier(node, true);
        world.set_one_way(node, false, false);
        drain(world, node, false);
        world.start_daemon(node);
    }
}
