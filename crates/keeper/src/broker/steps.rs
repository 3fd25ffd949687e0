//! The steps of the order: neighbours that speak one protocol are one step. Within a step the broker asks one after the other; from one
//! step to the next, where another protocol is spoken, OpenClaw goes by itself, so each step has a path of its own.

use std::borrow::Cow;

use crate::vault_service::ModelSettings;

/// Before the paths of every step but the first.
const PREFIX: &str = "/then/";

/// The settings by steps; none is empty.
pub(super) fn of(settings: Vec<ModelSettings>) -> Vec<Vec<ModelSettings>> {
    let mut steps: Vec<Vec<ModelSettings>> = Vec::new();
    for one in settings {
        match steps.last_mut() {
            Some(step) if step.iter().all(|before| before.kind == one.kind) => step.push(one),
            _ => steps.push(vec![one]),
        }
    }
    steps
}

/// What comes before the provider's own paths for a step; nothing for the first.
pub fn path(step: usize) -> Cow<'static, str> {
    match step {
        0 => Cow::Borrowed(""),
        step => Cow::Owned(format!("{PREFIX}{step}")),
    }
}

/// Which step a path of the agent is for, and the path below it.
pub(super) fn read(path: &str) -> Option<(usize, &str)> {
    let Some(rest) = path.strip_prefix(PREFIX) else {
        return Some((0, path));
    };
    let (step, _) = rest.split_once('/')?;
    let below = &rest[step.len()..];
    // Written in one way only, so that no two paths are one.
    let number = step.parse().ok().filter(|number: &usize| *number > 0)?;
    (number.to_string() == step).then_some((number, below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::tests::provider::settings;
    use crate::vault_service::ModelKind::{Anthropic, OpenAi};

    #[test]
    fn neighbours_of_one_protocol_are_one_step_and_the_order_is_kept() {
        let order = [OpenAi, OpenAi, Anthropic, OpenAi].map(|kind| settings(kind, "https://a.example/v1"));
        let ids = order.each_ref().map(|one| one.id);
        let steps = of(order.into());
        let found: Vec<Vec<_>> = steps
            .iter()
            .map(|step| step.iter().map(|one| one.id).collect())
            .collect();
        assert_eq!(found, [vec![ids[0], ids[1]], vec![ids[2]], vec![ids[3]]]);
        assert!(of(Vec::new()).is_empty());
    }

    #[test]
    fn each_step_has_its_path_and_no_other() {
        for step in [0, 1, 9] {
            let whole = format!("{}/v1/messages", path(step));
            assert_eq!(read(&whole), Some((step, "/v1/messages")));
        }
        for wrong in [
            "/then/",
            "/then/1",
            "/then/0/v1",
            "/then/01/v1",
            "/then/+1/v1",
            "/then/x/v1",
            "/then//v1",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
