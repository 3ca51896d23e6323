//! Stage 6 of 7, export: a plain HTTP client for exporters in Python: TLS files, proxies, timeouts. Thread: any.
//!
//! Blocking HTTP/1.1 with kept connections. Never follows redirects, never retries, never panics: what to do about an
//! answer or an error is the exporter's business.

use super::connect::{CachingResolver, EarlyAnswerConnector};
use super::{describe, parse_url, TransportError, BUFFER_BYTES, IDLE_AGE};
use super::{proxy, tls};
use crate::seal::compress::gzip;
use std::collections::HashMap;
use std::io::Read;
use std::mem::forget;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use ureq::config::AutoHeaderValue;
use ureq::http::header::{HeaderMap, HeaderName, HeaderValue};
use ureq::http::{Method, Request, Uri};
use ureq::tls::TlsConfig;
use ureq::unversioned::transport::{Connector, DefaultConnector};
use ureq::{Agent, Error};

/// Hosts whose idle connections are all kept: the nodes of a cluster.
const HOSTS: usize = 16;
/// Headers that describe the request's framing: the client writes them.
const OWN_HEADERS: [&str; 7] =
    ["connection", "content-length", "expect", "host", "te", "transfer-encoding", "upgrade"];
/// The variables that name proxies, in lower case; each counts in upper case too.
const PROXY_VARIABLES: [&str; 5] = ["http_proxy", "https_proxy", "all_proxy", "no_proxy", "request_method"];

/// What a client is made from.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// Time for one request, connect to last byte of the answer; `None`: no limit.
    pub timeout: Option<Duration>,
    /// Time for the TCP and TLS handshake.
    pub connect_timeout: Duration,
    /// PEM files: trusted authorities, and the client's certificate chain and key.
    pub tls: tls::Files,
    /// `User-Agent`, unless a request brings its own.
    pub user_agent: String,
    /// Largest part of an answer's body that is read, in bytes.
    pub max_response_bytes: usize,
    /// Idle connections kept for each host.
    pub max_idle_connections: usize,
}

/// An answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case, in the order of the answer.
    pub headers: Vec<(String, String)>,
    /// The body, as far as it came and was not too large.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientError {
    /// The request itself cannot be sent: URL, header or proxy.
    Invalid(String),
    /// Nothing was answered.
    Failed {
        /// Names the server and the cause, for people.
        message: String,
        /// True when time ran out.
        timeout: bool,
    },
}

impl From<TransportError> for ClientError {
    fn from(error: TransportError) -> Self {
        Self::Invalid(error.to_string())
    }
}

/// Kept connections, and where hosts are.
#[derive(Clone)]
pub struct Connections {
    agent: Agent,
    resolver: CachingResolver,
}

/// Posts to any URL. Usable after a fork: the child opens connections of its own.
pub struct Client {
    settings: ClientSettings,
    tls: TlsConfig,
    /// The process that the connections belong to, and what holds them.
    agent: Mutex<(u32, Connections)>,
    environment: HashMap<String, String>,
}

impl Client {
    /// Checks the settings, reads the certificate files and the proxy variables; connects to nothing.
    pub fn new(settings: ClientSettings) -> Result<Self, TransportError> {
        let names = PROXY_VARIABLES.into_iter().flat_map(|name| [name.to_owned(), name.to_ascii_uppercase()]);
        // Read once: later another thread may be changing the environment.
        let environment = names.filter_map(|name| std::env::var(&name).ok().map(|value| (name, value)));
        if HeaderValue::from_str(&settings.user_agent).is_err() {
            let message = "the User-Agent holds characters that HTTP does not allow; use printable ASCII";
            return Err(TransportError::new(message.to_owned()));
        }
        let tls = tls::configure_files(&settings.tls)?;
        let agent = Mutex::new((std::process::id(), Connections::new(&settings, tls.clone())));
        Ok(Self { agent, environment: environment.collect(), settings, tls })
    }

    /// The connections of this process. Call it while no fork can happen (in Python: with the interpreter lock).
    #[must_use]
    pub fn connections(&self) -> Connections {
        let mut held = self.agent.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        if held.0 != process {
            let connections = Connections::new(&self.settings, self.tls.clone());
            // They are the parent's, and their locks may have been taken as the fork happened.
            forget(std::mem::replace(&mut *held, (process, connections)));
        }
        held.1.clone()
    }

    /// As [`Self::post`], with the body compressed, and a header that says so.
    pub fn post_gzip(
        &self,
        connections: &Connections,
        url: &str,
        mut headers: Vec<(String, String)>,
        body: &[u8],
        timeout: Option<Duration>,
    ) -> Result<Response, ClientError> {
        // Memory is the only thing that can fail here; then it goes out as it is.
        let Ok(packed) = gzip(body) else { return self.post(connections, url, &headers, body, timeout) };
        headers.push(("content-encoding".to_owned(), "gzip".to_owned()));
        self.post(connections, url, &headers, &packed, timeout)
    }

    /// Posts `body` with `headers` through [`Self::connections`]. Blocks up to `timeout`, or up to the client's.
    pub fn post(
        &self,
        connections: &Connections,
        url: &str,
        headers: &[(String, String)],
        body: &[u8],
        timeout: Option<Duration>,
    ) -> Result<Response, ClientError> {
        let uri = parse_url(url)
            // Not shown: the path of a webhook is often its secret.
            .map_err(|why| ClientError::Invalid(format!("the URL is not usable: {why}")))?;
        let headers = header_map(headers)?;
        let proxy = proxy::from_environment(&uri, &|name| self.environment.get(name).cloned())?;
        let shown = shown_host(&uri);
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let timeout = timeout.or(self.settings.timeout);
        let request =
            connections.agent.configure_request(request).proxy(proxy).timeout_global(timeout).build();
        // The client's own invariants are not ours: a panic in it costs a request, not the thread.
        match catch_unwind(AssertUnwindSafe(|| self.run(connections, request))) {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                connections.resolver.forget();
                let message = format!("cannot reach {shown}: {}", describe(&error));
                Err(ClientError::Failed { message, timeout: matches!(error, Error::Timeout(_)) })
            }
            Err(_) => {
                let message = format!("cannot reach {shown}: the HTTP client failed internally");
                Err(ClientError::Failed { message, timeout: false })
            }
        }
    }

    fn run(&self, connections: &Connections, request: Request<&[u8]>) -> Result<Response, Error> {
        let (parts, body) = connections.agent.run(request)?.into_parts();
        let headers = parts.headers.iter().map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let mut bytes = Vec::new();
        // The status line is the server's word: a body that breaks off behind it cannot take it back.
        let _ = body.into_reader().take(self.settings.max_response_bytes as u64).read_to_end(&mut bytes);
        Ok(Response { status: parts.status.as_u16(), headers: headers.collect(), body: bytes })
    }
}

fn header_map(given: &[(String, String)]) -> Result<HeaderMap, ClientError> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let parsed = HeaderName::from_bytes(name.trim().as_bytes())
            .map_err(|_| ClientError::Invalid(format!("header name {name:?} is not allowed in HTTP")))?;
        if OWN_HEADERS.contains(&parsed.as_str()) {
            return Err(ClientError::Invalid(format!(
                "header {parsed} is set by the client itself; leave it out"
            )));
        }
        // Errors name the header and never its value, which is most often a credential.
        let mut value = HeaderValue::from_str(value.trim()).map_err(|_| {
            ClientError::Invalid(format!("the value of header {parsed} is not printable ASCII"))
        })?;
        value.set_sensitive(true);
        headers.append(parsed, value);
    }
    Ok(headers)
}

impl Connections {
    /// None are open, and nothing was looked up.
    fn new(settings: &ClientSettings, tls: TlsConfig) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .tls_config(tls)
            .proxy(None)
            .timeout_global(settings.timeout)
            .timeout_connect(Some(settings.connect_timeout))
            .max_idle_connections(settings.max_idle_connections.saturating_mul(HOSTS))
            .max_idle_connections_per_host(settings.max_idle_connections)
            .max_idle_age(IDLE_AGE)
            .input_buffer_size(BUFFER_BYTES)
            .output_buffer_size(BUFFER_BYTES)
            .user_agent(settings.user_agent.clone())
            .accept_encoding(AutoHeaderValue::None)
            .build();
        let connector = DefaultConnector::new().chain(EarlyAnswerConnector);
        let resolver = CachingResolver::default();
        Self { agent: Agent::with_parts(config, connector, resolver.clone()), resolver }
    }
}

/// Scheme, host and port.
fn shown_host(url: &Uri) -> String {
    let authority = url.authority().map_or("", ureq::http::uri::Authority::as_str);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    format!("{}://{host}", url.scheme_str().unwrap_or("http"))
}
