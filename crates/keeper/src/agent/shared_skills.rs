//! Skills of what others share in groups, in the agent's workspace while it may be used. They are the keeper's: written over what the agent made of
//! them, and taken away again.

use std::path::Path;

use protocol::template::{SHARED_SKILL, SHARED_SKILL_DIGITS, Skill};

use super::config::STATE;
use super::files::{self, HomeFileError};
use crate::limits;

const FILE: &str = "SKILL.md";
const PARTIAL: &str = ".SKILL.md.holdfast";

/// Has exactly these in a home.
pub(super) fn put(home: &Path, skills: &[Skill]) -> Result<(), HomeFileError> {
    let state = files::own_folder(&files::open(home)?, STATE)?;
    let folder = files::own_folder(&files::own_folder(&state, "workspace")?, "skills")?;
    for name in files::names_with(&folder, SHARED_SKILL, limits::SKILL_FOLDERS)? {
        if is_ours(&name) && skills.iter().all(|skill| skill.name != name) {
            // What is no folder is none of ours.
            let Some(gone) = files::folder(&folder, &name) else {
                continue;
            };
            files::take_away(&gone, FILE)?;
            files::take_folder_away(&folder, &name)?;
        }
    }
    for skill in skills {
        files::place(
            &files::own_folder(&folder, &skill.name)?,
            FILE,
            PARTIAL,
            &skill.document,
        )?;
    }
    Ok(())
}

/// Whether a name that begins so is one that a keeper gives: it ends with eight digits of a capability's id. Others are the agent's.
fn is_ours(name: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let end = name.rsplit_once('-').map(|(_, end)| end);
    end.is_some_and(|end| end.len() == SHARED_SKILL_DIGITS && end.bytes().all(digit))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn skill(name: &str, document: &str) -> Skill {
        Skill {
            name: name.to_owned(),
            document: document.to_owned(),
        }
    }

    #[test]
    fn exactly_what_is_shared_now_is_there_and_nothing_else_is_touched() {
        let home = tempfile::tempdir().unwrap();
        let skills = home.path().join(STATE).join("workspace/skills");
        let read = |name: &str| std::fs::read_to_string(skills.join(name).join(FILE)).ok();
        put(
            home.path(),
            &[
                skill("holdfast-crm-00000001", "one"),
                skill("holdfast-shop-00000002", "two"),
            ],
        )
        .unwrap();
        // The second one's name begins as ours do.
        for own in ["mine", "holdfast-notes"] {
            std::fs::create_dir_all(skills.join(own)).unwrap();
            std::fs::write(skills.join(own).join(FILE), "the agent's").unwrap();
        }
        // The agent's changes to what is not its own do not stay.
        std::fs::write(skills.join("holdfast-crm-00000001").join(FILE), "the agent's").unwrap();
        put(home.path(), &[skill("holdfast-crm-00000001", "one")]).unwrap();
        assert_eq!(read("holdfast-crm-00000001").as_deref(), Some("one"));
        assert!(!skills.join("holdfast-shop-00000002").exists());
        put(home.path(), &[]).unwrap();
        assert_eq!(read("holdfast-crm-00000001"), None);
        for own in ["mine", "holdfast-notes"] {
            assert_eq!(read(own).as_deref(), Some("the agent's"));
        }
    }

    #[test]
    fn no_link_of_the_agents_is_followed() {
        let (home, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join(FILE), "untouched").unwrap();
        let skills = home.path().join(STATE).join("workspace/skills");
        std::fs::create_dir_all(&skills).unwrap();
        for name in ["holdfast-gone-00000001", "holdfast-crm-00000002"] {
            symlink(outside.path(), skills.join(name)).unwrap();
        }
        put(home.path(), &[skill("holdfast-crm-00000002", "one")]).unwrap();
        let text = |path: &Path| std::fs::read_to_string(path.join(FILE)).unwrap();
        assert_eq!(text(outside.path()), "untouched");
        assert_eq!(text(&skills.join("holdfast-crm-00000002")), "one");
        // What was moved aside has the same beginning, and is left alone.
        put(home.path(), &[]).unwrap();
        assert_eq!(text(outside.path()), "untouched");
        assert_eq!(std::fs::read_dir(&skills).unwrap().count(), 2);
    }
}
