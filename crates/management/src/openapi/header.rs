//! The sentence at the head of a handler's file, such as this for `GET /api/v1/me`: who is signed in.

use std::fs;
use std::path::{Path, PathBuf};

use axum::http::Method;

use super::document::NotDescribed;

/// What a handler's file says of an operation, from the crate's folder `src`.
pub(crate) fn text(src: &Path, handler: &str, method: &Method, path: &str) -> Result<String, NotDescribed> {
    let named = format!("`{method} {path}`");
    let file = file(src, handler).ok_or_else(|| NotDescribed::NoFile(handler.to_owned()))?;
    let source = fs::read_to_string(&file).map_err(|_| NotDescribed::NoFile(handler.to_owned()))?;
    sentence(&source, &named).ok_or(NotDescribed::NoSentence {
        named,
        handler: handler.to_owned(),
    })
}

/// The file of a function's module: `management::handlers::me::get` is in `handlers/me.rs` or `handlers/me/mod.rs`.
fn file(src: &Path, handler: &str) -> Option<PathBuf> {
    let mut modules: Vec<&str> = handler.split("::").skip(1).collect();
    modules.pop()?;
    let module: PathBuf = src.join(modules.iter().collect::<PathBuf>());
    [module.with_extension("rs"), module.join("mod.rs")]
        .into_iter()
        .find(|file| file.is_file())
}

/// What follows the name of the operation in the file's header, up to its end or the next empty line.
fn sentence(source: &str, named: &str) -> Option<String> {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let header: Vec<&str> = lines.map(str::trim).collect();
    let paragraph = header
        .split(|line| line.is_empty())
        .map(|lines| lines.join(" "))
        .find(|paragraph| paragraph.contains(named))?;
    let (_, after) = paragraph.split_once(named)?;
    let (_, text) = after.split_once(": ")?;
    let mut letters = text.chars();
    let first = letters.next()?;
    Some(first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_after_the_operation_is_what_it_does() {
        let source = "//! `GET /a`, `PUT /a`: what is\n//! asked. Of all.\n//!\n//! More.\nuse x;";
        assert_eq!(sentence(source, "`PUT /a`").unwrap(), "What is asked. Of all.");
        assert_eq!(sentence(source, "`DELETE /a`"), None);
    }
}
