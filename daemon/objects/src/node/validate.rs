//! A Node as a strict API server wants it.

use super::super::validate::format;
use super::super::validate::{Cursor, Found};

/// Checks all but the metadata.
pub(in super::super) fn check(node: &Cursor<'_>, found: &mut Found) {
    for taint in node.field("spec").field("taints").items(found) {
        let key = taint.field("key");
        key.refuse_if_wrong(format::qualified_name(key.text(found)), found);
        let value = taint.field("value");
        value.refuse_if_wrong(format::label_value(value.text(found)), found);
        let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
        let right = "NoSchedule, PreferNoSchedule or NoExecute";
        taint.field("effect").one_of(&effects, right, found);
    }
    for condition in node.field("status").field("conditions").items(found) {
        let status = condition.field("status");
        let text = status.text(found);
        if condition.field("type").text(found) == "NetworkUnavailable"
            && !matches!(text, "True" | "False" | "Unknown")
        {
            let message = format!("{text:.80?} counts as False: write True, False or Unknown");
            status.note(message, found);
        }
    }
}
