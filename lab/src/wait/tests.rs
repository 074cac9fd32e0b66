use std::time::Duration;

use anyhow::{bail, ensure};

use super::{Hopeless, until};

#[test]
fn returns_the_value_of_the_first_success() {
    let mut looks = 0;
    let value = until("three looks", Duration::from_secs(10), || {
        looks += 1;
        ensure!(looks == 3, "{looks} looks");
        Ok(looks)
    });
    assert_eq!(value.unwrap(), 3);
}

#[test]
fn says_what_was_waited_for_and_the_last_state() {
    let mut looks = 0;
    let error = until::<()>("pigs to fly", Duration::ZERO, || {
        looks += 1;
        bail!("{looks} pigs on the ground")
    });
    assert_eq!(
        error.unwrap_err().to_string(),
        "waited 0ns for pigs to fly; last seen: 1 pigs on the ground"
    );
}

#[test]
fn ends_at_once_when_there_is_no_hope() {
    let error = until::<()>("the dead to rise", Duration::from_secs(3600), || {
        Err(Hopeless("it is buried".into()).into())
    });
    assert_eq!(
        error.unwrap_err().to_string(),
        "waited for the dead to rise in vain: it is buried"
    );
}
