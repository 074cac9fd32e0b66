use proptest::prelude::*;

use super::*;

#[test]
fn accepted() {
    let table = [
        ("90s", 90_000_000_000),
        ("1m30s", 90_000_000_000),
        ("1.5h", 5_400_000_000_000),
        ("300ms", 300_000_000),
        ("0", 0),
        ("-0", 0),
        ("+5s", 5_000_000_000),
        ("0s", 0),
        ("-0s", 0),
        (".5s", 500_000_000),
        ("5.s", 5_000_000_000),
        ("1h1m1s1ms1us1ns", 3_661_001_001_001),
        ("2us", 2_000),
        ("2µs", 2_000),
        ("2μs", 2_000),
        ("1s1s", 2_000_000_000),
        ("0.000000000000000000001h", 0),
        ("0.33333333333333333333h", 1_199_999_999_999),
        ("9223372036854775807ns", 9_223_372_036_854_775_807),
        ("2562047h47m16s", 9_223_372_036_000_000_000),
    ];
    for (text, nanoseconds) in table {
        assert_eq!(parse(text), Ok(Duration::from_nanos(nanoseconds)), "{text}");
    }
}

#[test]
fn refused() {
    let examples = "write for example 90s, 1m30s, 1.5h or 300ms";
    let units = "the units are h, m, s, ms, us and ns";
    let table = [
        ("", format!("\"\" is not a duration: {examples}")),
        ("soon", format!("\"soon\" is not a duration: {examples}")),
        (".s", format!("\".s\" is not a duration: {examples}")),
        ("-", format!("\"-\" is not a duration: {examples}")),
        ("+-5s", format!("\"+-5s\" is not a duration: {examples}")),
        ("1..5s", format!("\"1..5s\" lacks a unit: {examples}")),
        ("90", format!("\"90\" lacks a unit: {examples}")),
        ("1m30", format!("\"1m30\" lacks a unit: {examples}")),
        (
            "90 s",
            format!("\"90 s\" has an unknown unit \" s\": {units}"),
        ),
        ("1d", format!("\"1d\" has an unknown unit \"d\": {units}")),
        ("90S", format!("\"90S\" has an unknown unit \"S\": {units}")),
        ("-5s", format!("\"-5s\" is negative: {examples}")),
        (
            "2562048h",
            "\"2562048h\" is too long for a duration".to_owned(),
        ),
        (
            "99999999999999999999999999999999999999999999h",
            "\"99999999999999999999999999999999999999999999h\" is too long for a duration"
                .to_owned(),
        ),
    ];
    for (text, message) in table {
        assert_eq!(parse(text).unwrap_err().to_string(), message);
    }
}

proptest! {
    #[test]
    fn the_parts_add_up(hours in 0..1000_u64, minutes in 0..1000_u64, millis in 0..100_000_u64) {
        let text = format!("{hours}h{minutes}m{}.{:03}s", millis / 1000, millis % 1000);
        let seconds = Duration::from_secs(hours * 3600 + minutes * 60);
        prop_assert_eq!(parse(&text), Ok(seconds + Duration::from_millis(millis)));
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "[-+0-9.hmnsuµ]{0,60}|\\PC{0,20}") {
        let _ = parse(&text);
    }
}
