//! libFuzzer's entry. Which target is meant is said in `HOLDFAST_FUZZ_TARGET`, so that all of them are one build.
//! `HOLDFAST_FUZZ_SEEDS` names a folder: the target's seeds are written there first.

#![no_main]
// libFuzzer finds its entry by an unmangled name.
#![allow(unsafe_code)]

use std::path::Path;
use std::sync::OnceLock;

use fuzz::Target;

static TARGET: OnceLock<&Target> = OnceLock::new();

fn chosen() -> &'static Target {
    TARGET.get_or_init(|| {
        let name = std::env::var("HOLDFAST_FUZZ_TARGET").unwrap_or_default();
        let Some(target) = fuzz::target(&name) else {
            let names: Vec<_> = fuzz::TARGETS.iter().map(|target| target.name).collect();
            eprintln!("HOLDFAST_FUZZ_TARGET is one of: {}", names.join(" "));
            std::process::exit(2);
        };
        if let Some(folder) = std::env::var_os("HOLDFAST_FUZZ_SEEDS") {
            for (number, seed) in (target.seeds)().iter().enumerate() {
                let file = Path::new(&folder).join(format!("seed-{number}"));
                std::fs::write(file, seed).expect("the folder of the seeds can be written");
            }
        }
        target
    })
}

libfuzzer_sys::fuzz_target!(
    init: {
        chosen();
    },
    |data: &[u8]| (chosen().run)(data)
);
