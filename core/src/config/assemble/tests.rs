use super::*;
use crate::config::AddressesInUse::{self, Keep, Reallocate};
use crate::config::BgpAdvertisement;
use crate::config::draft::{BgpAdvertisementDraft, PoolSelection};
use crate::config::legacy;
use crate::config::origin::Origin;
use crate::config::place::Path;

/// What is written in these texts, the objects `a`, `b` and so on.
fn drafts(texts: &[&str]) -> Draft {
    let mut whole = Draft::default();
    for (name, text) in ["a", "b", "c"].into_iter().zip(texts) {
        whole.append(legacy::draft(text, &Origin::whole(name), &["bgp"]).unwrap());
    }
    whole
}

fn pool(name: &str, addresses: &str) -> String {
    format!("address-pools: [{{name: {name}, protocol: bgp, addresses: [{addresses}]}}]")
}

#[test]
fn a_configuration_may_be_written_in_several_objects() {
    let peer = "peers: [{my-asn: 1, peer-asn: 2, peer-address: 192.0.2.9}]";
    let texts = [
        &*pool("p", "192.0.2.0/30"),
        peer,
        &*pool("q", "192.0.2.4/30"),
    ];
    let config = assemble(drafts(&texts), &["bgp"]).whole().unwrap();
    let pools: Vec<&str> = config.pools.keys().map(|name| &**name).collect();
    assert_eq!((pools, config.bgp.peers.len()), (vec!["p", "q"], 1));
}

#[test]
fn a_pool_need_not_say_how_it_is_announced() {
    let mut draft = drafts(&[&pool("p", "192.0.2.0/30")]);
    draft.pools[0].protocol = None;
    let config = assemble(draft, &["bgp"]).whole().unwrap();
    assert_eq!(config.pools["p"].blocks.len(), 1);
    assert_eq!(config.advertisements().count(), 0);
}

#[test]
fn what_does_not_fit_together_is_told_with_both_objects() {
    let texts = [
        pool("p", "192.0.2.0/24"),
        pool("p", "192.0.2.7/32, nonsense"),
    ];
    let errors = assemble(drafts(&[&texts[0], &texts[1]]), &["bgp"])
        .whole()
        .unwrap_err();
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert!(
        errors[0].contains("b:1:24: address-pools[0].name: \"p\" already exists: a:1 has a pool")
    );
    assert!(errors[1].contains("b:1:54: address-pools[0].addresses[0]: \"192.0.2.7/32\" overlaps"));
    assert!(errors[1].contains("of pool \"p\" at a:1"));
    assert!(errors[2].contains("b:1:68: address-pools[0].addresses[1]: \"nonsense\" is not"));
}

#[test]
fn one_format_that_keeps_addresses_in_use_is_enough() {
    let draft = |addresses_in_use| Draft {
        addresses_in_use,
        ..Draft::default()
    };
    let both = |one: Option<AddressesInUse>, other| {
        let mut draft_of_both = draft(one);
        draft_of_both.append(draft(other));
        assemble(draft_of_both, &[])
            .whole()
            .unwrap()
            .addresses_in_use
    };
    assert_eq!(both(None, Some(Reallocate)), Reallocate);
    assert_eq!(both(Some(Reallocate), Some(Keep)), Keep);
    assert_eq!(both(Some(Keep), Some(Reallocate)), Keep);
    assert_eq!(both(None, None), Keep);
}

/// Three pools that name their protocol, and an advertisement of this name for two of them, with this
/// aggregation length.
fn with_advertisement(name: &str, length: u8) -> Draft {
    let pools = [
        pool("p", "192.0.2.0/25"),
        pool("q", "192.0.2.128/28"),
        pool("r", "192.0.2.192/28"),
    ];
    let mut draft = drafts(&pools.each_ref().map(String::as_str));
    let place = |path| Place {
        object: "b".into(),
        path: Path::fields(path),
        at: None,
    };
    let rest = BgpAdvertisement {
        name: name.into(),
        ..BgpAdvertisement::default()
    };
    let pool = |name: &str| Located {
        value: name.into(),
        place: place(&["ipAddressPools"]),
    };
    draft.bgp_advertisements.push(BgpAdvertisementDraft {
        aggregation_length_v4: Some(Located {
            value: length,
            place: place(&["aggregationLength"]),
        }),
        pools: PoolSelection {
            names: vec![pool("p"), pool("q")],
            selectors: Vec::new(),
        },
        rest,
        ..BgpAdvertisementDraft::at(place(&[]))
    });
    draft
}

#[test]
fn a_pool_has_an_advertisement_of_its_own_where_none_is_for_it() {
    for (name, other) in [("both", "r"), ("r", "r-2")] {
        let config = assemble(with_advertisement(name, 28), &["bgp"])
            .whole()
            .unwrap();
        let told = config.advertisements().map(|one| {
            let pools: Vec<&str> = one.audience.pools.iter().map(|pool| &**pool).collect();
            (one.name.as_str(), pools)
        });
        let expected = [(name, vec!["p", "q"]), (other, vec!["r"])];
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn routes_are_for_no_more_than_the_smallest_block_of_any_of_their_pools() {
    let errors = assemble(with_advertisement("both", 27), &["bgp"])
        .whole()
        .unwrap_err();
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let [error] = &errors[..] else {
        panic!("{errors:?}");
    };
    let expected = "aggregationLength: 27 is shorter than the prefix of 192.0.2.128/28";
    assert!(error.contains(expected), "{error}");
}
