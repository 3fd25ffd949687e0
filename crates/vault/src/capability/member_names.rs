//! The names in JSON, without what they name: small values cost many times what they weigh.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::Deserializer;
use serde_json::value::RawValue;

/// Gives the name of each member of an object, or of several objects after one another; of other values none.
///
/// # Errors
/// It is no JSON, from there on.
pub(super) fn for_each_name(json: &[u8], mut each: impl FnMut(&str)) -> serde_json::Result<()> {
    for value in Deserializer::from_slice(json).into_iter::<&RawValue>() {
        let value = value?.get();
        if value.starts_with('{') {
            Deserializer::from_str(value).deserialize_map(Names(&mut each))?;
        }
    }
    Ok(())
}

struct Names<'a, F>(&'a mut F);

impl<'de, F: FnMut(&str)> Visitor<'de> for Names<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some((name, IgnoredAny)) = members.next_entry::<String, _>()? {
            (self.0)(&name);
        }
        Ok(())
    }
}
