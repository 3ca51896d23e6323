//! Stage 6 of 7, export: the headers of OTLP/HTTP requests, which may be replaced while senders run. Threads: senders, any.

use super::TransportError;
use crate::settings::{HttpProtocol, OtlpSettings};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use ureq::http::header::{HeaderMap, HeaderName, HeaderValue, ACCEPT, CONTENT_TYPE, USER_AGENT};

/// Headers that describe the request's framing; a value from the settings would break it.
const OWN_HEADERS: [&str; 7] =
    ["connection", "content-encoding", "content-length", "content-type", "expect", "te", "transfer-encoding"];
/// Refused headers are not sent again for so long: a function that gives new ones has failed when it takes longer
/// (`fapilog/exporters/auth.py`), and the refusal may have been a mistake.
const REFUSED_AGE: Duration = Duration::from_secs(30);

/// The headers as they are now.
pub(super) struct Headers {
    media_type: HeaderValue,
    user_agent: String,
    /// Whether somebody renews refused ones.
    refreshed: bool,
    current: RwLock<Current>,
}

struct Current {
    headers: Arc<HeaderMap>,
    refused: Option<Instant>,
    /// Somebody who renews headers has not given the first ones yet.
    awaited: bool,
}

impl Headers {
    /// Checks the headers of the settings.
    pub(super) fn new(settings: &OtlpSettings) -> Result<Self, TransportError> {
        let media_type = media_type(settings.protocol);
        let headers = Arc::new(build(&media_type, &settings.user_agent, &settings.headers)?);
        Ok(Self {
            media_type,
            user_agent: settings.user_agent.clone(),
            refreshed: settings.refreshes_headers,
            current: RwLock::new(Current { headers, refused: None, awaited: settings.refreshes_headers }),
        })
    }

    /// Replaces the headers of the settings; those that are ours stay.
    pub(super) fn set(&self, given: &[(String, String)]) -> Result<(), TransportError> {
        let headers = Arc::new(build(&self.media_type, &self.user_agent, given)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) =
            Current { headers, refused: None, awaited: false };
        Ok(())
    }

    /// The headers of the next attempt.
    pub(super) fn current(&self) -> Arc<HeaderMap> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).headers)
    }

    /// True when `status` refuses headers that somebody renews. Remembered, unless `sent` have been replaced meanwhile.
    pub(super) fn refused_by(&self, status: u16, sent: &Arc<HeaderMap>) -> bool {
        if !self.refreshed || !matches!(status, 401 | 403) {
            return false;
        }
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current.headers, sent) {
            current.refused = Some(Instant::now());
        }
        true
    }

    /// False where somebody renews headers: until the first ones are there, and a while after these were refused.
    pub(super) fn are_ready(&self, now: Instant) -> bool {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let rests = |refused| now.saturating_duration_since(refused) < REFUSED_AGE;
        !current.awaited && !current.refused.is_some_and(rests)
    }

    /// True when the headers as they are now were refused.
    pub(super) fn are_refused(&self) -> bool {
        self.current.read().unwrap_or_else(PoisonError::into_inner).refused.is_some()
    }
}

/// What OTLP/HTTP calls the two.
const fn media_type(protocol: HttpProtocol) -> HeaderValue {
    HeaderValue::from_static(match protocol {
        HttpProtocol::Protobuf => "application/x-protobuf",
        HttpProtocol::Json => "application/json",
    })
}

fn build(
    media_type: &HeaderValue,
    user_agent: &str,
    given: &[(String, String)],
) -> Result<HeaderMap, TransportError> {
    let mut headers = HeaderMap::new();
    let agent = HeaderValue::from_str(user_agent).map_err(|_| {
        TransportError::new(
            "the User-Agent holds characters that HTTP does not allow; use printable ASCII".into(),
        )
    })?;
    headers.insert(USER_AGENT, agent);
    for (name, value) in given {
        let (name, value) = parse_header(name, value)?;
        if name == CONTENT_TYPE && value == media_type {
            continue;
        }
        if OWN_HEADERS.contains(&name.as_str()) {
            return Err(TransportError::new(format!(
                "header {name:?} is set by the exporter itself; remove it from the exporter's headers"
            )));
        }
        headers.insert(name, value);
    }
    headers.insert(ACCEPT, media_type.clone());
    headers.insert(CONTENT_TYPE, media_type.clone());
    Ok(headers)
}

/// Errors name the header and never its value, which is most often a credential.
fn parse_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), TransportError> {
    let parsed = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| {
        TransportError::new(format!(
            "header name {name:?} is not allowed in HTTP; check the exporter's headers"
        ))
    })?;
    let mut value = HeaderValue::from_str(value.trim()).map_err(|_| {
        TransportError::new(format!(
            "the value of header {name:?} is not printable ASCII; check the exporter's headers"
        ))
    })?;
    value.set_sensitive(true);
    Ok((parsed, value))
}
