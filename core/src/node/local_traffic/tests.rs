use super::*;
use crate::address::Family;
use crate::endpoint::Endpoint;
use crate::labels::Labels;
use crate::node::{EXCLUDE_LABEL, ExcludeLabel, Node};
use crate::ownership::Holding;
use crate::policy::WithdrawReason;
use crate::service::TrafficPolicy;
use crate::speaker::Settings;
use crate::testing::{
    self, beginning, endpoint, endpoint_slice, exclusive, ip, key, l2_advertisement, pool,
    published, shared,
};

const VIP: &str = "198.51.100.1";
const MS: Duration = Duration::from_millis(1);

/// The node `n`, which announces by BGP and ARP, in virtual time.
struct Here {
    speaker: Speaker,
    traffic: LocalTraffic,
    now: Instant,
    /// What the proxy says.
    answer: Answer,
    /// How long it takes for it.
    takes: Duration,
    under_way: Vec<(Instant, Question)>,
    /// How often it was asked.
    asked: usize,
    /// Whether BGP announces the VIP.
    has_route: bool,
    is_held_back: bool,
    given_up: Vec<GivenUp>,
}

impl Here {
    fn new() -> Self {
        Self::set_to(Settings::default())
    }

    fn set_to(settings: Settings) -> Self {
        let mut config = testing::config([pool("a", &["198.51.100.0/24"])]);
        config.layer2 = vec![Arc::new(l2_advertisement("a"))];
        let backends = [shared("bgp"), exclusive("arp", Family::V4)];
        let mut speaker = Speaker::new(Node::named("n"), settings, &backends);
        speaker.handle(Input::Config(Arc::new(config)));
        speaker.handle(Input::Synced);
        let mut here = Self {
            speaker,
            traffic: LocalTraffic::default(),
            now: beginning(),
            answer: Answer::Refuses,
            takes: MS,
            under_way: Vec::new(),
            asked: 0,
            has_route: false,
            is_held_back: false,
            given_up: Vec::new(),
        };
        here.settle();
        here
    }

    /// One that has a Service of external traffic policy `Local` with these endpoints.
    fn with(endpoints: &[(&str, bool)]) -> Self {
        let mut here = Self::new();
        here.service(TrafficPolicy::Local, 30_000);
        here.endpoints(endpoints);
        here
    }

    fn service(&mut self, policy: TrafficPolicy, port: u16) {
        let mut service = published(testing::service("a"), &[VIP]);
        service.external_traffic_policy = policy;
        service.health_check_node_port = NonZeroU16::new(port);
        self.handle(Input::Service(service));
    }

    /// The endpoints on these nodes: ready, or else terminating.
    fn endpoints(&mut self, endpoints: &[(&str, bool)]) {
        let endpoints = endpoints.iter().map(|(node, is_ready)| Endpoint {
            ready: Some(*is_ready),
            serving: Some(true),
            ..endpoint(node)
        });
        self.handle(Input::Endpoints(endpoint_slice("a", endpoints)));
    }

    fn handle(&mut self, input: Input) {
        self.speaker.handle(input);
        self.settle();
    }

    /// As the driver does it.
    fn settle(&mut self) {
        let given_up = self.traffic.expire(&mut self.speaker, self.now);
        self.given_up.extend(given_up);
        for (backend, set) in self.speaker.take_changes() {
            if backend == "bgp" {
                self.has_route = set.by_vip.contains_key(&ip(VIP));
            }
        }
        self.speaker.take_candidates();
        for (_, is_held_back) in self.speaker.take_held_back() {
            self.is_held_back = is_held_back;
        }
        self.traffic.take_in(&mut self.speaker, self.now);
        while let Some(question) = self.traffic.poll_question(self.now) {
            self.asked += 1;
            self.under_way.push((self.now + self.takes, question));
        }
        assert!(self.under_way.len() <= QUESTIONS);
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let answer = self.under_way.iter().map(|(at, _)| *at).min();
            let next = [answer, self.traffic.poll_timeout()];
            let next = next.into_iter().flatten().min().filter(|at| *at <= end);
            let Some(next) = next else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            let is_here = |(at, _): &mut (Instant, Question)| *at <= next;
            for (_, question) in self.under_way.extract_if(.., is_here).collect::<Vec<_>>() {
                let (speaker, now) = (&mut self.speaker, self.now);
                self.traffic.answered(&question, self.answer, speaker, now);
            }
            self.settle();
        }
    }

    fn reason(&self) -> &'static str {
        let verdicts = self.speaker.verdicts(&key("a"));
        let bgp = verdicts.iter().find(|verdict| verdict.backend == "bgp");
        let outcome = bgp.map(|verdict| verdict.outcome.clone());
        let outcome = outcome.or_else(|| self.speaker.explain(&key("a")).map(|one| one.map(drop)));
        match outcome {
            Some(Err(reason)) => WithdrawReason::token(&reason),
            Some(Ok(())) | None => "",
        }
    }
}

#[test]
fn a_node_announces_when_its_proxy_passes_traffic_on() {
    let mut here = Here::with(&[("n", true)]);
    here.run(700 * MS);
    assert!(!here.has_route && here.is_held_back);
    assert_eq!(here.reason(), "proxyNotReady");
    assert!((13..=15).contains(&here.asked), "{} times", here.asked);
    here.answer = Answer::Passes;
    here.run(60 * MS);
    assert!(here.has_route && !here.is_held_back && here.given_up.is_empty());
    // Nothing more is done as long as it has an endpoint: not when one comes or goes elsewhere, and
    // whatever the proxy says.
    here.answer = Answer::Refuses;
    let asked = here.asked;
    here.endpoints(&[("n", true), ("m", true)]);
    here.run(10_000 * MS);
    here.endpoints(&[("n", true)]);
    assert_eq!(here.traffic.poll_timeout(), None);
    assert!(here.has_route && here.asked == asked);
    // When it had none for a while, the proxy has to find out about it again.
    here.endpoints(&[("m", true)]);
    here.endpoints(&[("n", true), ("m", true)]);
    here.run(1000 * MS);
    assert!(!here.has_route && here.asked > asked);
}

#[test]
fn the_wait_for_a_proxy_has_an_end() {
    for (answer, ends) in [(Answer::Nothing, NO_ANSWER), (Answer::Refuses, REFUSED)] {
        let mut here = Here::with(&[("n", true)]);
        here.answer = answer;
        here.run(ends.saturating_sub(MS));
        assert!(!here.has_route && here.is_held_back, "{answer:?}");
        here.run(MS);
        assert!(here.has_route && !here.is_held_back, "{answer:?}");
        let given_up = GivenUp {
            service: key("a"),
            port: NonZeroU16::new(30_000).unwrap(),
            is_refused: answer == Answer::Refuses,
        };
        assert_eq!(here.given_up, [given_up]);
        here.run(1000 * MS);
        assert_eq!(here.traffic.poll_timeout(), None);
    }
    // One that hangs has not answered, either.
    let mut here = Here::new();
    here.takes = 100_000 * MS;
    here.service(TrafficPolicy::Local, 30_000);
    here.endpoints(&[("n", true)]);
    here.run(NO_ANSWER + MS);
    assert!(here.has_route);
}

#[test]
fn nobody_waits_where_there_is_nobody_to_ask() {
    let mut here = Here::new();
    here.service(TrafficPolicy::Local, 0);
    here.endpoints(&[("n", true)]);
    assert!(here.has_route && !here.is_held_back);
    let mut here = Here::new();
    here.service(TrafficPolicy::Cluster, 30_000);
    here.endpoints(&[("n", true)]);
    assert!(here.has_route && here.asked == 0);
}

#[test]
fn who_announces_already_goes_on() {
    let mut here = Here::new();
    here.service(TrafficPolicy::Cluster, 0);
    here.endpoints(&[("n", true)]);
    here.service(TrafficPolicy::Local, 30_000);
    assert!(here.has_route && !here.is_held_back);
    // The last endpoint terminates, and the next one is there before it has ended.
    here.endpoints(&[("n", false)]);
    assert!(here.has_route);
    here.endpoints(&[("n", false), ("n", true)]);
    assert!(here.has_route && !here.is_held_back && here.asked == 0);

    // The same of the owner of an address.
    let mut here = Here::with(&[("m", true)]);
    here.handle(Input::Holding(ip(VIP), Holding::Here { round: 1 }));
    here.endpoints(&[("n", true)]);
    assert!(!here.is_held_back && here.asked == 0);
}

#[test]
fn what_was_asked_for_an_endpoint_that_is_gone_says_nothing_of_the_next() {
    let mut here = Here::with(&[("n", true)]);
    here.takes = 100 * MS;
    here.run(60 * MS);
    here.endpoints(&[("m", true)]);
    assert_eq!(here.reason(), "noLocalEndpoints");
    here.endpoints(&[("n", true)]);
    here.answer = Answer::Passes;
    // The first answer is to a question before that.
    here.run(50 * MS);
    assert!(!here.has_route);
    here.run(100 * MS);
    assert!(here.has_route);
    here.handle(Input::ServiceDeleted(key("a")));
    assert_eq!(here.traffic.poll_timeout(), None);
}

#[test]
fn many_services_are_asked_for_a_few_at_a_time() {
    let mut here = Here::new();
    here.answer = Answer::Nothing;
    here.takes = MS;
    for number in 0..2000 {
        let name = format!("many-{number}");
        let mut service = testing::service(&name);
        service.external_traffic_policy = TrafficPolicy::Local;
        service.health_check_node_port = NonZeroU16::new(30_000);
        here.speaker.handle(Input::Service(service));
        let slice = endpoint_slice(&name, [endpoint("n")]);
        here.speaker.handle(Input::Endpoints(slice));
    }
    here.settle();
    here.run(NO_ANSWER);
    assert!((2000..8000).contains(&here.asked), "{}", here.asked);
    here.run(2 * MS);
    assert_eq!(here.traffic.poll_timeout(), None);
}

/// KEP-1669: new connections go to nodes with a ready endpoint, and only where there are none to
/// terminating ones.
#[test]
fn a_node_whose_endpoints_terminate_gives_way_to_one_that_has_had_time_to_announce() {
    let mut here = Here::with(&[("n", true), ("m", true)]);
    here.answer = Answer::Passes;
    here.run(SETTLING);
    here.endpoints(&[("n", false), ("m", true)]);
    assert!(!here.has_route, "the other announces for long");
    assert_eq!(here.reason(), "localEndpointsTerminate");
    here.endpoints(&[("n", false), ("m", false)]);
    assert!(here.has_route, "nobody has a better one");
    here.endpoints(&[("m", false)]);
    assert_eq!(here.reason(), "noLocalEndpoints");

    let mut here = Here::with(&[("n", true)]);
    here.answer = Answer::Passes;
    here.run(SETTLING);
    here.endpoints(&[("n", true), ("m", true)]);
    here.run(SETTLING / 2);
    here.endpoints(&[("n", false), ("m", true)]);
    here.run((SETTLING / 2).saturating_sub(MS));
    assert!(here.has_route, "the router may not know the other yet");
    here.run(MS);
    assert!(!here.has_route);
    // It is the ready endpoint of each node that has an age, not that there is one.
    here.endpoints(&[("n", true), ("m", true)]);
    here.run(SETTLING);
    here.endpoints(&[("n", false), ("o", true)]);
    assert!(here.has_route);
    here.run(SETTLING);
    assert!(!here.has_route && here.traffic.poll_timeout().is_none());
}

#[test]
fn an_endpoint_that_was_ready_before_has_to_be_so_for_as_long_again() {
    let mut here = Here::with(&[("n", true)]);
    here.answer = Answer::Passes;
    here.run(SETTLING);
    here.endpoints(&[("n", true), ("m", true)]);
    here.run(SETTLING.saturating_sub(MS));
    // Twice at one moment, too.
    for _ in 0..2 {
        here.endpoints(&[("n", true), ("m", false)]);
        here.endpoints(&[("n", false), ("m", true)]);
    }
    here.run(SETTLING.saturating_sub(MS));
    assert!(here.has_route);
    here.run(MS);
    assert!(!here.has_route && here.traffic.poll_timeout().is_none());
}

#[test]
fn nobody_gives_way_to_a_node_that_does_not_announce() {
    let mut here = Here::with(&[("n", true), ("m", true)]);
    here.answer = Answer::Passes;
    here.run(SETTLING);
    let excluded = Labels::bounded([(EXCLUDE_LABEL, "")]);
    here.handle(Input::Labels("m".into(), Some(excluded)));
    here.endpoints(&[("n", false), ("m", true)]);
    assert!(here.has_route);
    here.handle(Input::Labels("m".into(), None));
    assert!(!here.has_route);
}

#[test]
fn an_ignored_label_takes_no_node_out() {
    let mut here = Here::set_to(Settings {
        exclude_label: ExcludeLabel::Ignored,
        ..Settings::default()
    });
    here.answer = Answer::Passes;
    let excluded = Labels::bounded([(EXCLUDE_LABEL, "")]);
    here.handle(Input::Labels("m".into(), Some(excluded.clone())));
    here.handle(Input::Node(Node {
        labels: excluded,
        ..Node::named("n")
    }));
    here.service(TrafficPolicy::Local, 30_000);
    here.endpoints(&[("n", true), ("m", true)]);
    here.run(SETTLING);
    assert!(here.has_route && here.speaker.node_may_announce().is_ok());
    here.endpoints(&[("n", false), ("m", true)]);
    assert!(!here.has_route, "the other announces");
}
