//! Finds the distribution's PostgreSQL programs.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::PostgresError;

const ROOT: &str = "/usr/lib/postgresql";

/// The programs of one major version.
#[derive(Debug, Clone)]
pub(super) struct Binaries {
    pub initdb: PathBuf,
    pub postgres: PathBuf,
}

/// The newest version that is installed, or the one that made the cluster in `data`.
pub(super) fn find(data: &Path) -> Result<Binaries, PostgresError> {
    find_in(Path::new(ROOT), data)
}

fn find_in(root: &Path, data: &Path) -> Result<Binaries, PostgresError> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            let folder = entry.path().join("bin");
            (folder.join("postgres").is_file() && folder.join("initdb").is_file()).then_some((version, folder))
        })
        .collect();
    versions.sort();
    let folder = match fs::read_to_string(data.join("PG_VERSION")) {
        Ok(made_by) => {
            let made_by = made_by.trim();
            versions
                .iter()
                .find(|(version, _)| version.to_string() == made_by)
                .map(|(_, folder)| folder.clone())
                .ok_or_else(|| match versions.is_empty() {
                    true => PostgresError::NotInstalled,
                    false => PostgresError::VersionNotInstalled {
                        path: data.into(),
                        version: made_by.to_owned(),
                    },
                })?
        }
        Err(_) => versions.pop().ok_or(PostgresError::NotInstalled)?.1,
    };
    Ok(Binaries {
        initdb: folder.join("initdb"),
        postgres: folder.join("postgres"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(root: &Path, version: &str) {
        let folder = root.join(version).join("bin");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("postgres"), "").unwrap();
        fs::write(folder.join("initdb"), "").unwrap();
    }

    #[test]
    fn a_new_cluster_takes_the_newest_version_and_an_old_one_keeps_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let (root, data) = (folder.path().join("pg"), folder.path().join("data"));
        fs::create_dir_all(&data).unwrap();
        assert!(matches!(find_in(&root, &data), Err(PostgresError::NotInstalled)));
        install(&root, "9");
        install(&root, "15");
        assert_eq!(find_in(&root, &data).unwrap().postgres, root.join("15/bin/postgres"));
        fs::write(data.join("PG_VERSION"), "9\n").unwrap();
        assert_eq!(find_in(&root, &data).unwrap().postgres, root.join("9/bin/postgres"));
        fs::write(data.join("PG_VERSION"), "14\n").unwrap();
        let error = find_in(&root, &data).unwrap_err();
        assert!(error.to_string().contains("Install postgresql-14"), "{error}");
    }
}
