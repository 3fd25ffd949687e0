//! What its template says, put into a home: the persona and the skills, once for each version of the template. What the agent made of them
//! since stays until there is another version, and is then put beside the new.

use std::os::fd::OwnedFd;
use std::path::Path;

use super::config::STATE;
use super::files::{self, HomeFileError};
use crate::template::Furnishing;

/// The version that this home was furnished with: in the home, so that it is as old as what it speaks of, whatever was sealed. An agent that
/// changes it has the same files put there again, or goes without new ones.
const MARK: &str = "holdfast-template";
const MARK_PARTIAL: &str = ".holdfast-template.holdfast";
const MARK_BYTES: u64 = 64;
const WORKSPACE: &str = "workspace";
const PERSONA: Names = Names {
    file: "SOUL.md",
    partial: ".SOUL.md.holdfast",
    before: "SOUL.before.md",
};
const SKILLS: &str = "skills";
const SKILL: Names = Names {
    file: "SKILL.md",
    partial: ".SKILL.md.holdfast",
    before: "SKILL.before.md",
};

struct Names {
    file: &'static str,
    partial: &'static str,
    /// What is there already, if there is.
    before: &'static str,
}

/// Puts what the template says into a home whose agent does not run. Says whether there was something to do.
pub(crate) fn furnish(home: &Path, furnishing: &Furnishing) -> Result<bool, HomeFileError> {
    let state = files::own_folder(&files::open(home)?, STATE)?;
    let version = furnishing.version();
    if files::read(&state, MARK, MARK_BYTES).as_deref() == Some(&version) {
        return Ok(false);
    }
    let workspace = files::own_folder(&state, WORKSPACE)?;
    let template = furnishing.template();
    match template.map(|template| template.persona.as_str()) {
        Some(persona) if !persona.is_empty() => put(&workspace, &PERSONA, persona)?,
        _ if furnishing.persona_gone() => files::rename(&workspace, PERSONA.file, PERSONA.before)?,
        _ => {}
    }
    let skills = files::own_folder(&workspace, SKILLS)?;
    for name in furnishing.skills_gone() {
        let folder = files::own_folder(&skills, name)?;
        files::rename(&folder, SKILL.file, SKILL.before)?;
    }
    for skill in template.into_iter().flat_map(|template| &template.skills) {
        put(&files::own_folder(&skills, &skill.name)?, &SKILL, &skill.document)?;
    }
    // Last: what is broken off is done again.
    files::place(&state, MARK, MARK_PARTIAL, &version)?;
    Ok(true)
}

fn put(folder: &OwnedFd, names: &Names, text: &str) -> Result<(), HomeFileError> {
    files::rename(folder, names.file, names.before)?;
    files::place(folder, names.file, names.partial, text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use serde_json::json;

    use super::*;

    fn furnishing(persona: &str, skills: &[&str], gone: &[&str]) -> Furnishing {
        let document = |name: &&str| json!({"name": name, "document": format!("---\nname: {name}\ndescription: x\n---\n{persona}")});
        let skills: Vec<_> = skills.iter().map(document).collect();
        let template = json!({"name": "writer", "persona": persona, "skills": skills});
        let stored =
            json!({"version": 1, "template": template, "skills_gone": gone, "persona_gone": persona.is_empty()});
        serde_json::from_value(stored).unwrap()
    }

    struct Home(tempfile::TempDir);

    impl Home {
        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(".openclaw/workspace").join(name)
        }

        fn read(&self, name: &str) -> Option<String> {
            std::fs::read_to_string(self.path(name)).ok()
        }
    }

    #[test]
    fn a_version_is_written_once_and_what_the_agent_made_of_it_is_put_beside_the_next() {
        let home = Home(tempfile::tempdir().unwrap());
        let first = furnishing("First.", &["edit", "outline"], &[]);
        assert!(furnish(home.0.path(), &first).unwrap());
        assert_eq!(home.read("SOUL.md").unwrap(), "First.");
        assert!(home.read("skills/edit/SKILL.md").unwrap().ends_with("First."));
        assert_eq!(home.read("SOUL.before.md"), None);

        std::fs::write(home.path("SOUL.md"), "The agent's.").unwrap();
        std::fs::write(home.path("skills/outline/SKILL.md"), "The agent's, too.").unwrap();
        std::fs::write(home.path("draft.md"), "Once upon a time").unwrap();
        assert!(!furnish(home.0.path(), &first).unwrap());
        assert_eq!(home.read("SOUL.md").unwrap(), "The agent's.");

        assert!(furnish(home.0.path(), &furnishing("Second.", &["edit"], &["outline"])).unwrap());
        assert_eq!(home.read("SOUL.md").unwrap(), "Second.");
        assert_eq!(home.read("SOUL.before.md").unwrap(), "The agent's.");
        assert!(home.read("skills/edit/SKILL.md").unwrap().ends_with("Second."));
        assert_eq!(home.read("skills/outline/SKILL.md"), None);
        assert_eq!(
            home.read("skills/outline/SKILL.before.md").unwrap(),
            "The agent's, too."
        );
        assert_eq!(home.read("draft.md").unwrap(), "Once upon a time");

        // Without a persona, OpenClaw's own words take its place.
        assert!(furnish(home.0.path(), &furnishing("", &[], &["edit"])).unwrap());
        assert_eq!(home.read("SOUL.md"), None);
        assert_eq!(home.read("SOUL.before.md").unwrap(), "Second.");
        assert_eq!(home.read("skills/edit/SKILL.md"), None);
    }

    #[test]
    fn no_link_of_the_agents_is_followed_and_nothing_of_its_is_waited_for() {
        let home = Home(tempfile::tempdir().unwrap());
        let outside = tempfile::tempdir().unwrap();
        let target = outside.path().join("target");
        std::fs::write(&target, "untouched").unwrap();
        std::fs::create_dir_all(home.path("skills")).unwrap();
        symlink(&target, home.path("SOUL.md")).unwrap();
        symlink(&target, home.path(".SOUL.md.holdfast")).unwrap();
        symlink(outside.path(), home.path("skills/edit")).unwrap();
        std::fs::create_dir_all(home.path("SOUL.before.md/deep")).unwrap();
        // A pipe that nobody writes to, where the mark is read.
        let mark = home.path("..").join(MARK);
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &mark,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        let wanted = furnishing("First.", &["edit"], &["outline"]);
        assert!(furnish(home.0.path(), &wanted).unwrap());
        assert_eq!(home.read("SOUL.md").unwrap(), "First.");
        assert!(home.read("skills/edit/SKILL.md").unwrap().ends_with("First."));
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "untouched");
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
        assert!(!furnish(home.0.path(), &wanted).unwrap());
    }
}
