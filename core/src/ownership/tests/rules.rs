use super::*;

const NAMES: [&str; 3] = ["node-a", "node-b", "node-c"];

fn three() -> (Bus, IpAddr) {
    let mut bus = Bus::new(&NAMES);
    let vip = vip(VIP);
    bus.candidate(vip, Some(Scope::Anywhere));
    (bus, vip)
}

#[test]
fn the_first_in_order_takes_it_and_the_next_after_its_loss() {
    let (mut bus, vip) = three();
    assert_eq!(bus.holders(vip), ["node-b"]);
    assert_eq!(bus.why(0, vip), "node-b: first in order");
    bus.kill(1, Departure::Lost);
    assert_eq!(bus.holders(vip), ["node-c"], "at once");
    assert_eq!(
        bus.why(0, vip),
        "node-c: took over from node-b, which was lost"
    );
    bus.kill(2, Departure::Left);
    assert_eq!(bus.holders(vip), ["node-a"], "at once");
    assert_eq!(
        bus.why(0, vip),
        "node-a: took over from node-c, which has left"
    );
}

#[test]
fn who_returns_takes_nothing_back() {
    let (mut bus, vip) = three();
    bus.kill(1, Departure::Lost);
    bus.restart(1);
    bus.seconds(100);
    assert_eq!(bus.holders(vip), ["node-c"]);
    assert_eq!(bus.why(1, vip), "node-c: it had it when this node started");
}
