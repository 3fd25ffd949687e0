//! A cluster that was made once and holds a database with the whole schema: copied, it is there in a tenth of the time that
//! initdb takes, also where every test is a process of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use management::database::MIGRATIONS;
use management::postgres::{Cluster, Settings};
use sha2::{Digest as _, Sha256};

use super::postgres::open_folder;

/// What new databases are copied from.
pub const DATABASE: &str = "holdfast_test";

/// Puts a stopped cluster into `<folder>/postgres/data`.
pub async fn copy_to(folder: &Path) {
    let template = make().await;
    let base = folder.join("postgres");
    fs::create_dir_all(&base).unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(template)
        .arg(base.join("data"))
        .status()
        .unwrap();
    assert!(copied.success());
}

/// The template of exactly these migrations; made by whichever process comes first.
async fn make() -> PathBuf {
    let mut hash = Sha256::new();
    MIGRATIONS.iter().for_each(|migration| hash.update(&migration.checksum));
    let name: String = hash
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let template = cache.join(format!("postgres-{name}"));
    let lock = File::create(cache.join("postgres.lock")).unwrap();
    let _held = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock))
        .await
        .unwrap()
        .unwrap();
    if !template.exists() {
        let folder = open_folder();
        let cluster = Cluster::start(Settings::new(folder.path())).await.unwrap();
        cluster.create_database(DATABASE).await.unwrap();
        management::database::migrate(&cluster.source_of(DATABASE))
            .await
            .unwrap();
        cluster.stop().await;
        let new = template.with_extension("new");
        let _none = fs::remove_dir_all(&new);
        let copied = std::process::Command::new("cp")
            .arg("-a")
            .arg(folder.path().join("postgres/data"))
            .arg(&new)
            .status();
        assert!(copied.unwrap().success());
        fs::rename(new, &template).unwrap();
    }
    template
}
