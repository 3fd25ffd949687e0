//! Docker's part: importing a folder as an image, adding a layer to one, and asking whether one exists.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::{base::privileged, cache, hash::Inputs};
use crate::process;

/// A container that was made to be committed; removed when dropped. There is one at once, under the lock of the cache.
pub struct Draft {
    id: String,
}

/// Whether an image is there.
pub fn exists(image: &str) -> bool {
    process::output(docker().args(["image", "inspect", "--format", "{{.Id}}", image])).is_some()
}

/// Whose the files of an imported folder are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    AsTheyAre,
    Root,
}

/// Makes an image of one layer from a folder.
pub fn import(folder: &Path, owner: Owner, image: &str, changes: &[String]) -> Result<()> {
    let mut pack = match owner {
        Owner::AsTheyAre => privileged("tar"),
        Owner::Root => Command::new("tar"),
    };
    if owner == Owner::Root {
        pack.args(["--owner=0", "--group=0"]);
    }
    let mut tar = pack
        .args(["--create", "--sort=name", "--numeric-owner", "--directory"])
        .arg(folder)
        .arg(".")
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run tar")?;
    let archive = tar.stdout.take().context("tar has no output")?;
    let mut import = docker();
    import.arg("import");
    for change in changes {
        import.args(["--change", change]);
    }
    let imported = import.arg("-").stdin(archive).output().context("cannot run docker")?;
    let packed = tar.wait().context("tar did not end")?;
    if !imported.status.success() || !packed.success() {
        bail!(
            "cannot make the image {image}: {}",
            String::from_utf8_lossy(&imported.stderr).trim()
        );
    }
    // Named only now: of an archive that breaks off Docker makes an image, too.
    let id = String::from_utf8_lossy(&imported.stdout);
    process::quiet("docker tag", docker().args(["tag", id.trim(), image]))
}

impl Draft {
    /// Makes a container from an image; it does not run yet.
    pub fn create(image: &str, options: &[&str], command: &[&str]) -> Result<Self> {
        let output = docker()
            .args(["create", "--network", "none", "--name", &draft()])
            .args(options)
            .arg(image)
            .args(command)
            .stdin(Stdio::null())
            .output()
            .context("cannot run docker")?;
        if !output.status.success() {
            bail!("docker create: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let id = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok(Self { id })
    }

    /// Copies a file or folder into it; it belongs to root there.
    pub fn copy(&self, from: &Path, to: &str) -> Result<()> {
        process::quiet(
            "docker cp",
            docker().args(["cp"]).arg(from).arg(format!("{}:{to}", self.id)),
        )
    }

    /// Puts a program into a folder of it under this name, as a user's own file.
    pub fn place(&self, from: &Path, folder: &str, name: &str, uid: u32) -> Result<()> {
        let (Some(parent), Some(file)) = (from.parent(), from.file_name()) else {
            bail!("{} is not a file", from.display());
        };
        let mut tar = Command::new("tar")
            .args(["--create", "--numeric-owner", "--mode=0555"])
            .args([format!("--owner={uid}"), format!("--group={uid}")])
            .arg(format!("--transform=s,.*,{name},"))
            .arg("--directory")
            .args([parent.as_os_str(), file])
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run tar")?;
        let archive = tar.stdout.take().context("tar has no output")?;
        let mut copy = docker();
        let copied = copy
            .args(["cp", "-"])
            .arg(format!("{}:{folder}", self.id))
            .stdin(archive)
            .stdout(Stdio::null())
            .output()
            .context("cannot run docker")?;
        let packed = tar.wait().context("tar did not end")?;
        if !copied.status.success() || !packed.success() {
            bail!("docker cp: {}", String::from_utf8_lossy(&copied.stderr).trim());
        }
        Ok(())
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Makes an image of it.
    pub fn commit(&self, image: &str, changes: &[String]) -> Result<()> {
        let mut commit = docker();
        commit.args(["commit", "--pause=false"]);
        for change in changes {
            commit.args(["--change", change]);
        }
        process::quiet("docker commit", commit.args([&self.id, image]))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        process::output(docker().args(["rm", "--force", "--volumes", &self.id]));
    }
}

/// Removes the draft that an interrupted run left behind. Only under the lock of the cache.
pub fn sweep() {
    process::output(docker().args(["rm", "--force", "--volumes", &draft()]));
}

/// The draft's name, which tells it from that of another checkout. Not a label: an image takes over the labels of what it is made of,
/// and so would every container of the image.
fn draft() -> String {
    let checkout = Inputs::new("draft").text(&cache().display().to_string()).tag();
    format!("holdfast-draft-{checkout}")
}

pub fn docker() -> Command {
    Command::new("docker")
}
