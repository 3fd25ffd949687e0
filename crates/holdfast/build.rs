//! Puts the built interface (`ui/dist`) into the binary, each file once as it is and once compressed.
//! Where the interface was not built the table is empty, and the server says so to a browser.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

fn main() {
    // Asked when it runs: two clones may share one target folder, and with it this program.
    let manifest = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR for build scripts");
    let dist = Path::new(&manifest).join("../../ui/dist");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for build scripts"));
    println!("cargo:rerun-if-changed={}", dist.display());
    println!("cargo:rerun-if-changed=build.rs");

    let mut files = Vec::new();
    walk(&dist, &mut files);
    files.sort();
    let mut table = String::from("&[\n");
    for (number, file) in files.iter().enumerate() {
        let name = file.strip_prefix(&dist).expect("found below it").to_string_lossy();
        let plain = fs::read(file).expect("a file that was just listed can be read");
        let sha256 = Sha256::digest(&plain)
            .iter()
            .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        let packed = pack(&plain);
        let gzip = if packed.len() < plain.len() * 9 / 10 {
            let path = out.join(format!("{number}.gz"));
            fs::write(&path, packed).expect("OUT_DIR can be written");
            format!("Some(include_bytes!({path:?}))")
        } else {
            "None".to_owned()
        };
        let absolute = file.canonicalize().expect("a file that was just read exists");
        let etag = &sha256[..16];
        writeln!(
            table,
            "Asset {{ path: {name:?}, sha256: {sha256:?}, etag: \"\\\"{etag}\\\"\", plain: include_bytes!({absolute:?}), gzip: {gzip} }},"
        )
        .expect("writing to a string cannot fail");
    }
    table.push(']');
    fs::write(out.join("assets.rs"), table).expect("OUT_DIR can be written");
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if path.is_dir() {
            walk(&path, files);
        } else if !hidden && path.extension().is_none_or(|extension| extension != "map") {
            files.push(path);
        }
    }
}

fn pack(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder
        .write_all(plain)
        .and_then(|()| encoder.finish())
        .expect("writing to memory cannot fail")
}
