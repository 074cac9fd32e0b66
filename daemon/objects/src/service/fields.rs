//! The fields that a Service has or had in any version of Kubernetes.

use super::super::schema::Table;

pub(super) const FIELDS: Table = &[
    ("", &["apiVersion", "kind", "metadata", "spec", "status"]),
    (
        "spec",
        &[
            "allocateLoadBalancerNodePorts",
            "clusterIP",
            "clusterIPs",
            "externalIPs",
            "externalName",
            "externalTrafficPolicy",
            "healthCheckNodePort",
            "internalTrafficPolicy",
            "ipFamilies",
            "ipFamilyPolicy",
            "loadBalancerClass",
            "loadBalancerIP",
            "loadBalancerSourceRanges",
            "ports",
            "publishNotReadyAddresses",
            "selector",
            "sessionAffinity",
            "sessionAffinityConfig",
            "trafficDistribution",
            "type",
            // Of versions before v1.22.
            "deprecatedPublicIPs",
            "ipFamily",
            "portalIP",
            "topologyKeys",
        ],
    ),
    (
        "spec.ports[]",
        &[
            "appProtocol",
            "name",
            "nodePort",
            "port",
            "protocol",
            "targetPort",
        ],
    ),
    ("spec.sessionAffinityConfig", &["clientIP"]),
    ("spec.sessionAffinityConfig.clientIP", &["timeoutSeconds"]),
    ("status", &["conditions", "loadBalancer"]),
    ("status.conditions[]", CONDITION),
    ("status.loadBalancer", &["ingress"]),
    (
        "status.loadBalancer.ingress[]",
        &["hostname", "ip", "ipMode", "ports"],
    ),
    (
        "status.loadBalancer.ingress[].ports[]",
        &["error", "port", "protocol"],
    ),
];

const CONDITION: &[&str] = &[
    "lastTransitionTime",
    "message",
    "observedGeneration",
    "reason",
    "status",
    "type",
];
