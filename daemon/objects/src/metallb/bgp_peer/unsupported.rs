//! What MetalLB has in a BGPPeer, and Carillon has not yet. What a session goes without is remarked;
//! what it cannot be without refuses it.

use carillon_core::config::error::quote;

use super::super::{Problems, spec};
use super::{BgpPeerSpec, FieldError, written};

impl BgpPeerSpec {
    /// Refuses what is wrong in such options, and then that they are used.
    pub(super) fn refuse_unsupported(&self, problems: &mut Problems) {
        if let Some(number) = self.local_asn {
            let path = spec("localASN");
            let number: Option<u32> = problems.number(&path, number, 1..=u32::MAX.into());
            if number.is_some() {
                let message = not_yet("another AS number than myASN", "remove this field");
                problems.refuse(path, message);
            }
        }
        if let Some(text) = written(&self.dynamic_asn) {
            let path = spec("dynamicASN");
            if matches!(text, "internal" | "external") {
                let remedy = "write the AS number of the router into peerASN";
                problems.refuse(path, not_yet("dynamic AS numbers", remedy));
            } else {
                let message = format!("{} is not known: write internal or external", quote(text));
                problems.refuse(path, message);
            }
        }
        let options = [
            (
                "interface",
                written(&self.interface).is_some(),
                not_yet(
                    "sessions without addresses (BGP unnumbered)",
                    "write the address of the router into peerAddress",
                ),
            ),
            (
                "vrf",
                written(&self.vrf).is_some(),
                not_yet("sessions in a VRF", "remove this field"),
            ),
            (
                "dualStackAddressFamily",
                self.dual_stack_address_family,
                not_yet(
                    "routes of both families in one session",
                    "make a BGPPeer for each family",
                ),
            ),
        ];
        for (field, _, message) in options.into_iter().filter(|(_, is_used, _)| *is_used) {
            problems.refuse(spec(field), message);
        }
    }

    /// What has no effect.
    pub(super) fn without_effect(&self) -> Vec<FieldError> {
        let goes_without = |what: &str| {
            format!("has no effect: Carillon has no {what} yet, and the session goes without")
        };
        let options = [
            (
                "bfdProfile",
                written(&self.bfd_profile).is_some(),
                goes_without("BFD"),
            ),
            (
                "enableGracefulRestart",
                self.enable_graceful_restart,
                goes_without("graceful restart"),
            ),
            (
                "disableMP",
                self.disable_mp,
                "has no effect: remove this field".to_owned(),
            ),
        ];
        let used = options.into_iter().filter(|(_, is_used, _)| *is_used);
        used.map(|(field, _, message)| FieldError::new(spec(field), message))
            .collect()
    }
}

fn not_yet(what: &str, remedy: &str) -> String {
    format!("Carillon has no {what} yet: {remedy}")
}
