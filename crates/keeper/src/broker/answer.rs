//! What a server answers, on its way to the agent: part by part as it comes, without what was injected.

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::sync::OwnedSemaphorePermit;

use super::error::BrokerError;
use super::redact::Redactor;
use crate::spending::{Reservation, UsageReader};

/// Refuses what the secret could not be found in.
pub(super) fn check_encoding(response: &reqwest::Response) -> Result<(), BrokerError> {
    let encodings = response.headers().get_all("content-encoding");
    match encodings.iter().find(|value| value.as_bytes() != b"identity") {
        Some(value) => Err(BrokerError::Encoded(
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )),
        None => Ok(()),
    }
}

/// Reads along what a call costs.
pub(super) struct Meter {
    reader: UsageReader,
    reservation: Reservation,
}

impl Meter {
    pub fn new(reservation: Reservation, stream: bool) -> Self {
        Self {
            reader: UsageReader::new(stream),
            reservation,
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let told = self.reader.end();
        self.reservation.told(told);
    }
}

/// The body, redacted. The call is counted until its answer has ended.
pub(super) fn body(
    response: reqwest::Response,
    mut redactor: Redactor,
    permit: OwnedSemaphorePermit,
    mut meter: Option<Meter>,
) -> UnsyncBoxBody<Bytes, std::io::Error> {
    let parts = response
        .bytes_stream()
        .map_ok(Some)
        .chain(futures::stream::iter([Ok(None)]))
        .map(move |part| {
            let _counted = &permit;
            match (&part, meter.as_mut()) {
                (Ok(Some(part)), Some(meter)) => meter.reader.pass(part),
                (Ok(None), Some(meter)) => meter.reservation.whole(),
                _ => {}
            }
            part.map_err(|error| std::io::Error::other(error.without_url().to_string()))
                .map(|part| match part {
                    Some(part) => redactor.pass(part),
                    None => redactor.end(),
                })
        })
        .try_filter(|part| std::future::ready(!part.is_empty()))
        .map_ok(Frame::data);
    StreamBody::new(parts).boxed_unsync()
}
