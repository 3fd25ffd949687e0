//! The keeper's image: its binary, the libraries that the binary names, certificates, and nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::cache;
use super::container::{self, Owner};
use super::hash::Inputs;
use crate::build::{KEEPER, Profile};
use crate::{machine, process, steps::step};

const RECIPE: &str = "keeper 4";
const BINARY: &str = "/holdfast-keeper";
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
const PASSWD: &str = "root:x:0:0:root:/:/sbin/nologin\nnode:x:1000:1000:agent:/home/node:/sbin/nologin\nkeeper:x:10001:10001:keeper:/:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nnode:x:1000:\nkeeper:x:10001:\n";
/// What sealing needs for a moment goes back to the system at once: a keeper is idle most of the time.
const ALLOCATOR: &str = "ENV MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=65536 MALLOC_TRIM_THRESHOLD_=65536";
const NSSWITCH: &str = "passwd: files\ngroup: files\nhosts: files dns\n";

/// The keeper binary as it goes into the images.
pub struct Binary {
    pub path: PathBuf,
    pub tag: String,
}

impl Binary {
    /// Takes the binary of a profile, without its debugging symbols.
    pub fn of(profile: Profile) -> Result<Self> {
        let built = profile.binary(KEEPER);
        if !built.is_file() {
            bail!("{} is not there: build it first", built.display());
        }
        let tag = Inputs::new("stripped 1").file(&built)?.tag();
        let folder = cache().join("binary");
        let path = folder.join(format!("holdfast-keeper-{tag}"));
        if !path.is_file() {
            if folder.exists() {
                fs::remove_dir_all(&folder).context("cannot clear the images' cache")?;
            }
            fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
            let partial = folder.join("partial");
            fs::copy(&built, &partial).with_context(|| format!("cannot copy {}", built.display()))?;
            if machine::program("strip").is_some() {
                process::quiet("strip", Command::new("strip").arg("--strip-debug").arg(&partial))?;
            }
            fs::rename(&partial, &path).context("cannot keep the stripped binary")?;
        }
        Ok(Self { path, tag })
    }
}

/// The keeper's image.
pub fn image(binary: &Binary) -> Result<String> {
    let certificates = Path::new(CERTIFICATES);
    let tag = Inputs::new(RECIPE)
        .text(&binary.tag)
        .text(&[PASSWD, GROUP, NSSWITCH, ALLOCATOR].concat())
        .file(certificates)?
        .tag();
    let image = format!("holdfast/keeper:{tag}");
    if container::exists(&image) {
        return Ok(image);
    }
    step("Assembling the keeper's image", |_| {
        let root = cache().join("keeper.partial");
        if root.exists() {
            fs::remove_dir_all(&root).context("cannot clear the images' cache")?;
        }
        place(&binary.path, &root, Path::new(BINARY))?;
        for library in libraries(&binary.path)? {
            place(&library, &root, &library)?;
        }
        place(certificates, &root, certificates)?;
        for (name, text) in [("passwd", PASSWD), ("group", GROUP), ("nsswitch.conf", NSSWITCH)] {
            fs::write(root.join("etc").join(name), text).with_context(|| format!("cannot write {name}"))?;
        }
        for folder in [
            "tmp",
            "vault",
            "home/node",
            "run/holdfast",
            "run/platform",
            "proc",
            "sys",
            "dev",
        ] {
            fs::create_dir_all(root.join(folder)).with_context(|| format!("cannot make {folder}"))?;
        }
        let command = format!(r#"CMD ["{BINARY}","serve"]"#);
        container::import(&root, Owner::Root, &image, &[ALLOCATOR.to_owned(), command])?;
        fs::remove_dir_all(&root).context("cannot clear the images' cache")
    })?;
    Ok(image)
}

/// The shared libraries that the dynamic linker would load, and the linker itself.
fn libraries(binary: &Path) -> Result<Vec<PathBuf>> {
    let list = process::output(Command::new("ldd").arg(binary)).context("ldd does not understand the keeper binary")?;
    let mut found: Vec<PathBuf> = list
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect();
    // Loaded by name at run time, to look up host names.
    for folder in found.clone().iter().filter_map(|library| library.parent()) {
        for name in ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"] {
            let library = folder.join(name);
            if library.is_file() && !found.contains(&library) {
                found.push(library);
            }
        }
    }
    Ok(found)
}

/// Copies a file's content (not a link) to a path under `root`.
fn place(from: &Path, root: &Path, to: &Path) -> Result<()> {
    let target = root.join(to.strip_prefix("/").unwrap_or(to));
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::copy(from, &target).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}
