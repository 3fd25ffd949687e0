//! `cargo xtask sqlx`: after a change to SQL, checks each query against a database with the current migrations and writes down
//! what the compiler needs to check it without one (`crates/management/.sqlx`, committed).

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::build::cargo;
use crate::{paths, process};

pub fn run() -> Result<()> {
    let server = Server::start()?;
    let management = paths::root().join("crates/management");
    let mut migrations: Vec<PathBuf> = fs::read_dir(management.join("migrations"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    migrations.sort();
    server.psql(&["-c".as_ref(), "CREATE ROLE holdfast_app".as_ref()])?;
    for migration in &migrations {
        server.psql(&["-f".as_ref(), migration.as_path()])?;
    }

    let queries = management.join(".sqlx");
    fs::create_dir_all(&queries)?;
    for entry in fs::read_dir(&queries)? {
        fs::remove_file(entry?.path())?;
    }
    // A newer file makes cargo expand the macros again, which write the data.
    let library = fs::File::options().append(true).open(management.join("src/lib.rs"))?;
    library.set_modified(std::time::SystemTime::now())?;
    let mut check = cargo();
    check
        .args(["check", "--quiet", "--package", "management"])
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", &queries)
        .env(
            "DATABASE_URL",
            format!("postgresql:///postgres?host={}&user=holdfast", server.folder.display()),
        );
    process::quiet("Check queries", &mut check)?;
    println!("{} queries checked", fs::read_dir(&queries)?.count());
    Ok(())
}

/// A PostgreSQL that is gone when this is dropped.
struct Server {
    folder: PathBuf,
    bin: PathBuf,
    postmaster: Child,
}

impl Server {
    fn start() -> Result<Self> {
        let bin = newest_bin().context("PostgreSQL is not installed: apt-get install postgresql")?;
        let folder = std::env::temp_dir().join(format!("holdfast-sqlx-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let account = account();
        if let Some((uid, gid)) = account {
            std::os::unix::fs::chown(&folder, Some(uid), Some(gid))?;
        }
        let data = folder.join("data");
        let mut initdb = as_account(&bin.join("initdb"), account);
        initdb.args([
            "--no-sync",
            "--auth=trust",
            "--username=holdfast",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "-D",
        ]);
        process::quiet("initdb", initdb.arg(&data).current_dir(&folder))?;
        let postmaster = as_account(&bin.join("postgres"), account)
            .arg("-D")
            .arg(&data)
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-k"])
            .arg(&folder)
            .current_dir(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let server = Self {
            folder,
            bin,
            postmaster,
        };
        let until = Instant::now() + Duration::from_secs(30);
        while !server.folder.join(".s.PGSQL.5432").exists() || server.psql(&["-c".as_ref(), "SELECT".as_ref()]).is_err()
        {
            if Instant::now() > until {
                bail!("PostgreSQL did not start");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    fn psql(&self, arguments: &[&Path]) -> Result<()> {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-qX", "-v", "ON_ERROR_STOP=1", "-U", "holdfast", "-d", "postgres", "-h"])
            .arg(&self.folder);
        process::quiet("psql", psql.args(arguments))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.postmaster.kill();
        let _gone = self.postmaster.wait();
        let _left = fs::remove_dir_all(&self.folder);
    }
}

fn newest_bin() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let newest = versions
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .max()?;
    Some(PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin")))
}

/// PostgreSQL does not run as root: then the distribution's user for it.
fn account() -> Option<(u32, u32)> {
    let root = process::output(Command::new("id").arg("-u"))? == "0";
    let id = |flag: &str| {
        process::output(Command::new("id").args([flag, "postgres"]))?
            .parse()
            .ok()
    };
    root.then(|| Some((id("-u")?, id("-g")?))).flatten()
}

fn as_account(program: &Path, account: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = account {
        command.uid(uid).gid(gid);
    }
    command
}
