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

    /// Where the relay keeps its own: by file, or beside the platform's, in a database or a schema of its own.
    ///
    /// # Errors
    /// The file cannot be read, or our cluster does not answer.
    pub async fn for_relay(&self, config: &Config) -> Result<relay::Source, Refusal> {
        let named_for_it = config.relay.database_url_file.as_deref().map(read_url).transpose()?;
        match (named_for_it, &self.cluster) {
            (Some(url), _) => Ok(relay::Source::Url(url)),
            (None, Some(cluster)) => relay_in(cluster).await,
            (None, None) => named(config)?
                .map(relay::Source::Url)
                .ok_or_else(|| Refusal::Config("no database is named for the relay.".to_owned())),
        }
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
        return read_url(file).map(Some);
    }
    Ok(std::env::var("DATABASE_URL").ok().filter(|url| !url.is_empty()))
}

/// The URL in a file.
///
/// # Errors
/// It cannot be read.
pub fn read_url(file: &Path) -> Result<String, Refusal> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Refusal::Config(format!(
            "a database's url_file {} cannot be read: {error}.",
            file.display()
        ))
    })?;
    Ok(text.trim().to_owned())
}

/// The relay's database in a cluster of ours, made if it is missing.
///
/// # Errors
/// The cluster does not answer.
pub async fn relay_in(cluster: &Cluster) -> Result<relay::Source, Refusal> {
    const DATABASE: &str = "holdfast_relay";
    let unanswered = |error: String| Refusal::Database(format!("The relay's database cannot be made: {error}."));
    cluster
        .create_database(DATABASE)
        .await
        .map_err(|error| unanswered(error.to_string()))?;
    match cluster.source_of(DATABASE) {
        Source::Embedded {
            socket,
            database,
            owner,
        } => Ok(relay::Source::Embedded {
            socket,
            database,
            owner,
        }),
        Source::Url(url) => Ok(relay::Source::Url(url)),
    }
}
