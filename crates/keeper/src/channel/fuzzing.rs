//! What the fuzz targets reach of a channel: requests, as they come out of a client's frames.

use super::own_methods;
use super::session::Incoming;

/// Reads a request, and its parameters where the channel itself answers it.
pub fn request(body: &[u8]) {
    if let Ok(message) = serde_json::from_slice::<Incoming<'_>>(body)
        && let Some(method) = message.method
    {
        let _nobody_asked = own_methods::parse(&method, message.params);
    }
}
