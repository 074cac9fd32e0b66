use std::pin::pin;
use std::task::Waker;

use super::contract;
use super::mock::MockBackend;
use super::*;

#[test]
fn the_mock_keeps_the_contract() {
    let (mock, log) = MockBackend::new("mock");
    let mut check = pin!(contract::check(Box::new(mock)));
    let polled = check.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_ready(), "the mock never waits");
    assert_eq!(log.sets().len(), 4);
    assert_eq!(log.shutdown_reason().as_deref(), Some("contract test"));
}
