//! Stage 6 of 7, export: two corrections to how the HTTP client connects. Thread: sender.
//!
//! Both use interfaces that ureq does not promise to keep, which is why nothing else does.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use ureq::config::Config;
use ureq::http::uri::Authority;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};
use ureq::Error;

/// Time for which a host's addresses are believed; a failed attempt forgets them at once.
const ADDRESSES_KEPT: Duration = Duration::from_secs(30);

/// Hosts whose addresses are remembered; beyond it all are forgotten. An exporter has one, or a few nodes.
const MAX_HOSTS: usize = 64;

/// Addresses by scheme and authority, with the time they were looked up.
type Addresses = HashMap<String, (Instant, Vec<SocketAddr>)>;

/// Remembers addresses: ureq resolves before every request, in a thread of its own, even when it then reuses
/// an open connection.
#[derive(Debug, Default, Clone)]
pub(super) struct CachingResolver {
    known: Arc<Mutex<Addresses>>,
}

impl CachingResolver {
    /// Makes the next request resolve again.
    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Addresses> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, key: &str) -> Option<Vec<SocketAddr>> {
        let known = self.lock();
        let (since, addresses) = known.get(key)?;
        (since.elapsed() < ADDRESSES_KEPT).then(|| addresses.clone())
    }
}

impl Resolver for CachingResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let inner = DefaultResolver::default();
        let mut result = self.empty();
        if let Some(address) = literal(uri) {
            result.push(address);
            return Ok(result);
        }
        let authority = uri.authority().map_or("", Authority::as_str);
        let key = format!("{}://{authority}", uri.scheme_str().unwrap_or("http"));
        if let Some(addresses) = self.known(&key) {
            for address in addresses {
                result.push(address);
            }
            return Ok(result);
        }
        let result = inner.resolve(uri, config, timeout)?;
        let mut known = self.lock();
        if known.len() >= MAX_HOSTS {
            known.clear();
        }
        known.insert(key, (Instant::now(), result.to_vec()));
        drop(known);
        Ok(result)
    }
}

/// The address of a host that is written as one.
fn literal(uri: &Uri) -> Option<SocketAddr> {
    let address: IpAddr = uri.host()?.trim_matches(['[', ']']).parse().ok()?;
    let default_port = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    Some(SocketAddr::new(address, uri.port_u16().unwrap_or(default_port)))
}

/// Lets an answer be read that the server sent before it had read the request.
///
/// A server that refuses a request by its size or its headers answers and closes. ureq reports the failed
/// write and never looks at the answer; a 413 would look like a broken connection and be retried for ever.
#[derive(Debug, Default)]
pub(super) struct EarlyAnswerConnector;

impl<In: Transport> Connector<In> for EarlyAnswerConnector {
    type Out = EarlyAnswerTransport<In>;

    fn connect(&self, _: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|inner| EarlyAnswerTransport { inner, refused: None }))
    }
}

/// A connection that, once the peer takes no more, swallows the rest of the request and waits for the answer.
#[derive(Debug)]
pub(super) struct EarlyAnswerTransport<In> {
    inner: In,
    refused: Option<std::io::ErrorKind>,
}

impl<In: Transport> Transport for EarlyAnswerTransport<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if self.refused.is_some() {
            return Ok(());
        }
        match self.inner.transmit_output(amount, timeout) {
            Err(Error::Io(error)) if super::is_disconnect(error.kind()) => {
                self.refused = Some(error.kind());
                Ok(())
            }
            result => result,
        }
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        match (self.inner.await_input(timeout), self.refused) {
            // No answer after all: report what stopped the request.
            (Ok(false) | Err(Error::Io(_)), Some(kind)) => Err(Error::Io(kind.into())),
            (result, _) => result,
        }
    }

    fn is_open(&mut self) -> bool {
        self.refused.is_none() && self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
