//! `holdfast relay`: the relay as a process of its own, with a database of its own and no way to the platform. The platform asks it for
//! its news, and has the token for that.

use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;

use management::postgres::{Cluster, Settings};
use tokio::net::TcpListener;
use tracing::info;

use crate::config::{self, Overrides};
use crate::data_dir::DataDir;
use crate::http::{connections, health};
use crate::refusal::Refusal;
use crate::up::{Signals, database, relay};
use crate::{log, news_token};

/// The command line of `holdfast relay`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the relay keeps its data: not the platform's folder.
    #[arg(long, env = "HOLDFAST_DATA_DIR", default_value = "/var/lib/holdfast-relay")]
    data_dir: PathBuf,
    /// The configuration, instead of `<data-dir>/holdfast.toml`.
    #[arg(long)]
    config: Option<PathBuf>,
}

/// Runs until a signal says to stop.
///
/// # Errors
/// [`Refusal`]: why it does not start, and what to do.
pub async fn run(args: Args) -> Result<(), Refusal> {
    let mut signals = Signals::listen()?;
    let config = config::load(&args.data_dir, args.config.as_deref(), &Overrides::default())
        .map_err(|error| Refusal::Config(format!("{error}.")))?;
    log::start(&config.log)?;
    let mut data_dir = DataDir::hold(&args.data_dir)?;
    let (address, port) = (config.relay.listen, config.relay.port);
    let listener = TcpListener::bind((address, port))
        .await
        .map_err(|error| Refusal::listen(address, port, error))?;
    let listens = listener
        .local_addr()
        .map_err(|error| Refusal::listen(address, port, error))?;
    let token = news_token::of_relay(&config.relay, data_dir.path())?;
    let (source, cluster) = match &config.relay.database_url_file {
        Some(file) => (::relay::Source::Url(database::read_url(file)?), None),
        None => {
            let cluster = Cluster::start(Settings::new(data_dir.path()))
                .await
                .map_err(|error| Refusal::Database(error.to_string()))?;
            (database::relay_in(&cluster).await?, Some(cluster))
        }
    };
    let relay = relay::open(&source).await?;
    data_dir.announce(&format!("http://{listens}"), listens)?;
    info!(%listens, "the relay is ready");
    let router = health::router(readiness(&relay))
        .merge(relay.router())
        .merge(relay.news_router(token));
    let serving = tokio::spawn(connections::serve(listener, router, pending()));
    let _how = signals.next().await;
    serving.abort();
    relay.stop().await;
    if let Some(cluster) = cluster {
        cluster.stop().await;
    }
    info!("the relay has stopped");
    Ok(())
}

fn readiness(relay: &::relay::Relay) -> health::Readiness {
    let lookout = relay.lookout();
    Arc::new(move || {
        let lookout = lookout.clone();
        Box::pin(async move { lookout.ready().await })
    })
}
