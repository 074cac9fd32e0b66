use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::testing::labels;

fn any_requirement() -> impl Strategy<Value = Requirement> {
    let values = subsequence(vec!["1", "2", "3"], 1..=3);
    let values = values.prop_map(|values| values.into_iter().map(str::to_owned).collect());
    let operator = prop_oneof![
        4 => values.clone().prop_map(Operator::In),
        1 => values.prop_map(Operator::NotIn),
        1 => Just(Operator::Exists),
        1 => Just(Operator::DoesNotExist),
    ];
    (select(vec!["a", "b", "c"]), operator).prop_map(|(key, operator)| Requirement {
        key: key.to_owned(),
        operator,
    })
}

proptest! {
    #[test]
    fn whoever_matches_is_a_candidate(
        selectors in prop::collection::vec(prop::collection::vec(any_requirement(), 0..3), 0..12),
        text in subsequence(vec!["a=1", "b=1", "b=2", "c=3", "d=1"], 0..=5),
    ) {
        let labels = labels(&text.join(","));
        let mut index = Selectors::default();
        let selectors: Vec<_> = (selectors.into_iter())
            .map(|requirements| Selector { requirements })
            .collect();
        for (owner, selector) in selectors.iter().enumerate() {
            index.insert(selector, owner);
        }
        let candidates = index.candidates(&labels);
        for (owner, selector) in selectors.iter().enumerate() {
            prop_assert!(candidates.contains(&owner) || !selector.matches(&labels));
        }
        prop_assert_eq!(index.is_empty(), selectors.is_empty());
    }
}

#[test]
fn of_a_thousand_those_are_asked_that_need_a_label_that_is_there() {
    let mut index = Selectors::default();
    for owner in 0..1000 {
        let team = format!("team={owner},tier=1");
        index.insert(&crate::testing::selector(&team), owner);
    }
    assert_eq!(index.candidates(&labels("app=web,team=7")), [7]);
    assert_eq!(index.candidates(&labels("app=web")), [0_usize; 0]);
}
