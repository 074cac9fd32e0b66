use super::super::{Kind, document, json};
use super::*;

fn secret(json: &str) -> Result<SecretDraft, Vec<String>> {
    let json = format!("{{\"metadata\":{{\"name\":\"bgp\",\"namespace\":\"x\"}},{json}}}");
    let object = json::read(Kind::Secret, json.as_bytes(), false);
    match object.map_err(|error| error.errors)?.object {
        Object::Setting(setting) => Ok(setting.draft(&[]).unwrap().secrets.remove(0)),
        other => panic!("{other:?}"),
    }
}

fn password(json: &str) -> Option<String> {
    secret(json).unwrap().password.map(|password| password.0)
}

#[test]
fn the_password_of_a_secret_for_authentication_is_kept_and_nothing_else() {
    let basic = "\"type\":\"kubernetes.io/basic-auth\"";
    let data = "\"data\":{\"password\":\"aHVudGVyMg==\",\"username\":\"YQ==\"}";
    let read = secret(&format!("{basic},{data}")).unwrap();
    assert_eq!((read.key.as_str(), read.name.as_str()), ("x/bgp", "bgp"));
    assert_eq!(read.kind, "kubernetes.io/basic-auth");
    assert_eq!(read.password.unwrap().0, "hunter2");
    assert_eq!(password(&format!("\"type\":\"Opaque\",{data}")), None);
    assert_eq!(password(data), None);
    assert_eq!(password(&format!("{basic},\"data\":null")), None);
    assert_eq!(
        password(&format!("{basic},\"data\":{{\"password\":\"//79\"}}")),
        None
    );
    let wrong = secret(&format!("{basic},\"data\":{{\"password\":\"hunter2\"}}"));
    let told = wrong.unwrap_err();
    assert_eq!(
        told,
        ["data.password: is not base64: write it so, or as it is below stringData"]
    );
    let wrong = secret(&format!("{basic},\"data\":{{\"password\":8305}}")).unwrap_err();
    assert_eq!(wrong, ["data.password: is not text: write it in quotes"]);
}

#[test]
fn files_have_it_as_text_as_well() {
    let text = "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/basic-auth\nmetadata: {name: \
                bgp}\nstringData: {password: hunter2}\ndata: {password: YQ==, other: x}\n";
    let parsed = document::parse("f", text).objects.remove(0);
    assert!(!format!("{parsed:?}").contains("hunter2"));
    let Object::Setting(setting) = parsed.object.unwrap() else {
        panic!("not a setting");
    };
    let secret = setting.draft(&[]).unwrap().secrets.remove(0);
    assert_eq!(secret.password.unwrap().0, "hunter2");
}

#[test]
fn what_is_written_in_place_of_the_mapping_around_a_password_is_not_repeated() {
    for value in ["hunter2", "[hunter2]", "8305", "true", "0.5"] {
        for field in ["data", "stringData"] {
            let text = format!(
                "apiVersion: v1\nkind: Secret\nmetadata: {{name: bgp}}\n{field}: {value}\n"
            );
            let parsed = document::parse("f", &text);
            let told = format!("{parsed:?}");
            assert!(told.contains("is no mapping"), "{told}");
            assert!(!told.contains(value), "{told}");
        }
    }
}
