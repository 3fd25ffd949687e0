//! The ways into a vault that can be typed.

use client::{BackupKey, ClientSecret, Phrase, password_secret};
use protocol::channel::{SlotInfo, SlotKind};

use super::failure::Failure;
use super::out::plain_line;

/// A way in that somebody types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    Password,
    Phrase,
    BackupKey,
}

/// As the browser offers them.
const ALL: [Way; 3] = [Way::Password, Way::Phrase, Way::BackupKey];

impl Way {
    fn kind(self) -> SlotKind {
        match self {
            Self::Password => SlotKind::Password,
            Self::Phrase => SlotKind::RecoveryPhrase,
            Self::BackupKey => SlotKind::BackupKey,
        }
    }

    /// In words, in the middle of a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Phrase => "recovery phrase",
            Self::BackupKey => "backup key",
        }
    }

    /// What it is called where it is asked for.
    pub fn named(self) -> &'static str {
        match self {
            Self::Password => "the password",
            Self::Phrase => "the recovery phrase",
            Self::BackupKey => "the backup key",
        }
    }

    /// What goes into OPAQUE for what was typed.
    ///
    /// # Errors
    /// It is none such; the message says where to look.
    pub fn secret(self, typed: &str) -> Result<ClientSecret, Failure> {
        let slip = |error: String| Failure::Typed(format!("That cannot be right: {error}."));
        match self {
            Self::Password => password_secret(typed).map_err(|error| slip(error.to_string())),
            Self::Phrase => Phrase::parse(typed)
                .map(|phrase| phrase.secret())
                .map_err(|error| slip(error.to_string())),
            Self::BackupKey => BackupKey::parse(typed)
                .map(|key| key.secret())
                .map_err(|error| slip(error.to_string())),
        }
    }
}

/// The slot to come in through: the one that was asked for, or the first of those that can be typed. The list is a hint of the
/// platform's; a wrong one opens nothing.
///
/// # Errors
/// There is none such, or there are several.
pub fn choose<'a>(
    slots: &'a [SlotInfo],
    asked: Option<Way>,
    named: Option<&str>,
) -> Result<(Way, &'a SlotInfo), Failure> {
    let there = |way: &Way| slots.iter().any(|slot| slot.kind == way.kind());
    let way = match asked {
        Some(way) if there(&way) => way,
        Some(way) => return Err(Failure::NoSuchWay(way.words())),
        None => ALL.into_iter().find(there).ok_or(Failure::NoTypedWay)?,
    };
    let mut fitting = slots.iter().filter(|slot| {
        slot.kind == way.kind() && named.is_none_or(|name| slot.name == name || slot.id.to_string() == name)
    });
    match (fitting.next(), fitting.next()) {
        (Some(slot), None) => Ok((way, slot)),
        (None, _) => Err(Failure::NoSuchWay(way.words())),
        (Some(_), Some(_)) => {
            let names: Vec<_> = slots
                .iter()
                .filter(|slot| slot.kind == way.kind())
                .map(|slot| format!("{} ({})", plain_line(&slot.name), slot.id))
                .collect();
            Err(Failure::Usage(format!(
                "There is more than one {}: say which with --named: {}.",
                way.words(),
                names.join(", ")
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::SlotId;

    use super::*;

    fn slot(kind: SlotKind, name: &str) -> SlotInfo {
        SlotInfo {
            id: SlotId::new(),
            kind,
            name: name.to_owned(),
            created: None,
            passkey: None,
        }
    }

    #[test]
    fn the_password_comes_first_unless_another_way_is_asked_for() {
        let slots = [
            slot(SlotKind::Passkey, "Phone"),
            slot(SlotKind::RecoveryPhrase, ""),
            slot(SlotKind::Password, ""),
        ];
        assert_eq!(choose(&slots, None, None).unwrap().0, Way::Password);
        assert_eq!(choose(&slots, Some(Way::Phrase), None).unwrap().1.id, slots[1].id);
        assert!(matches!(
            choose(&slots, Some(Way::BackupKey), None),
            Err(Failure::NoSuchWay("backup key"))
        ));
        assert!(matches!(choose(&slots[..1], None, None), Err(Failure::NoTypedWay)));
    }

    #[test]
    fn of_several_printed_keys_one_is_named() {
        let slots = [slot(SlotKind::BackupKey, "Safe"), slot(SlotKind::BackupKey, "Mum")];
        assert!(matches!(choose(&slots, None, None), Err(Failure::Usage(_))));
        assert_eq!(choose(&slots, None, Some("Mum")).unwrap().1.id, slots[1].id);
        let id = slots[0].id.to_string();
        assert_eq!(choose(&slots, None, Some(&id)).unwrap().1.id, slots[0].id);
    }

    #[test]
    fn a_slip_is_found_before_anything_is_sent() {
        assert!(matches!(Way::Phrase.secret("legal winner"), Err(Failure::Typed(_))));
        assert!(matches!(Way::BackupKey.secret("HFK1-0000"), Err(Failure::Typed(_))));
        assert!(matches!(Way::Password.secret(""), Err(Failure::Typed(_))));
        assert!(Way::Password.secret("x").is_ok());
    }
}
