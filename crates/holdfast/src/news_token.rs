//! The token with which a relay that runs by itself is asked for its news: the relay makes it, and the platform is given the file, or a
//! copy of it.

use std::path::Path;

use relay::NewsToken;
use zeroize::Zeroizing;

use crate::config;
use crate::refusal::Refusal;
use crate::token_file;

/// Where a relay keeps it that is told no other place, in its data directory.
const FILE: &str = "news-token";

/// The relay's own, made where it is missing.
///
/// # Errors
/// As [`token_file::ensure`] and [`read`].
pub fn of_relay(config: &config::Relay, data_dir: &Path) -> Result<NewsToken, Refusal> {
    let file = config.news_token_file.clone();
    let file = file.unwrap_or_else(|| data_dir.join(FILE));
    token_file::ensure(&file)?;
    NewsToken::parse(&read(&file)?).map_err(|error| not_one(&file, error))
}

/// What is in a file, without the white space around it.
///
/// # Errors
/// It cannot be read, or is no token.
pub fn read(file: &Path) -> Result<Zeroizing<String>, Refusal> {
    let text = token_file::read(file, "The relay's").map_err(|refusal| Refusal::Config(refusal.to_string()))?;
    NewsToken::parse(&text).map_err(|error| not_one(file, error))?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

fn not_one(file: &Path, error: relay::NotAToken) -> Refusal {
    Refusal::Config(format!("{} holds no token of a relay: {error}.", file.display()))
}
