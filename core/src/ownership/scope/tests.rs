use super::*;

fn names(names: &[&str]) -> InterfaceNames {
    Arc::new(names.iter().map(|name| Arc::from(*name)).collect())
}

fn nodes(names: &[&str]) -> Scope {
    Scope::of_nodes(names.iter().map(|name| Arc::from(*name)))
}

/// On which interfaces the nodes a, b and c may have it: `-` for none, `*` for all.
fn table(scope: &Scope) -> [String; 3] {
    ["a", "b", "c"].map(|node| match scope.interfaces(node) {
        _ if !scope.contains(node) => "-".to_owned(),
        None => "*".to_owned(),
        Some(names) => names
            .iter()
            .map(|name| &**name)
            .collect::<Vec<_>>()
            .join(","),
    })
}

#[test]
fn interfaces_are_those_of_all_parts_that_a_node_is_in() {
    let eth1 = || Scope::Anywhere.on(&names(&["eth1"]));
    let ab = || nodes(&["a", "b"]);
    for (scope, expected) in [
        (Scope::Anywhere, ["*", "*", "*"]),
        (Scope::Anywhere.on(&names(&[])), ["*", "*", "*"]),
        (ab(), ["*", "*", "-"]),
        (eth1(), ["eth1", "eth1", "eth1"]),
        (ab().on(&names(&["eth1"])), ["eth1", "eth1", "-"]),
        (ab().and(eth1()), ["eth1", "eth1", "-"]),
        (eth1().and(ab()).and(nodes(&["b", "c"])), ["-", "eth1", "-"]),
        (ab().or(eth1()), ["*", "*", "eth1"]),
        (eth1().or(Scope::Anywhere), ["*", "*", "*"]),
        (
            eth1().or(ab().on(&names(&["eth0", "eth2"]))),
            ["eth0,eth1,eth2", "eth0,eth1,eth2", "eth1"],
        ),
        (ab().or(eth1()).and(nodes(&["b", "c"])), ["-", "*", "eth1"]),
        (eth1().and(nodes(&[])), ["-", "-", "-"]),
        (eth1().on(&names(&["eth2"])), ["-", "-", "-"]),
        (
            nodes(&["a"])
                .on(&names(&["eth1"]))
                .or(nodes(&["b"]).on(&names(&["eth1"]))),
            ["eth1", "eth1", "-"],
        ),
    ] {
        assert_eq!(table(&scope), expected, "{scope:?}");
        let listed = scope
            .nodes()
            .map(|names| names.cloned().collect::<Vec<_>>());
        if let Some(listed) = listed {
            let contained = ["a", "b", "c"]
                .into_iter()
                .filter(|node| scope.contains(node));
            assert_eq!(
                listed,
                contained.map(Arc::from).collect::<Vec<_>>(),
                "{scope:?}"
            );
        }
    }
}

/// As long as nobody else has it, it is no more places than before.
#[test]
fn who_may_not_have_it_has_it_where_others_may() {
    let part = |node: &str, interface: &str| nodes(&[node]).on(&names(&[interface]));
    let scope = part("a", "eth1").or(part("b", "eth2"));
    assert!(!scope.contains("c"));
    assert_eq!(scope.interfaces("c"), Some(names(&["eth1", "eth2"])));
    assert_eq!(scope.or(nodes(&["d"])).interfaces("c"), None);
}

#[test]
fn what_is_the_same_is_equal() {
    let part = |node: &str, interface: &str| nodes(&[node]).on(&names(&[interface]));
    let one = part("a", "eth0")
        .or(part("b", "eth0"))
        .or(part("c", "eth1"));
    let other = part("c", "eth1").or(nodes(&["b", "a"]).on(&names(&["eth0"])));
    assert_eq!(one, other);
    assert_eq!(one.clone().or(one.clone()), one);
    assert_eq!(one.clone().and(nodes(&["d"])), nodes(&[]));
    assert!(one.names_interfaces());
    assert!(!one.or(Scope::Anywhere).names_interfaces());
}

#[test]
fn a_scope_is_no_more_than_a_pointer() {
    assert_eq!(size_of::<Scope>(), size_of::<usize>());
}

/// Of the nodes a to d those that may have it; `-` before one that is last resort, its weight behind it.
fn preferences(scope: &Scope) -> String {
    let nodes = ["a", "b", "c", "d"].into_iter();
    let nodes = nodes.filter(|node| scope.contains(node));
    let nodes = nodes.map(|node| {
        let sign = if scope.is_last_resort(node) { "-" } else { "" };
        let weight = scope.weights().and_then(|weights| weights.get(node));
        let weight = weight.map(u32::to_string).unwrap_or_default();
        format!("{sign}{node}{weight}")
    });
    nodes.collect::<Vec<_>>().join(" ")
}

#[test]
fn preferences_are_of_the_nodes_that_may_have_it() {
    let last =
        |scope: Scope, nodes: &[&str]| scope.with_last_resort(nodes.iter().map(|n| Arc::from(*n)));
    let heavy = |scope: Scope, nodes: &[(&str, u32)]| {
        scope.preferring(nodes.iter().map(|(n, w)| (Arc::from(*n), *w)).collect())
    };
    let abc = || nodes(&["a", "b", "c"]);
    for (scope, expected) in [
        (last(abc(), &["a", "d"]), "-a b c"),
        (last(nodes(&["a", "b"]), &["a", "b"]), "a b"),
        (last(abc(), &["a"]).and(nodes(&["a", "b"])), "-a b"),
        (last(abc(), &["a"]).and(nodes(&["a"])), "a"),
        (last(abc(), &["a"]).and(Scope::Anywhere), "-a b c"),
        (last(abc(), &["a"]).or(Scope::Anywhere), "a b c d"),
        (last(abc(), &["a", "b"]).or(nodes(&["b", "d"])), "-a b c d"),
        (
            last(abc(), &["a"]).or(last(nodes(&["a", "d"]), &["a"])),
            "-a b c d",
        ),
        (heavy(Scope::Anywhere, &[("a", 3)]), "a3 b c d"),
        (heavy(Scope::Anywhere, &[("a", 3)]).or(abc()), "a3 b c d"),
        (
            heavy(abc(), &[("a", 3), ("d", 9)]).or(heavy(abc(), &[("a", 1), ("b", 2)])),
            "a3 b2 c",
        ),
        (
            heavy(Scope::Anywhere, &[("a", 3), ("b", 1)]).and(last(nodes(&["b", "c"]), &["b"])),
            "-b1 c",
        ),
        (heavy(abc(), &[("a", 3)]).on(&names(&["eth1"])), "a3 b c"),
    ] {
        assert_eq!(preferences(&scope), expected, "{scope:?}");
    }
    assert_eq!(heavy(Scope::Anywhere, &[]), Scope::Anywhere);
}
