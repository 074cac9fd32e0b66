use super::*;
use crate::testing::{PATIENCE, in_namespace, ip};

#[test]
fn those_that_have_a_station_are_told_as_long_as_they_are_wanted() {
    in_namespace(async || {
        ip("link add nic type veth peer name other");
        ip("link set other up");
        ip("link set nic up");
        ip("address add 192.0.2.1/24 dev nic");
        ip("neighbour add 192.0.2.7 lladdr 02:00:00:00:00:07 dev nic nud stale");
        ip("neighbour add 2001:db8::8 lladdr 02:00:00:00:00:08 dev nic nud permanent");
        ip("neighbour add 192.0.2.9 dev nic nud failed");
        ip("neighbour add fe80::8 lladdr 02:00:00:00:00:08 dev nic nud permanent");
        ip("neighbour add 192.0.2.11 lladdr 02:00:00:00:00:0b dev other nud permanent");
        let link = ip("-oneline link show nic");
        let index: u32 = link.split(':').next().unwrap().parse().unwrap();
        let (wanted, wants) = watch::channel(Wanted::new());
        let mut neighbours = spawn(wants);
        tokio::task::yield_now().await;
        assert_eq!(*neighbours.borrow_and_update(), Neighbours::default());
        wanted.send_replace([index].into());
        let known = |number: u8| {
            let address = match number {
                8 => "2001:db8::8".parse().unwrap(),
                number => IpAddr::from([192, 0, 2, number]),
            };
            (address, MacAddress([2, 0, 0, 0, 0, number]))
        };
        let are = async |neighbours: &mut watch::Receiver<Neighbours>, wanted: &[u8]| {
            let mut expected: Vec<_> = wanted.iter().map(|number| known(*number)).collect();
            expected.sort();
            let is_so = |neighbours: &Neighbours| {
                let mut neighbours = neighbours.to_vec();
                neighbours.sort();
                neighbours == expected
            };
            let so = timeout(PATIENCE, neighbours.wait_for(is_so)).await;
            so.expect("in time").expect("it runs");
        };
        are(&mut neighbours, &[7, 8]).await;
        ip("neighbour add 192.0.2.10 lladdr 02:00:00:00:00:0a dev nic nud stale");
        are(&mut neighbours, &[7, 8, 10]).await;
        drop(wanted);
        while neighbours.changed().await.is_ok() {}
    });
}
