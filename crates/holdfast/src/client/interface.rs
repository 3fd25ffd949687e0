//! `holdfast interface`: what the browser's interface is made of, and whether a platform serves exactly that. The yardstick is this
//! binary, or a manifest that somebody signed; never anything that the platform says of itself.

use std::path::{Path, PathBuf};

use minisign_verify::{PublicKey, Signature};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::failure::Failure;
use super::out::plain_line;
use super::server::Server;
use super::{Common, Context};
use crate::http::{assets, security_headers};
use crate::limits::INTERFACE_MANIFEST_BYTES;

/// The command line of `holdfast interface`.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the files of the interface in this binary with their SHA-256, as `sha256sum` does: the manifest of a release.
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Check that a Holdfast serves the interface of this binary, or that of a signed manifest, and nothing else.
    Verify(Verify),
}

#[derive(Debug, clap::Args)]
pub struct Verify {
    #[command(flatten)]
    common: Common,
    /// The Holdfast, such as https://agents.example.org.
    server: String,
    /// Compare with this manifest of another release instead; its signature is beside it, with `.minisig` after its name.
    #[arg(long, requires = "key")]
    manifest: Option<PathBuf>,
    /// The file with minisign's public key of who signed it.
    #[arg(long, requires = "manifest")]
    key: Option<PathBuf>,
}

impl Command {
    pub fn common(&self) -> &Common {
        match self {
            Self::List { common } => common,
            Self::Verify(args) => &args.common,
        }
    }
}

pub async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let args = match command {
        Command::List { .. } => {
            let manifest = Manifest::of_this_binary()?;
            let files = manifest
                .0
                .iter()
                .map(|(sha256, path)| json!({"path": path, "sha256": sha256}));
            let files: Vec<_> = files.collect();
            context
                .out
                .result(&json!({"files": files}), assets::manifest().trim_end());
            return Ok(());
        }
        Command::Verify(args) => args,
    };
    let (manifest, of) = match (&args.manifest, &args.key) {
        (Some(path), Some(key)) => (Manifest::signed(path, key)?, plain_line(&path.display().to_string())),
        _ => (
            Manifest::of_this_binary()?,
            format!("this binary ({})", env!("CARGO_PKG_VERSION")),
        ),
    };
    let server = Server::at(&args.server)?;
    let bar = context.out.bar("Comparing", manifest.0.len() as u64);
    let mut differing = Vec::new();
    for (sha256, path) in &manifest.0 {
        // The page is what a browser gets for every path that a person may open.
        let asked: &[&str] = if path == PAGE { &["", "chat", "unlock"] } else { &[path] };
        for asked in asked {
            match server.file(asked).await? {
                None => differing.push(format!("/{asked} is missing")),
                Some((body, policy)) => {
                    if hex(&Sha256::digest(&body)) != *sha256 {
                        differing.push(format!("/{asked} is another file"));
                    }
                    if path == PAGE && policy.as_deref() != Some(security_headers::CONTENT_SECURITY_POLICY) {
                        differing.push(format!("/{asked} comes with another content security policy"));
                    }
                }
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if !differing.is_empty() {
        let server = server.base().to_owned();
        return Err(Failure::Interface { server, of, differing });
    }
    let told = json!({"server": server.base(), "files": manifest.0.len(), "same": true});
    let text = format!(
        "{} serves the interface of {of}: {} files, and the same policy. Told to this machine, this time; another may be told otherwise.",
        server.base(),
        manifest.0.len()
    );
    context.out.result(&told, &text);
    Ok(())
}

const PAGE: &str = "index.html";

/// SHA-256 in hexadecimal digits, and path, of each file.
struct Manifest(Vec<(String, String)>);

impl Manifest {
    fn of_this_binary() -> Result<Self, Failure> {
        Self::parse(&assets::manifest()).ok_or_else(|| {
            Failure::Usage(
                "This holdfast was built without its interface, so there is nothing to compare with.".to_owned(),
            )
        })
    }

    /// A manifest, once its signature is checked.
    fn signed(path: &Path, key: &Path) -> Result<Self, Failure> {
        let unsigned = |reason: String| Failure::Unsigned {
            path: path.to_owned(),
            reason,
        };
        let manifest = read(path)?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".minisig");
        let key =
            PublicKey::decode(&read(key)?).map_err(|error| unsigned(format!("the public key is none ({error})")))?;
        let signature = Signature::decode(&read(Path::new(&beside))?).map_err(|error| unsigned(error.to_string()))?;
        key.verify(manifest.as_bytes(), &signature, false)
            .map_err(|error| unsigned(error.to_string()))?;
        Self::parse(&manifest).ok_or_else(|| unsigned("it is no list of files with their SHA-256".to_owned()))
    }

    /// Reads lines as `sha256sum` writes them. `None` if one is not, or if the page is not among them.
    fn parse(text: &str) -> Option<Self> {
        let files = text.lines().map(|line| {
            let (sha256, path) = line.split_once("  ")?;
            let whole = sha256.len() == 64 && sha256.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
            let plain = path
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
            (whole && plain && !path.is_empty() && !path.contains("..")).then(|| (sha256.to_owned(), path.to_owned()))
        });
        let files: Vec<_> = files.collect::<Option<_>>()?;
        files.iter().any(|(_, path)| path == PAGE).then_some(Self(files))
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    let failed = |reason: std::io::Error| Failure::NoFile {
        path: path.to_owned(),
        reason,
    };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > INTERFACE_MANIFEST_BYTES {
        return Err(failed(std::io::Error::other(format!(
            "it is longer than {INTERFACE_MANIFEST_BYTES} bytes (INTERFACE_MANIFEST_BYTES)"
        ))));
    }
    std::fs::read_to_string(path).map_err(failed)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use minisign::KeyPair;

    use super::*;

    const MANIFEST: &str = concat!(
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  assets/main-1.js\n",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  index.html\n",
    );

    fn signed_by(pair: &KeyPair, folder: &Path) -> (PathBuf, PathBuf) {
        let manifest = folder.join("release.sha256");
        std::fs::write(&manifest, MANIFEST).unwrap();
        let signature = minisign::sign(None, &pair.sk, Cursor::new(MANIFEST), None, None).unwrap();
        std::fs::write(folder.join("release.sha256.minisig"), signature.into_string()).unwrap();
        let key = folder.join("release.pub");
        std::fs::write(&key, pair.pk.to_box().unwrap().into_string()).unwrap();
        (manifest, key)
    }

    #[test]
    fn a_signed_manifest_is_taken_and_a_changed_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (manifest, key) = signed_by(&KeyPair::generate_unencrypted_keypair().unwrap(), folder.path());
        assert_eq!(Manifest::signed(&manifest, &key).unwrap().0.len(), 2);
        std::fs::write(&manifest, MANIFEST.replace("main-1", "main-2")).unwrap();
        assert!(matches!(
            Manifest::signed(&manifest, &key),
            Err(Failure::Unsigned { .. })
        ));
    }

    #[test]
    fn a_manifest_that_somebody_else_signed_is_refused() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (manifest, _) = signed_by(&KeyPair::generate_unencrypted_keypair().unwrap(), folder.path());
        let (_, key) = signed_by(&KeyPair::generate_unencrypted_keypair().unwrap(), other.path());
        assert!(matches!(
            Manifest::signed(&manifest, &key),
            Err(Failure::Unsigned { .. })
        ));
    }

    #[test]
    fn what_is_no_manifest_is_refused_whole() {
        assert!(Manifest::parse(MANIFEST).is_some());
        let digest = &MANIFEST[..64];
        for bad in [
            String::new(),
            format!("{digest}  assets/main-1.js\n"),
            format!("{digest} index.html\n"),
            format!("{}  index.html\n", &digest[1..]),
            format!("{digest}  ../index.html\n{digest}  index.html\n"),
            format!("{digest}  index.html\n{digest}  https://evil.example/x?y\n"),
        ] {
            assert!(Manifest::parse(&bad).is_none(), "{bad}");
        }
    }
}
