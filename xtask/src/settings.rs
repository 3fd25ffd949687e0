//! What xtask must know of the operator's configuration before there is a server that reads it.

use std::env;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Settings {
    server: Server,
    database: Database,
}

#[derive(Deserialize)]
#[serde(default)]
struct Server {
    listen: IpAddr,
    port: u16,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: Ipv4Addr::LOCALHOST.into(),
            port: 8080,
        }
    }
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

/// Where the server will listen, as far as the configuration can be read; what is wrong with it, the server says.
pub fn listens(data_dir: &Path, port: Option<u16>) -> SocketAddr {
    let text = fs::read_to_string(data_dir.join("holdfast.toml")).unwrap_or_default();
    let server = toml::from_str::<Settings>(&text).unwrap_or_default().server;
    let said = |name| env::var(name).ok();
    let address = said("HOLDFAST_SERVER__LISTEN").and_then(|text| text.parse().ok());
    let port = port.or_else(|| said("HOLDFAST_SERVER__PORT").and_then(|text| text.parse().ok()));
    SocketAddr::new(address.unwrap_or(server.listen), port.unwrap_or(server.port))
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

    #[test]
    fn the_server_listens_where_it_is_told() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(listens(data.path(), None), "127.0.0.1:8080".parse().unwrap());
        let file = "[server]\nlisten = \"0.0.0.0\"\nport = 81\n";
        fs::write(data.path().join("holdfast.toml"), file).unwrap();
        assert_eq!(listens(data.path(), None), "0.0.0.0:81".parse().unwrap());
        assert_eq!(listens(data.path(), Some(82)), "0.0.0.0:82".parse().unwrap());
    }
}
