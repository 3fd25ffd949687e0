//! OpenClaw's compile cache, made once a version by real turns in the image itself and kept in it, read-only at run
//! time. Node keys it by its own version and the user's id, so it is made as the agent's user.

use std::io::Write as _;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use super::agent::PATH;
use super::container::{self, Draft, docker};
use super::hash::Inputs;
use crate::{paths, steps::step};

const RECIPE: &str = "bake 2";
/// As root, offline: OpenClaw completes what `npm ci --ignore-scripts` left undone (its first start would, and could not
/// write there). Then, as the agent's user, the turns; the cache belongs to that user while it is made.
const COMMAND: &str = "HOME=/tmp node /opt/openclaw/node_modules/openclaw/openclaw.mjs --version && \
    install -d -o 1000 -g 1000 /opt/openclaw/compile-cache /opt/openclaw/prepared && \
    exec setpriv --reuid=1000 --regid=1000 --clear-groups node --input-type=module -";

/// The image with the compile cache in it.
pub fn ensure(openclaw: &str) -> Result<String> {
    let folder = paths::root().join("images/agent");
    let read = |name: &str| {
        std::fs::read_to_string(folder.join(name)).with_context(|| format!("cannot read images/agent/{name}"))
    };
    let (settings, turns) = (read("openclaw.json")?, read("bake.mjs")?);
    let (prepare, record) = (read("prepare.mjs")?, read("record.mjs")?);
    let tag = Inputs::new(RECIPE)
        .text(openclaw)
        .text(&settings)
        .text(&turns)
        .text(&prepare)
        .text(&record)
        .tag();
    let image = format!("holdfast/baked:{tag}");
    if container::exists(&image) {
        return Ok(image);
    }
    step("Baking OpenClaw's compile cache", |_| {
        let options = [
            "--interactive",
            "--user=0:0",
            "--tmpfs=/tmp:mode=1777",
            "--tmpfs=/home/node:uid=1000,gid=1000,mode=0700",
        ];
        let draft = Draft::create(openclaw, &options, &["sh", "-c", COMMAND])?;
        draft.run(
            "baking the compile cache",
            &format!("const CONFIG = {settings};\nconst PREPARE = {prepare:?};\nconst RECORD = {record:?};\n{turns}"),
        )?;
        draft.commit(&image, &[format!("ENV PATH={PATH}")])
    })?;
    Ok(image)
}

impl Draft {
    /// Runs it to its end with a text as its standard input; an error shows the end of its output.
    fn run(&self, name: &str, input: &str) -> Result<()> {
        let mut child = docker()
            .args(["start", "--attach", "--interactive", self.id()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run docker")?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin
                .write_all(input.as_bytes())
                .context("docker start takes no input")?;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            let lines: Vec<&str> = text.lines().collect();
            bail!("{name} failed:\n{}", lines[lines.len().saturating_sub(25)..].join("\n"));
        }
        Ok(())
    }
}
