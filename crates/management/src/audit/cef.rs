//! Events in the Common Event Format (ArcSight CEF, version 0), one a line, as collectors of logs read it.

use super::told::{Named, Told};
use crate::alerts::Trigger;

/// One event. `version` is the program's.
pub(crate) fn line(event: &Told, version: &str) -> String {
    let nobody = Named::default();
    let target = event.target.as_ref().unwrap_or(&nobody);
    let extension = [
        ("rt", event.at.to_string()),
        ("externalId", event.seq.to_string()),
        ("act", event.action.clone()),
        ("outcome", event.outcome.clone()),
        ("src", event.address.clone()),
        ("requestClientApplication", event.device.clone()),
        ("suid", event.actor.id.clone().unwrap_or_default()),
        ("suser", event.actor.name.clone()),
        ("duid", target.id.clone().unwrap_or_default()),
        ("duser", target.name.clone()),
        ("cs1Label", "targetKind".to_owned()),
        ("cs1", target.kind.clone()),
        ("cs2Label", "details".to_owned()),
        ("cs2", event.details.to_string()),
    ];
    let extension: Vec<String> = extension
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| format!("{key}={}", of_extension(&value)))
        .collect();
    format!(
        "CEF:0|Holdfast|Holdfast|{}|{}|{}|{}|{}",
        of_header(version),
        of_header(&event.action),
        of_header(&event.action.replace(['.', '_'], " ")),
        severity(event),
        extension.join(" ")
    )
}

/// 0 to 10. What was refused is worth a look; what takes a protection away, more than one.
fn severity(event: &Told) -> u8 {
    match event.action.as_str() {
        "audit.chain_broken" => 10,
        "factor.authenticator_removed"
        | "factor.passkey_removed"
        | "organisation.policy_changed"
        | "person.factors_reset"
        | "person.removed"
        | "recovery.asked"
        | "vault.locked" => 7,
        _ if event.is_refused() => 6,
        "provider.added" | "provider.changed" | "provider.removed" => 5,
        action if Trigger::of(action).is_some() => 5,
        _ => 2,
    }
}

fn of_header(text: &str) -> String {
    one_line(text).replace('\\', "\\\\").replace('|', "\\|")
}

fn of_extension(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('=', "\\=");
    escaped.replace("\r\n", "\\n").replace(['\n', '\r'], "\\n")
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Action;

    #[test]
    fn a_name_cannot_become_another_field_or_another_event() {
        let body = r#"{"action":"person.removed","actor":{"id":"1","kind":"person","name":"A=b\nCEF:0|x"},"address":"10.0.0.1",
            "at":5,"details":{"k":"v|\\"},"device":"","outcome":"done","seq":7,"target":null,"tenant":"t","v":1}"#;
        let line = line(&Told::read(body).unwrap(), "1|0");
        assert_eq!(
            line,
            "CEF:0|Holdfast|Holdfast|1\\|0|person.removed|person removed|7|rt=5 externalId=7 act=person.removed outcome=done \
             src=10.0.0.1 suid=1 suser=A\\=b\\nCEF:0|x cs1Label=targetKind cs2Label=details cs2={\"k\":\"v|\\\\\\\\\"}"
        );
        assert!(!line.contains('\n'));
    }

    #[test]
    fn whatever_sets_an_alert_off_by_itself_stands_out() {
        let severity_of = |action: &str| {
            let body = format!(
                r#"{{"action":"{action}","actor":{{"id":null,"kind":"server","name":""}},"address":"","at":5,"details":{{}},"device":"",
                    "outcome":"done","seq":7,"target":null,"tenant":"t","v":1}}"#
            );
            severity(&Told::read(&body).unwrap())
        };
        let alarming = Action::ALL
            .iter()
            .map(|action| action.as_str())
            .filter(|action| Trigger::of(action).is_some());
        let plain: Vec<_> = alarming.filter(|action| severity_of(action) < 5).collect();
        assert_eq!(plain, Vec::<&str>::new());
        assert_eq!(severity_of("audit.chain_broken"), 10);
        assert_eq!(severity_of("provider.added"), 5);
        assert_eq!(severity_of("sign_in.done"), 2);
    }
}
