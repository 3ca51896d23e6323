//! Stage 6 of 7, export: one attempt to post one block over OTLP/HTTP. Thread: sender.
//!
//! Blocking HTTP/1.1 with a keep-alive pool as large as the number of sender threads. Never follows redirects,
//! never panics: whatever goes wrong is an `Answer`.
//!
//! In this room: [`answer`] (what the server's answer means), [`echo`] (hides secrets that an answer repeats); `headers`, [`tls`], [`proxy`] and
//! `connect` configure the client; [`client`] is plain HTTP for exporters in Python.

pub mod answer;
pub mod client;
mod connect;
pub mod echo;
mod headers;
pub mod proxy;
pub mod tls;

use self::answer::{classify, clean, Answer};
use self::connect::{CachingResolver, EarlyAnswerConnector};
use self::echo::{shown_segment, Echo};
use self::headers::Headers;

use crate::block::{Block, Codec};
use crate::export::json_block::json_block;
use crate::export::watch;
use crate::seal::reseal::recode;
use crate::settings::{HttpProtocol, OtlpSettings};
use std::borrow::Cow;
use std::io::ErrorKind;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};
use ureq::config::AutoHeaderValue;
use ureq::http::header::{HeaderMap, HeaderName, HeaderValue, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use ureq::http::uri::PathAndQuery;
use ureq::http::{Method, Request, Response, Uri};
use ureq::tls::TlsConfig;
use ureq::unversioned::transport::{Connector, DefaultConnector};
use ureq::{Agent, Body, Error};

/// Time after which an idle connection is not used again; many servers close theirs after 15 seconds or more.
pub(super) const IDLE_AGE: Duration = Duration::from_secs(15);
/// Each connection has one for the request and one for the answer; as large as response headers may be.
pub(super) const BUFFER_BYTES: usize = 64 * 1024;

/// Time for the body of an answer once its headers are here. The status decides; the body, some bytes that come in the same
/// packet, only adds what a partial success left out. A server that dribbles it must not hold a sender for the attempt.
pub(super) const ANSWER_BODY_TIME: Duration = Duration::from_secs(2);

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What it means for the block.
    pub answer: Answer,
    /// The HTTP status; 0 when there was no answer, or no HTTP.
    pub status: u16,
    /// The kind of failure, for metrics (`error.type`): a status code, or a word; empty: none.
    pub error: Cow<'static, str>,
    /// The headers are not good any more, and somebody may renew them.
    pub headers_refused: bool,
}

impl From<Answer> for Reply {
    /// A reply without an HTTP status.
    fn from(answer: Answer) -> Self {
        let taken = matches!(answer, Answer::Delivered { .. });
        let error = Cow::Borrowed(if taken { "" } else { "_OTHER" });
        Self { answer, status: 0, error, headers_refused: false }
    }
}

/// One way to deliver a block; `sender` drives it.
pub trait Transport: Send + Sync {
    /// Makes one attempt and says what came of it. Blocks up to the attempt's timeout.
    fn send(&self, block: &Block) -> Reply;

    /// The block as this transport sends it, made once for all attempts.
    fn prepare<'a>(&self, block: &'a Block) -> Cow<'a, Block> {
        Cow::Borrowed(block)
    }

    /// Replaces the request headers of the settings, from the next attempt on.
    fn set_headers(&self, _: &[(String, String)]) -> Result<(), TransportError> {
        Err(TransportError::new("the exporter sends no headers; set them on an OTLP/HTTP exporter".into()))
    }

    /// True when the headers as they are now were refused.
    fn headers_refused(&self) -> bool {
        false
    }

    /// False while an attempt makes no sense yet, because headers that may pass are still to come.
    fn is_ready(&self, _now: Instant) -> bool {
        true
    }

    /// Makes what was delivered as safe as the settings ask for at a flush. False when that failed.
    fn flush(&self) -> bool {
        true
    }
}

/// A setting of the exporter that cannot work; the text says which, why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportError(String);

impl TransportError {
    pub(crate) const fn new(message: String) -> Self {
        Self(message)
    }
}

impl std::fmt::Display for TransportError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for TransportError {}

/// Posts blocks to one OTLP endpoint; shared by all sender threads of an exporter.
///
/// After a fork the child must make its own: open connections belong to the parent.
pub struct HttpTransport {
    agent: Agent,
    resolver: CachingResolver,
    endpoint: Uri,
    shown_endpoint: String,
    headers: Headers,
    protocol: HttpProtocol,
    codec: Codec,
    max_request_bytes: usize,
    max_response_bytes: u64,
    /// True when the last attempt was answered, so a broken connection may just have been idle too long.
    answered: AtomicBool,
}

impl HttpTransport {
    /// Checks the settings and reads the certificate files and the proxy variables; connects to nothing.
    pub fn new(settings: &OtlpSettings) -> Result<Self, TransportError> {
        Self::with_environment(settings, &|name| std::env::var(name).ok())
    }

    /// As `new`, with `lookup` in place of the process's environment variables.
    pub fn with_environment(
        settings: &OtlpSettings,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, TransportError> {
        let endpoint = parse_endpoint(&settings.endpoint)?;
        let headers = Headers::new(settings)?;
        let secure = endpoint.scheme_str() == Some("https");
        let tls = if secure { tls::configure(settings)? } else { TlsConfig::default() };
        let connections = settings.max_in_flight.max(1);
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .tls_config(tls)
            .proxy(proxy::from_environment(&endpoint, lookup)?)
            .timeout_global(settings.timeout)
            .timeout_connect(Some(settings.connect_timeout))
            .timeout_recv_body(Some(ANSWER_BODY_TIME))
            .max_idle_connections(connections)
            .max_idle_connections_per_host(connections)
            .max_idle_age(IDLE_AGE)
            .input_buffer_size(BUFFER_BYTES)
            .output_buffer_size(BUFFER_BYTES)
            .user_agent(settings.user_agent.clone())
            .accept_encoding(AutoHeaderValue::None)
            .build();
        let resolver = CachingResolver::default();
        let connector = DefaultConnector::new().chain(EarlyAnswerConnector);
        Ok(Self {
            agent: Agent::with_parts(config, connector, resolver.clone()),
            resolver,
            shown_endpoint: without_credentials(&endpoint),
            endpoint,
            headers,
            protocol: settings.protocol,
            codec: settings.codec,
            max_request_bytes: settings.max_request_bytes,
            max_response_bytes: settings.max_response_bytes as u64,
            answered: AtomicBool::new(false),
        })
    }

    /// The endpoint for people: without credentials and query.
    #[must_use]
    pub fn shown_endpoint(&self) -> &str {
        &self.shown_endpoint
    }

    fn attempt(&self, block: &Block) -> Result<Reply, Error> {
        let mut request = Request::new(block.body.as_slice());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.endpoint.clone();
        let headers = self.headers.current();
        request.headers_mut().clone_from(&headers);
        if let Some(encoding) = block.codec.content_encoding() {
            request.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        let response = self.agent.run(request)?;
        let status = response.status().as_u16();
        let mut answer = self.read(response, &headers);
        let headers_refused = self.headers.refused_by(status, &headers);
        if let (true, Answer::Rejected { cause }) = (headers_refused, &mut answer) {
            answer = Answer::Retry { after: None, cause: std::mem::take(cause) };
        }
        let taken = (200..300).contains(&status);
        let error = if taken { Cow::Borrowed("") } else { Cow::Owned(status.to_string()) };
        Ok(Reply { answer, status, error, headers_refused })
    }

    /// What a server may have from us that people must not see.
    fn echo(&self, sent: &HeaderMap) -> Echo {
        let target = self.endpoint.path_and_query().map_or("", PathAndQuery::as_str);
        let user = self.endpoint.authority().and_then(|authority| authority.as_str().rsplit_once('@'));
        let values = sent.values().filter(|value| value.is_sensitive()).map(HeaderValue::as_bytes);
        Echo::of(target, user.map_or("", |(user, _)| user), values)
    }

    /// The status line is the server's word: a body that breaks off behind it cannot take it back.
    fn read(&self, response: Response<Body>, sent: &HeaderMap) -> Answer {
        let (parts, body) = response.into_parts();
        let (bytes, broken) = match body.into_with_config().limit(self.max_response_bytes).read_to_vec() {
            Ok(bytes) => (bytes, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let header = |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let status = parts.status.as_u16();
        let echo = if bytes.is_empty() { Echo::default() } else { self.echo(sent) };
        let (after, content) = (header(RETRY_AFTER), header(CONTENT_TYPE));
        let answer = classify(status, after, content, &bytes, SystemTime::now(), &echo);
        match (answer, broken) {
            (Answer::Delivered { rejected_records, warning: None }, Some(error)) => {
                let warning = Some(format!("the answer could not be read: {}", describe(&error)));
                Answer::Delivered { rejected_records, warning }
            }
            (answer, _) => answer,
        }
    }

    /// The attempt, made twice when the connection broke that the attempt before it was answered on: the
    /// server may close an idle connection just as it is used again, and that is no reason to back off.
    fn attempt_on_fresh_connection(&self, block: &Block) -> Result<Reply, Error> {
        let result = self.attempt(block);
        match &result {
            Err(Error::Io(error)) if is_disconnect(error.kind()) => {
                self.resolver.forget();
                if self.answered.swap(false, Ordering::Relaxed) {
                    return self.attempt(block);
                }
                result
            }
            _ => result,
        }
    }
}

impl Transport for HttpTransport {
    fn send(&self, block: &Block) -> Reply {
        watch::block("http", block);
        let written;
        let block = match self.protocol {
            HttpProtocol::Protobuf => block,
            HttpProtocol::Json => match json_block(block, self.codec, self.max_request_bytes) {
                Ok(block) => {
                    written = block;
                    &written
                }
                Err(reply) => return reply,
            },
        };
        // The client's own invariants are not ours: a panic in it costs an attempt, not the thread.
        let result = catch_unwind(AssertUnwindSafe(|| self.attempt_on_fresh_connection(block)));
        self.answered.store(matches!(result, Ok(Ok(_))), Ordering::Relaxed);
        let (text, kind) = match result {
            Ok(Ok(reply)) => return reply,
            Ok(Err(error)) => (describe(&error), kind(&error)),
            Err(_) => ("the HTTP client failed internally".to_owned(), "_OTHER"),
        };
        self.resolver.forget();
        let cause = format!("cannot reach {}: {text}", self.shown_endpoint);
        Reply { error: Cow::Borrowed(kind), ..Answer::Retry { after: None, cause }.into() }
    }

    /// Blocks are sealed for the first exporter; another one may want them otherwise.
    fn prepare<'a>(&self, block: &'a Block) -> Cow<'a, Block> {
        // As JSON it is written anew at each attempt: protobuf is what can be split.
        if block.codec == self.codec || self.protocol == HttpProtocol::Json {
            Cow::Borrowed(block)
        } else {
            Cow::Owned(recode(block, self.codec))
        }
    }

    fn set_headers(&self, headers: &[(String, String)]) -> Result<(), TransportError> {
        self.headers.set(headers)
    }

    fn headers_refused(&self) -> bool {
        self.headers.are_refused()
    }

    fn is_ready(&self, now: Instant) -> bool {
        self.headers.are_ready(now)
    }
}

/// True for the ways in which a peer hangs up.
pub(super) const fn is_disconnect(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::NotConnected
            | ErrorKind::UnexpectedEof
    )
}

/// One line for people, without the client's own prefixes.
pub(super) fn describe(error: &Error) -> String {
    let text = match error {
        // A failed handshake reaches us wrapped as invalid data.
        Error::Io(error) if error.kind() == ErrorKind::InvalidData => {
            format!("TLS: {error}; check the certificate files of the exporter")
        }
        Error::Io(error) => error.to_string(),
        Error::Timeout(phase) => format!("timed out ({phase})"),
        Error::Rustls(error) => format!("TLS: {error}; check the certificate files of the exporter"),
        Error::BodyExceedsLimit(limit) => format!("it is larger than {limit} bytes"),
        other => other.to_string(),
    };
    clean(text.as_bytes()).unwrap_or_default()
}

/// The kind of failure, one of a few words, for metrics.
fn kind(error: &Error) -> &'static str {
    match error {
        Error::Timeout(_) => "timeout",
        Error::Rustls(_) => "tls",
        Error::HostNotFound => "name_resolution",
        Error::Io(error) => match error.kind() {
            ErrorKind::InvalidData => "tls",
            ErrorKind::ConnectionRefused => "connection_refused",
            kind if is_disconnect(kind) => "connection_reset",
            _ => "_OTHER",
        },
        _ => "_OTHER",
    }
}

fn parse_endpoint(text: &str) -> Result<Uri, TransportError> {
    parse_url(text).map_err(|why| {
        let shown = shown_url(text);
        TransportError::new(format!(
            "endpoint {shown:?} is not usable: {why}; set it to a full URL such as http://localhost:4318/v1/logs"
        ))
    })
}

/// A URL with scheme and host, or what is wrong with it.
pub(super) fn parse_url(text: &str) -> Result<Uri, &'static str> {
    let url: Uri = text.trim().parse().map_err(|_| "it is not a URL")?;
    match url.scheme_str() {
        Some("http" | "https") => {}
        Some(_) => return Err("its scheme is neither http nor https"),
        None => return Err("it has no scheme (http or https)"),
    }
    if url.host().is_none_or(str::is_empty) {
        return Err("it has no host");
    }
    Ok(url)
}

/// A URL as it was written, without what stands before an `@`.
pub(super) fn shown_url(text: &str) -> String {
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}://***{}", &text[..scheme], &text[at..]),
        (None, Some(at)) => format!("***{}", &text[at..]),
        _ => text.to_owned(),
    }
}

pub(super) fn without_credentials(endpoint: &Uri) -> String {
    let authority = endpoint.authority().map_or("", ureq::http::uri::Authority::as_str);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    // A query can carry a token, so it is not shown either; nor can a part of the path that looks like one.
    let path: Vec<_> = endpoint.path().split('/').map(shown_segment).collect();
    format!("{}://{host}{}", endpoint.scheme_str().unwrap_or("http"), path.join("/"))
}
