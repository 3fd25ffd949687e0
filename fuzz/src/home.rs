//! The sealed home, behind the seal: what an older or another keeper may have written.

use keeper::home::fuzzing;
use keeper::limits::CHUNK_MAX;

use crate::Target;

pub const MANIFEST: Target = Target {
    name: "manifest",
    run: fuzzing::manifest,
    seeds: || vec![fuzzing::a_manifest()],
};

pub const CHUNK: Target = Target {
    name: "chunk",
    run: |bytes| {
        if let Some((most, packed)) = bytes.split_first_chunk::<2>() {
            fuzzing::chunk(packed, usize::from(u16::from_be_bytes(*most)));
            fuzzing::chunk(packed, CHUNK_MAX);
        }
    },
    seeds: || {
        let seed = |content: &[u8]| [&[0xff, 0xff], fuzzing::a_chunk(content).as_slice()].concat();
        vec![seed(b"short"), seed(&b"line\n".repeat(2000))]
    },
};
