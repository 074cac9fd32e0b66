use std::time::Duration;

use carillon_core::backend::contract;

use crate::ArpBackend;

#[tokio::test]
async fn keeps_the_contract_of_a_backend() {
    let check = contract::check(Box::new(ArpBackend::new()));
    tokio::time::timeout(Duration::from_secs(60), check)
        .await
        .unwrap();
}
