//! Every target meets its seeds, what was once found, and seeds with a byte changed or cut: the same in every run.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fs;
use std::path::Path;

use fuzz::TARGETS;

#[test]
fn promise_11_no_parser_panics_at_what_fuzzing_once_found_nor_at_bent_examples() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for target in TARGETS {
        let mut inputs = (target.seeds)();
        assert!(!inputs.is_empty(), "{} has nothing to begin with", target.name);
        for seed in inputs.clone() {
            for at in (0..seed.len()).step_by(seed.len() / 64 + 1) {
                let mut bent = seed.clone();
                bent[at] ^= 1 << (at % 8);
                inputs.push(bent);
                inputs.push(seed[..at].to_vec());
            }
        }
        if let Ok(kept) = fs::read_dir(corpus.join(target.name)) {
            inputs.extend(kept.map(|entry| fs::read(entry.unwrap().path()).unwrap()));
        }
        for input in &inputs {
            (target.run)(input);
        }
    }
}

#[test]
fn what_was_found_belongs_to_a_target() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for entry in fs::read_dir(corpus).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "README.md" || fuzz::target(&name).is_some(), "{name}");
    }
}
