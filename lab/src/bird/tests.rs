use super::{parse, session};
use crate::route::Path;

const ROUTES: &str = "BIRD 2.0.12 ready.
Table master4:
198.51.100.1/32      blackhole [s4 23:59:36.854] * (200)
\tType: static univ
                     unicast [r6 23:59:41.896 from 2001:db8::1] (100) [AS64512i]
\tvia 192.0.2.1 on eth0
\tType: BGP univ
\tBGP.origin: IGP
\tBGP.as_path: 64512 64513
\tBGP.next_hop: 192.0.2.1
\tBGP.med: 7
\tBGP.local_pref: 100
\tBGP.community: (64512,100) (64512,200)

Table master6:
2001:db8:aa::/48     unicast [r6 23:59:38.852] * (100) [AS64512i]
\tvia 2001:db8::1 on eth0
\tType: BGP univ
\tBGP.origin: IGP
\tBGP.as_path: 
\tBGP.next_hop: 2001:db8::1 fe80::1
";

#[test]
fn reads_routes() {
    let routes = parse(ROUTES).unwrap();
    assert_eq!(routes.len(), 2);
    let paths = &routes[&"198.51.100.1/32".parse().unwrap()];
    let expected = Path {
        peer: Some("2001:db8::1".parse().unwrap()),
        next_hops: vec!["192.0.2.1".parse().unwrap()],
        as_path: vec![64512, 64513],
        origin: "IGP".into(),
        local_pref: Some(100),
        med: Some(7),
        communities: vec!["64512:100".into(), "64512:200".into()],
        best: false,
        multipath: false,
    };
    assert_eq!(
        paths.as_slice(),
        [
            Path {
                best: true,
                ..Path::default()
            },
            expected
        ]
    );
    let [path] = routes[&"2001:db8:aa::/48".parse().unwrap()].as_slice() else {
        panic!("one path")
    };
    assert_eq!(path.peer, Some("2001:db8::1".parse().unwrap()));
    assert_eq!(path.next_hops.len(), 2);
}

#[test]
fn reads_sessions() {
    let line = "r6         BGP        ---        up     23:59:37.751  Established   ";
    assert_eq!(session(line), Some(("r6".into(), "Established".into())));
    assert_eq!(
        session("device1    Device     ---        up     23:59:36.854  "),
        None
    );
    assert_eq!(
        session("Name       Proto      Table      State  Since         Info"),
        None
    );
}
