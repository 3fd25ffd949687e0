//! What xtask must know of the operator's configuration before there is a server that reads it.

use std::env;
use std::fs;
use std::path::Path;

use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Settings {
    database: Database,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Database {
    url_file: Option<String>,
}

/// Whether a PostgreSQL is named, where the server looks for it, so that it runs none of its own.
pub fn name_a_database(data_dir: &Path) -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    // What is wrong with the file, the server says.
    let text = fs::read_to_string(data_dir.join("holdfast.toml")).unwrap_or_default();
    in_file(&text) || is_set("HOLDFAST_DATABASE__URL_FILE") || is_set("DATABASE_URL")
}

fn in_file(text: &str) -> bool {
    let settings: Settings = toml::from_str(text).unwrap_or_default();
    settings.database.url_file.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_by_its_setting_alone() {
        assert!(in_file("[database]\nurl_file = \"/etc/holdfast/database-url\"\n"));
        assert!(in_file("[server]\nport = 8081\n[database]\nurl_file = '/x' # ours\n"));
        assert!(!in_file("[relay]\ndatabase_url_file = \"/etc/holdfast/relay-url\"\n"));
        assert!(!in_file("# [database]\n# url_file = \"/etc/holdfast/database-url\"\n"));
        assert!(!in_file("[database\n"));
    }
}
