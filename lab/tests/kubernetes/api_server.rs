//! The API server alone.

use anyhow::{Result, ensure};
use carillon_lab::kubernetes::{ApiServer, Request};
use carillon_lab::{Lab, test};
use serde_json::{Value, json};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

pub(crate) fn start(lab: &Lab) -> Result<ApiServer> {
    let host = lab.host("api")?;
    lab.switch("lan")?.plug(&host, "eth0", &["192.0.2.1/24"])?;
    ApiServer::start(&host)
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
}

fn complaint(result: Result<impl Sized>) -> String {
    result
        .err()
        .map(|error| format!("{error:#}"))
        .unwrap_or_default()
}

#[test]
fn objects_outlive_a_stop_and_an_expired_watch_is_told() {
    test(|lab| {
        let mut api = start(lab)?;
        api.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: kept}}")?;
        let kept = api.get(&format!("{CONFIG_MAPS}/kept"))?;
        let version = kept
            .pointer("/metadata/resourceVersion")
            .and_then(Value::as_str);
        let version = version.unwrap_or_default();
        let watch = format!("{CONFIG_MAPS}?watch=1&timeoutSeconds=1&resourceVersion={version}");
        api.send(&Request::create(CONFIG_MAPS, config_map("later")))?;
        let event = api.get(&watch)?;
        ensure!(
            event.pointer("/object/metadata/name") == Some(&json!("later")),
            "{event}"
        );

        api.stop()?;
        ensure!(
            api.get(CONFIG_MAPS).is_err(),
            "a stopped API server answers"
        );
        api.start_again()?;
        api.kubectl(&["get", "configmap", "kept"])?;

        api.compact()?;
        let event = api.get(&watch)?;
        ensure!(
            event.pointer("/object/code") == Some(&json!(410)),
            "{event}"
        );
        api.kubectl(&["get", "configmap", "kept"])?;
        Ok(())
    });
}

#[test]
fn a_service_account_may_do_what_its_role_says_and_no_more() {
    test(|lab| {
        let api = start(lab)?;
        api.kubectl(&["create", "serviceaccount", "reader"])?;
        api.kubectl(&[
            "create",
            "role",
            "reader",
            "--verb=list",
            "--resource=services",
        ])?;
        let to = ["--role=reader", "--serviceaccount=default:reader"];
        api.kubectl(&["create", "rolebinding", "reader", to[0], to[1]])?;
        let reader = api.kubeconfig_for("default", "reader")?;
        api.kubectl_as(&reader, &["get", "services"])?;
        let refused = complaint(api.kubectl_as(&reader, &["get", "secrets"]));
        ensure!(
            refused.contains("system:serviceaccount:default:reader"),
            "{refused}"
        );

        let mut stranger = api.access();
        stranger.token = "nobody".to_owned();
        let stranger = api.kubeconfig_with("stranger", &stranger)?;
        let refused = complaint(api.kubectl_as(&stranger, &["get", "services"]));
        ensure!(refused.contains("Unauthorized"), "{refused}");
        Ok(())
    });
}

#[test]
fn many_objects_are_created_at_once() {
    test(|lab| {
        let api = start(lab)?;
        let names = (0..500).map(|n| format!("many-{n}"));
        let requests: Vec<_> = names
            .map(|name| Request::create(CONFIG_MAPS, config_map(&name)))
            .collect();
        api.send_all(&requests)?;
        let list = api.get(CONFIG_MAPS)?;
        let length = list
            .pointer("/items")
            .and_then(Value::as_array)
            .map(Vec::len);
        // One is in every namespace: the certificate to verify the API server by.
        ensure!(
            length.is_some_and(|length| length >= requests.len()),
            "{length:?}"
        );
        let refused = complaint(api.send_all(&requests[..1]));
        ensure!(refused.contains("409"), "{refused}");
        Ok(())
    });
}
