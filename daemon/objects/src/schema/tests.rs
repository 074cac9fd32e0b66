//! The tables against the objects themselves, as Kubernetes defines them.

use carillon_core::yaml;

use super::*;

fn told(kind: Kind, text: &str) -> Vec<String> {
    let root = yaml::parse(text).unwrap().unwrap();
    let errors = errors(kind, Value(&root));
    let told = errors.iter().map(|error| {
        let at = Value(&root).place(error);
        format!("{}:{} {error}", at.line, at.column)
    });
    told.collect()
}

#[test]
fn a_field_that_no_service_has_is_told_with_the_one_that_was_meant() {
    let text = "\
metadata:
  name: web
  label: {a: b}
  loadBalancerIP: 192.0.2.1
spec:
  LoadBalancerIP: 192.0.2.1
  externalTrafficpolicy: Local
  ports:
  - port: 80
  - port: 81
    targetport: 8080
    port: 82
  replicas: 3
  selector: {anything: goes, targetport: x}
type: LoadBalancer
status:
  loadBalancer: {ingress: [{IP: 192.0.2.1}]}
";
    assert_eq!(
        told(Kind::Service, text),
        [
            "15:1 type: unknown field: it belongs into spec, check the indentation",
            "3:3 metadata.label: unknown field, did you mean \"labels\"?",
            "4:3 metadata.loadBalancerIP: unknown field: it belongs into spec, check the \
             indentation",
            "6:3 spec.LoadBalancerIP: unknown field, did you mean \"loadBalancerIP\"?",
            "7:3 spec.externalTrafficpolicy: unknown field, did you mean \
             \"externalTrafficPolicy\"?",
            "13:3 spec.replicas: Kubernetes has no field \"replicas\" here: remove it",
            "11:5 spec.ports[1].targetport: unknown field, did you mean \"targetPort\"?",
            "12:5 spec.ports[1].port: is there twice: remove one",
            "17:29 status.loadBalancer.ingress[0].IP: unknown field, did you mean \"ip\"?",
        ]
    );
}

#[test]
fn so_are_those_of_the_other_kinds() {
    let slice = "endpoints:\n- {address: [x], conditions: {Ready: true}}\nlabels: {}\n";
    assert_eq!(
        told(Kind::EndpointSlice, slice),
        [
            "3:1 labels: unknown field: it belongs into metadata, check the indentation",
            "2:4 endpoints[0].address: unknown field, did you mean \"addresses\"?",
            "2:31 endpoints[0].conditions.Ready: unknown field, did you mean \"ready\"?",
        ]
    );
    let node = "spec: {taint: [], taints: [{Key: a}]}\nstatus: {anything: {goes: 1}}\n";
    assert_eq!(
        told(Kind::Node, node),
        [
            "1:8 spec.taint: unknown field, did you mean \"taints\"?",
            "1:29 spec.taints[0].Key: unknown field, did you mean \"key\"?",
        ]
    );
    let config = "data: {config: ''}\nconfig: |\n  peers: []\n";
    assert_eq!(
        told(Kind::ConfigMap, config),
        ["2:1 config: Kubernetes has no field \"config\" here: remove it"]
    );
}

/// What was read from API servers of several versions.
#[test]
fn what_kubectl_exports_is_right() {
    let service = r#"{"apiVersion": "v1", "kind": "Service",
        "metadata": {"annotations": {"x.example/y": "z"}, "creationTimestamp": "2021-01-01T00:00:00Z",
            "labels": {"app": "web"}, "managedFields": [{"apiVersion": "v1", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {"f:ports": {".": {}, "k:{\"port\":80}": {}}}}, "manager": "kubectl",
            "operation": "Update", "time": "2021-01-01T00:00:00Z"}], "name": "web",
            "namespace": "default", "resourceVersion": "7", "selfLink": "/x", "uid": "u",
            "ownerReferences": [{"apiVersion": "v1", "kind": "X", "name": "x", "uid": "u",
                "controller": true, "blockOwnerDeletion": true}]},
        "spec": {"clusterIP": "10.0.0.1", "externalTrafficPolicy": "Cluster", "ipFamily": "IPv4",
            "topologyKeys": ["*"], "ports": [{"nodePort": 30000, "port": 80, "protocol": "TCP",
            "targetPort": 80}], "selector": {"app": "web"}, "sessionAffinity": "ClientIP",
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}, "type": "LoadBalancer"},
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1", "ipMode": "VIP",
            "ports": [{"port": 80, "protocol": "TCP"}]}]}}}"#;
    assert_eq!(told(Kind::Service, service), [""; 0]);
    let slice = r#"{"apiVersion": "discovery.k8s.io/v1beta1", "addressType": "IPv4", "metadata": {},
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": true},
            "topology": {"kubernetes.io/hostname": "n1"}, "targetRef": {"kind": "Pod", "name": "p"},
            "hints": {"forZones": [{"name": "a"}]}}], "ports": [{"name": "", "port": 80}]}"#;
    assert_eq!(told(Kind::EndpointSlice, slice), [""; 0]);
}

mod openapi {
    use std::collections::BTreeSet;

    use k8s_openapi::api::core::v1::{ConfigMap, Node, Service};
    use k8s_openapi::api::discovery::v1::EndpointSlice;
    use serde::de::{self, Deserialize, IntoDeserializer, Visitor, value};

    use super::*;

    type Fields = Vec<(String, &'static [&'static str])>;

    /// Follows a type through its `Deserialize` and notes every struct in it with its fields.
    struct Trace<'a> {
        place: String,
        kind: [&'static str; 2],
        found: &'a mut Fields,
    }

    impl Trace<'_> {
        fn below(&mut self, step: &str) -> Trace<'_> {
            let place = match (self.place.as_str(), step) {
                ("", step) => step.to_owned(),
                (place, "[]") => format!("{place}[]"),
                (place, step) => format!("{place}.{step}"),
            };
            Trace {
                place,
                kind: self.kind,
                found: self.found,
            }
        }
    }

    impl<'de> de::Deserializer<'de> for Trace<'_> {
        type Error = value::Error;

        fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
            match self.place.as_str() {
                "apiVersion" => visitor.visit_str(self.kind[0]),
                "kind" => visitor.visit_str(self.kind[1]),
                // The one text that every type of text takes.
                _ => visitor.visit_str("1970-01-01T00:00:00Z"),
            }
        }

        fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
            visitor.visit_bool(true)
        }

        fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
            visitor.visit_i32(1)
        }

        fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
            visitor.visit_i64(1)
        }

        fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
            visitor.visit_some(self)
        }

        fn deserialize_newtype_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            visitor: V,
        ) -> Result<V::Value, value::Error> {
            visitor.visit_newtype_struct(self)
        }

        fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
            visitor.visit_seq(Once(Some(self)))
        }

        fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
            visitor.visit_map(Each {
                trace: self,
                rest: [].iter(),
                current: "",
            })
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, value::Error> {
            self.found.push((self.place.clone(), fields));
            visitor.visit_map(Each {
                trace: self,
                rest: fields.iter(),
                current: "",
            })
        }

        serde::forward_to_deserialize_any! {
            i8 i16 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
            tuple tuple_struct enum identifier ignored_any
        }
    }

    struct Once<'a>(Option<Trace<'a>>);

    impl<'de> de::SeqAccess<'de> for Once<'_> {
        type Error = value::Error;

        fn next_element_seed<T: de::DeserializeSeed<'de>>(
            &mut self,
            seed: T,
        ) -> Result<Option<T::Value>, value::Error> {
            let Some(mut trace) = self.0.take() else {
                return Ok(None);
            };
            seed.deserialize(trace.below("[]")).map(Some)
        }
    }

    struct Each<'a> {
        trace: Trace<'a>,
        rest: std::slice::Iter<'static, &'static str>,
        current: &'static str,
    }

    impl<'de> de::MapAccess<'de> for Each<'_> {
        type Error = value::Error;

        fn next_key_seed<K: de::DeserializeSeed<'de>>(
            &mut self,
            seed: K,
        ) -> Result<Option<K::Value>, value::Error> {
            let Some(key) = self.rest.next() else {
                return Ok(None);
            };
            self.current = key;
            seed.deserialize((*key).into_deserializer()).map(Some)
        }

        fn next_value_seed<T: de::DeserializeSeed<'de>>(
            &mut self,
            seed: T,
        ) -> Result<T::Value, value::Error> {
            seed.deserialize(self.trace.below(self.current))
        }
    }

    fn trace<T: for<'de> Deserialize<'de>>(
        api_version: &'static str,
        kind: &'static str,
    ) -> Fields {
        let mut found = Vec::new();
        T::deserialize(Trace {
            place: String::new(),
            kind: [api_version, kind],
            found: &mut found,
        })
        .unwrap();
        found
    }

    #[test]
    fn every_field_of_the_api_is_in_the_tables() {
        let kinds = [
            (Kind::Service, trace::<Service>("v1", "Service")),
            (Kind::Node, trace::<Node>("v1", "Node")),
            (Kind::ConfigMap, trace::<ConfigMap>("v1", "ConfigMap")),
            (
                Kind::EndpointSlice,
                trace::<EndpointSlice>("discovery.k8s.io/v1", "EndpointSlice"),
            ),
        ];
        for (kind, structs) in kinds {
            let check = Check {
                tables: tables(kind),
                errors: Vec::new(),
            };
            for (place, fields) in &structs {
                let Some(known) = check.fields(place) else {
                    // What nobody writes by hand.
                    let is_free = kind == Kind::Node
                        && (place.starts_with("status") || place.starts_with("spec.configSource"));
                    assert!(is_free, "{kind:?} {place}: {fields:?}");
                    continue;
                };
                for field in *fields {
                    assert!(known.contains(field), "{kind:?} {place}.{field}");
                }
            }
            let real: BTreeSet<&str> = structs.iter().map(|(place, _)| place.as_str()).collect();
            let places = tables(kind).into_iter().flatten().map(|(place, _)| *place);
            for place in places {
                assert!(real.contains(place), "{kind:?} has no {place}");
            }
        }
    }
}
