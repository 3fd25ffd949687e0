//! The form that most records and messages have: `0x01 || JSON`. One that is written otherwise some day begins with another byte, and reads
//! and writes itself.

use serde::{Deserialize, Serialize};

const FIRST: u8 = 1;

/// # Panics
/// Never: what is kept is structs, lists and maps of text, numbers and ids, all of which JSON has a form for.
pub(crate) fn encode(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = vec![FIRST];
    serde_json::to_writer(&mut bytes, value).expect("structs of text, numbers and ids serialise");
    bytes
}

/// None for what is of another form: a newer version wrote it.
pub(crate) fn decode<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Option<T> {
    match bytes.split_first() {
        Some((&FIRST, json)) => serde_json::from_slice(json).ok(),
        _ => None,
    }
}

/// What a record leaves out, and has when it is read again: what it would have without a word.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
