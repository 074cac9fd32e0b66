use std::time::Duration;

use carillon_core::backend::contract;

use crate::NdpBackend;

#[tokio::test]
async fn keeps_the_contract_of_a_backend() {
    let check = contract::check(Box::new(NdpBackend::new()));
    tokio::time::timeout(Duration::from_secs(60), check)
        .await
        .unwrap();
}
