use proptest::prelude::*;

use super::*;
use crate::config::address;
use crate::config::error::ConfigErrors;
use crate::config::origin::Origin;
use crate::config::place::{Path, Place};
use crate::yaml::Position;

fn place(object: &str, line: usize) -> Place {
    Place {
        object: object.into(),
        path: Path::default(),
        at: Some(Position { line, column: 1 }),
    }
}

/// Entries on consecutive lines, with the number of their pool.
fn entries(texts: &[(u8, String)]) -> Vec<Located<AddressEntry>> {
    let entry = |(index, (pool, text)): (usize, &(u8, String))| Located {
        value: AddressEntry {
            pool: format!("pool-{pool}").into(),
            text: text.clone(),
            blocks: address::parse(text).unwrap(),
        },
        place: place("f", index + 1),
    };
    texts.iter().enumerate().map(entry).collect()
}

/// What is wrong with these entries.
fn overlaps(entries: &[Located<AddressEntry>]) -> ConfigErrors {
    let texts = Texts::of(Origin::whole("f"), None);
    let pool = PoolDraft {
        addresses: entries.to_vec(),
        ..PoolDraft::at(place("f", 1))
    };
    let mut refused = Refused::default();
    refuse(&[pool], &texts, &mut refused);
    refused.all()
}

fn messages(texts: &[(u8, &str)]) -> Vec<String> {
    let texts: Vec<_> = texts
        .iter()
        .map(|(pool, text)| (*pool, (*text).to_owned()))
        .collect();
    let entries = entries(&texts);
    overlaps(&entries).iter().map(ToString::to_string).collect()
}

#[test]
fn overlaps_name_both_entries() {
    let cases = [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.0/8", "10.1.0.0/16"),
        ("10.1.0.0/16", "10.0.0.0/8"),
        ("10.0.0.0/30", "10.0.0.3-10.0.0.9"),
        ("fc00::/8", "fc00:1::/64"),
    ];
    for (first, second) in cases {
        let expected = format!(
            "f:2:1: {second:?} overlaps {first:?} of pool \"pool-1\" at line 1: an address can be \
             in one pool only, and there once"
        );
        assert_eq!(messages(&[(1, first), (2, second)]), [expected.as_str()]);
        assert_eq!(messages(&[(1, first), (1, second)]), [expected.as_str()]);
    }
}

#[test]
fn neighbours_and_families_do_not_overlap() {
    let none: [&str; 0] = [];
    assert_eq!(messages(&[(1, "10.0.0.0/25"), (2, "10.0.0.128/25")]), none);
    assert_eq!(messages(&[(1, "0.0.0.0/0"), (1, "::/0")]), none);
    assert_eq!(
        messages(&[(1, "10.0.0.1-10.0.0.6"), (2, "10.0.0.7/32")]),
        none
    );
}

#[test]
fn each_entry_is_reported_once() {
    let found = messages(&[
        (1, "10.0.1.0/24"),
        (1, "10.0.0.0/24"),
        (2, "10.0.0.0/16"),
        (2, "10.0.0.9/32"),
    ]);
    let starts = [
        "f:3:1: \"10.0.0.0/16\" overlaps \"10.0.1.0/24\" of pool \"pool-1\" at line 1: ",
        "f:4:1: \"10.0.0.9/32\" overlaps \"10.0.0.0/24\" of pool \"pool-1\" at line 2: ",
    ];
    assert_eq!(found.len(), starts.len());
    for (message, start) in found.iter().zip(starts) {
        assert!(message.starts_with(start), "{message}");
    }
}

proptest! {
    /// Compared with the comparison of all with all.
    #[test]
    fn every_entry_that_overlaps_an_earlier_one_is_reported_with_such_a_one(
        ranges in prop::collection::vec((0..4_u8, 0..200_u8, 0..20_u8), 0..12),
    ) {
        let text = |start: u8, length: u8| format!("10.0.0.{start}-10.0.0.{}", start + length);
        let texts = ranges.iter().map(|(pool, start, length)| (*pool, text(*start, *length)));
        let entries = entries(&texts.collect::<Vec<_>>());
        let found = overlaps(&entries);
        let mut found = found.iter().map(|error| {
            let earlier = error.message.split('"').nth(3).unwrap();
            (error.location.spot.unwrap().position.line - 1, earlier.to_owned())
        });

        for (index, (_, start, length)) in ranges.iter().enumerate() {
            let earlier: Vec<String> = ranges
                .iter()
                .take(index)
                .filter(|(_, other, other_length)| {
                    start + length >= *other && other + other_length >= *start
                })
                .map(|(_, start, length)| text(*start, *length))
                .collect();
            if !earlier.is_empty() {
                let (line, named) = found.next().expect("one error for each such entry");
                prop_assert_eq!(line, index);
                prop_assert!(earlier.contains(&named));
            }
        }
        prop_assert_eq!(found.next(), None);
    }
}

proptest! {
    /// Of pools that are objects of their own those are refused that have addresses of one before them
    /// that is not refused, and no others.
    #[test]
    fn what_is_refused_takes_nothing_from_others(
        ranges in prop::collection::vec((0..200_u8, 0..60_u8), 0..12),
    ) {
        let pools: Vec<_> = ranges.iter().enumerate().map(|(index, (start, length))| {
            let text = format!("10.0.0.{start}-10.0.0.{}", start.saturating_add(*length));
            let object = format!("pool {index}");
            let mut addresses = entries(&[(0, text)]);
            for entry in &mut addresses {
                entry.place = place(&object, 1);
            }
            PoolDraft { addresses, ..PoolDraft::at(place(&object, 1)) }
        }).collect();
        let mut refused = Refused::default();
        refuse(&pools, &Texts::default(), &mut refused);

        let mut right: Vec<(u8, u8)> = Vec::new();
        for (index, (start, length)) in ranges.iter().enumerate() {
            let end = start.saturating_add(*length);
            let is_taken = right.iter().any(|(other, other_end)| end >= *other && other_end >= start);
            prop_assert_eq!(refused.contains(&format!("pool {index}")), is_taken);
            if !is_taken {
                right.push((*start, end));
            }
        }
    }
}
