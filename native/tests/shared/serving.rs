//! Small HTTP servers on the loopback address whose every step a test decides, with and without TLS.
#![allow(dead_code)] // Each test binary uses a part.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// One HTTP request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub line: String,
    /// `name: value` with the name in lower case.
    pub headers: Vec<String>,
    pub body: Vec<u8>,
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// One connection, in the hands of the test's handler.
pub struct Connection {
    /// Counted from 0 in the order of their acceptance.
    pub number: usize,
    stream: Box<dyn Stream>,
    socket: TcpStream,
    unread: Vec<u8>,
}

impl Connection {
    /// The next request; `None` when the client closed or spoke no HTTP.
    pub fn request(&mut self) -> Option<Request> {
        let end = loop {
            if let Some(end) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            self.fill()?;
        };
        let head = String::from_utf8(self.unread.drain(..end + 4).collect()).ok()?;
        let mut lines = head.trim_end().split("\r\n");
        let line = lines.next()?.to_owned();
        let headers: Vec<String> = lines
            .filter_map(|header| header.split_once(':'))
            .map(|(name, value)| format!("{}: {}", name.to_ascii_lowercase(), value.trim()))
            .collect();
        let length = headers.iter().find_map(|header| header.strip_prefix("content-length: "));
        let length: usize = length.map_or(Some(0), |length| length.parse().ok())?;
        while self.unread.len() < length {
            self.fill()?;
        }
        Some(Request { line, headers, body: self.unread.drain(..length).collect() })
    }

    fn fill(&mut self) -> Option<()> {
        let mut buffer = [0; 16 * 1024];
        let count = self.stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        self.unread.extend_from_slice(&buffer[..count]);
        Some(())
    }

    /// Reads a little, so that a close finds unread bytes and resets the connection.
    pub fn read_some(&mut self) {
        self.stream.read_exact(&mut [0; 10]).unwrap();
    }

    pub fn write(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
        self.stream.flush().unwrap();
    }

    /// False when the client has gone.
    pub fn try_write(&mut self, text: &str) -> bool {
        self.stream.write_all(text.as_bytes()).and_then(|()| self.stream.flush()).is_ok()
    }

    /// Reads and forgets until the client closes.
    pub fn wait_for_close(&mut self) {
        while self.fill().is_some() {}
    }

    /// Copies bytes between the client and `address` until either closes.
    pub fn tunnel(&mut self, address: &str) {
        let target = TcpStream::connect(address).unwrap();
        let (mut back_from, mut back_to) = (target.try_clone().unwrap(), self.socket.try_clone().unwrap());
        let back = std::thread::spawn(move || std::io::copy(&mut back_from, &mut back_to).ok());
        std::io::copy(&mut self.socket, &mut &target).ok();
        target.shutdown(std::net::Shutdown::Write).ok();
        back.join().unwrap();
    }
}

/// An answer without a body.
pub fn reply(status: u16, content_type: &str) -> String {
    format!("HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: 0\r\n\r\n")
}

#[derive(Default)]
struct Open {
    count: Mutex<usize>,
    changed: Condvar,
}

/// A server whose handler gets each connection in a thread of its own and returns the requests it read.
pub struct Server {
    pub address: SocketAddr,
    scheme: &'static str,
    stopping: Arc<AtomicBool>,
    open: Arc<Open>,
    accepting: Option<JoinHandle<Vec<Vec<Request>>>>,
}

impl Server {
    pub fn plain(handler: impl Fn(Connection) -> Vec<Request> + Send + Sync + 'static) -> Self {
        Self::start("http", handler, |socket| Box::new(socket))
    }

    pub fn tls(
        config: Arc<ServerConfig>,
        handler: impl Fn(Connection) -> Vec<Request> + Send + Sync + 'static,
    ) -> Self {
        Self::start("https", handler, move |socket| {
            Box::new(StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), socket))
        })
    }

    fn start(
        scheme: &'static str,
        handler: impl Fn(Connection) -> Vec<Request> + Send + Sync + 'static,
        wrap: impl Fn(TcpStream) -> Box<dyn Stream> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stopping, open) = (Arc::new(AtomicBool::new(false)), Arc::new(Open::default()));
        let (stop, gauge, handler) = (stopping.clone(), open.clone(), Arc::new(handler));
        let accepting = std::thread::spawn(move || {
            let mut threads = Vec::new();
            while let Ok((socket, _)) = listener.accept() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                socket.set_read_timeout(Some(PATIENCE)).unwrap();
                *gauge.count.lock().unwrap() += 1;
                let (handler, gauge) = (handler.clone(), gauge.clone());
                let stream = wrap(socket.try_clone().unwrap());
                let connection = Connection { number: threads.len(), stream, socket, unread: Vec::new() };
                threads.push(std::thread::spawn(move || {
                    let requests = handler(connection);
                    *gauge.count.lock().unwrap() -= 1;
                    gauge.changed.notify_all();
                    requests
                }));
            }
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        Self { address, scheme, stopping, open, accepting: Some(accepting) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// Waits until the handlers of all connections so far have closed them.
    pub fn wait_until_closed(&self) {
        let count = self.open.count.lock().unwrap();
        let (_count, result) =
            self.open.changed.wait_timeout_while(count, PATIENCE, |count| *count > 0).unwrap();
        assert!(!result.timed_out(), "a connection stayed open");
    }

    fn stop(&mut self) -> Vec<Vec<Request>> {
        self.stopping.store(true, Ordering::SeqCst);
        TcpStream::connect(self.address).unwrap();
        self.accepting.take().unwrap().join().unwrap()
    }

    /// Stops and returns the number of requests of each connection.
    pub fn finish(mut self) -> Vec<usize> {
        self.stop().iter().map(Vec::len).collect()
    }

    /// Stops and returns all requests.
    pub fn requests(mut self) -> Vec<Request> {
        self.stop().concat()
    }

    /// Stops listening.
    pub fn close(mut self) {
        self.stop();
    }
}

/// A certificate authority of its own, with a server's and a client's certificate, as PEM files.
pub struct Certificates {
    pub authority: PathBuf,
    pub client: PathBuf,
    pub client_key: PathBuf,
    server: PathBuf,
    server_key: PathBuf,
}

impl Certificates {
    /// `name` is the folder of the files; each test uses its own.
    pub fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let write = |file: &str, text: String| {
            let path = folder.join(file);
            std::fs::write(&path, text).unwrap();
            path
        };
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let issue = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let key = KeyPair::generate().unwrap();
            let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
            (certificate.pem(), key.serialize_pem())
        };
        let (server, server_key) = issue(&["localhost", "127.0.0.1"]);
        let (client, client_key) = issue(&["client"]);
        Self {
            authority: write("authority.pem", issuer.pem()),
            client: write("client.pem", client),
            client_key: write("client.key", client_key),
            server: write("server.pem", server),
            server_key: write("server.key", server_key),
        }
    }

    /// A server with this authority's certificate, which may ask clients for one too.
    pub fn server_config(&self, ask_client: bool) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&self.authority).unwrap()).unwrap();
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if ask_client {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let chain = vec![CertificateDer::from_pem_file(&self.server).unwrap()];
        Arc::new(
            builder.with_single_cert(chain, PrivateKeyDer::from_pem_file(&self.server_key).unwrap()).unwrap(),
        )
    }
}
