//! An installation on this machine's Docker for one test; whatever it made is removed when it is dropped.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

use cells::driver::docker::{DockerConfig, DockerDriver};
use cells::driver::{Driver as _, Part};
use protocol::{CellId, InstallationId, TenantId};

const IMAGE: &str = "holdfast-cells-test:1";

/// Where both parts of a cell find their program: a script that does nothing, for ever.
const PROGRAM: &str = "#!/bin/sh\necho \"$0 $*\"\ntrap 'exit 0' TERM\nwhile :; do sleep 1000 & wait $!; done\n";

const SECCOMP: &str = include_str!("../../../../images/agent/seccomp.json");

pub struct Installation {
    pub id: InstallationId,
    pub driver: DockerDriver,
    pub folder: tempfile::TempDir,
    pub tenant: TenantId,
}

impl Installation {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut DockerConfig)) -> Self {
        image();
        let id = InstallationId::new();
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(id, folder.path().to_owned());
        change(&mut config);
        Self {
            id,
            driver: DockerDriver::connect(config).await.unwrap(),
            folder,
            tenant: TenantId::new(),
        }
    }

    /// A cell whose two containers run.
    pub async fn cell(&self) -> CellId {
        let cell = CellId::new();
        for part in Part::BOTH {
            self.driver.create(cell, self.tenant, part).await.unwrap();
            self.driver.start(cell, part).await.unwrap();
        }
        cell
    }

    pub fn short(&self) -> String {
        self.id.uuid().simple().to_string()[20..].to_owned()
    }

    pub fn container(&self, cell: CellId, part: Part) -> String {
        format!("holdfast-{}-{cell}-{part}", self.short())
    }

    /// Runs a shell command inside; what it wrote if it succeeded, else what it complained about.
    pub fn inside(&self, cell: CellId, part: Part, script: &str) -> Result<String, String> {
        let name = self.container(cell, part);
        let output = docker(&["exec", &name, "sh", "-c", script]);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(format!("{} {}", text(&output.stdout), text(&output.stderr)))
        }
    }

    pub fn address(&self, cell: CellId, part: Part) -> String {
        self.inspect(cell, part, "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")
    }

    pub fn inspect(&self, cell: CellId, part: Part, format: &str) -> String {
        let name = self.container(cell, part);
        let output = docker(&["inspect", "--format", format, &name]);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

pub fn config(id: InstallationId, folder: PathBuf) -> DockerConfig {
    let mut config = DockerConfig::new(id, folder, IMAGE.into(), IMAGE.into(), SECCOMP.into());
    config.home_bytes = 8 * 1024 * 1024;
    config.agent_memory_bytes = 64 * 1024 * 1024;
    config.agent_cpus = 0.5;
    config
}

impl Drop for Installation {
    fn drop(&mut self) {
        let short = self.short();
        let label = format!("label=holdfast.installation={}", self.id);
        for id in lines(&docker(&["ps", "-aq", "--filter", &label])) {
            docker(&["rm", "-f", &id]);
        }
        for name in lines(&docker(&["volume", "ls", "-q", "--filter", &label])) {
            docker(&["volume", "rm", &name]);
        }
        docker(&["network", "rm", &format!("holdfast-{}", self.id)]);
        let bridge = format!("hf-{short}");
        for (chain, own) in [
            ("INPUT", format!("HF-{short}-IN")),
            ("DOCKER-USER", format!("HF-{short}-FWD")),
        ] {
            while iptables(&["-D", chain, "-i", &bridge, "-j", &own]).status.success() {}
            iptables(&["-F", &own]);
            iptables(&["-X", &own]);
        }
    }
}

pub fn lines(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect()
}

pub fn docker(args: &[&str]) -> Output {
    Command::new("docker").args(args).output().unwrap()
}

pub fn iptables(args: &[&str]) -> Output {
    Command::new("/usr/sbin/iptables")
        .args(["-w", "10"])
        .args(args)
        .output()
        .unwrap()
}

pub fn must(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The static busybox of the distribution, fetched once.
pub fn busybox() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("busybox");
    let binary = folder.join("bin/busybox");
    if !binary.exists() {
        let work = tempfile::tempdir().unwrap();
        let fetch = "apt-get download -q busybox-static && dpkg-deb -x busybox-static_*.deb unpacked";
        let fetched = Command::new("sh")
            .args(["-c", fetch])
            .current_dir(work.path())
            .output()
            .unwrap();
        assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stderr));
        std::fs::create_dir_all(folder.join("bin")).unwrap();
        // Tests are processes side by side: the file appears whole.
        let own = folder.join(format!("busybox.{}", std::process::id()));
        std::fs::copy(work.path().join("unpacked/bin/busybox"), &own).unwrap();
        std::fs::rename(own, &binary).unwrap();
    }
    binary
}

/// The image of both parts, imported once.
fn image() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        if docker(&["image", "inspect", IMAGE]).status.success() {
            return;
        }
        let work = tempfile::tempdir().unwrap();
        let root = work.path().join("root");
        let script = format!(
            "set -e; mkdir -p {r}/bin {r}/usr/local/bin {r}/etc {r}/tmp {r}/vault {r}/run/holdfast {r}/run/platform \
             {r}/home/node; chmod 1777 {r}/tmp; cp {b} {r}/bin/busybox; {b} --list | grep -vx busybox | while read a; do ln -s busybox {r}/bin/$a; done; \
             echo 'from the image' > {r}/home/node/from-the-image; \
             echo 'root:x:0:0::/:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh' > {r}/etc/passwd",
            r = root.display(),
            b = busybox().display(),
        );
        must("sh", &["-c", &script]);
        for path in ["holdfast-keeper", "usr/local/bin/holdfast-keeper"] {
            let path = root.join(path);
            std::fs::write(&path, PROGRAM).unwrap();
            must("chmod", &["755", &path.display().to_string()]);
        }
        let import = format!("tar -C {} -c . | docker import - {IMAGE}", root.display());
        must("sh", &["-c", &import]);
    });
}
