//! What a process holds in its memory, as root on its host can read it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

use crate::canary::{Canary, Search};

const PAGE: usize = 4096;

/// What was found in everything that the process has mapped and that can be read, and how many bytes that was, without pages that
/// are all zeros. Takes seconds, off the thread that keeps connections alive.
pub async fn search(pid: u32, canaries: &[Canary]) -> (Vec<String>, u64) {
    let search = Search::new(canaries);
    tokio::task::spawn_blocking(move || look(pid, search))
        .await
        .expect("the search ends")
}

fn look(pid: u32, mut search: Search) -> (Vec<String>, u64) {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("the process runs");
    let memory = File::open(format!("/proc/{pid}/mem")).expect("root may read its memory");
    for map in maps.lines() {
        let Some((range, rest)) = map.split_once(' ') else {
            continue;
        };
        let (from, to) = range.split_once('-').expect("a range has two ends");
        let number = |text| u64::from_str_radix(text, 16).expect("an address is hexadecimal");
        let (from, to) = (number(from), number(to));
        if !rest.starts_with('r') {
            continue;
        }
        let mut bytes = vec![0; usize::try_from(to - from).expect("a map fits into memory")];
        // The kernel's own pages are listed and cannot be read; a map may also have gone by now.
        if memory.read_exact_at(&mut bytes, from).is_err() {
            continue;
        }
        let place = format!("memory: {map}");
        for filled in bytes
            .chunks(PAGE)
            .collect::<Vec<_>>()
            .split(|page| *page == &[0; PAGE][..])
        {
            if !filled.is_empty() {
                search.bytes(&place, &filled.concat());
            }
        }
    }
    (search.found().to_vec(), search.searched())
}
