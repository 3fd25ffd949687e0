//! Which PostgreSQL: the one that is named, or one of our own in the data directory.

use std::path::Path;

use management::database::{self, Source};
use management::postgres::{Cluster, Settings};

use crate::config::Config;
use crate::refusal::Refusal;

/// The database, and the cluster if it is ours.
pub struct Database {
    database: database::Database,
    cluster: Option<Cluster>,
}

impl Database {
    /// Opens the database and brings its schema up to date.
    ///
    /// # Errors
    /// It cannot be reached or started, or its schema is not one that this version knows.
    pub async fn open(config: &Config, data_dir: &Path) -> Result<Self, Refusal> {
        let (source, cluster) = if let Some(url) = named(config)? {
            (Source::Url(url), None)
        } else {
            let cluster = Cluster::start(Settings::new(data_dir))
                .await
                .map_err(|error| Refusal::Database(error.to_string()))?;
            (cluster.source(), Some(cluster))
        };
        let database = database::open(source)
            .await
            .map_err(|error| Refusal::Database(error.to_string()))?;
        Ok(Self { database, cluster })
    }

    pub fn handle(&self) -> database::Database {
        self.database.clone()
    }

    /// Ends connections, and the cluster if it is ours.
    pub async fn close(self) {
        drop(self.database);
        if let Some(cluster) = self.cluster {
            cluster.stop().await;
        }
    }
}

fn named(config: &Config) -> Result<Option<String>, Refusal> {
    if let Some(file) = &config.database.url_file {
        let text = std::fs::read_to_string(file).map_err(|error| {
            Refusal::Config(format!("database.url_file {} cannot be read: {error}.", file.display()))
        })?;
        return Ok(Some(text.trim().to_owned()));
    }
    Ok(std::env::var("DATABASE_URL").ok().filter(|url| !url.is_empty()))
}
