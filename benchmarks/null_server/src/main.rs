//! A server that takes what exporters send, answers as Splunk or Elasticsearch do, counts, and costs little.
//!
//! Prints its port. One thread for each connection; nothing is parsed beyond what an answer needs.
//!
//! | request | answer |
//! |---|---|
//! | `GET /stats` | counts as JSON |
//! | `GET` of anything else | a node of a cluster that is there |
//! | `POST` or `PUT` of `/_bulk...`, `/INDEX/_bulk...` | every document created, as much of it as `filter_path` asks for |
//! | `POST` of anything else | Splunk's success |
//!
//! A record is known by a text that each has once, so lost and repeated ones show.

mod http;

use flate2::bufread::MultiGzDecoder;
use http::Request;
use memchr::{memchr_iter, memmem};
use std::borrow::Cow;
use std::io::{self, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;

/// In the body of every record.
const MARK: &[u8] = b"order placed";
const BUFFER_BYTES: usize = 256 * 1024;
const TAKEN: &str = r#"{"text":"Success","code":0}"#;
const NODE: &str = r#"{"name":"null","version":{"number":"9.2.0"},"tagline":"You Know, for Search"}"#;
const NOTHING: &str =
    r#"{"error":{"type":"parse_exception","reason":"request body is required"},"status":400}"#;
/// What Elasticsearch says of a document, whole and with a `filter_path` that asks for the status.
const CREATED: &str = concat!(
    r#"{"create":{"_index":".ds-logs-generic.otel-default-2026.11.29-000001","_id":"kQ7cJZoBxV2mS0d1n3rT","_version":1,"#,
    r#""result":"created","_shards":{"total":2,"successful":1,"failed":0},"_seq_no":100000,"_primary_term":1,"status":201}}"#
);
const STATUS: &str = r#"{"create":{"status":201}}"#;

#[derive(Default)]
struct Counts {
    requests: AtomicU64,
    body_bytes: AtomicU64,
    plain_bytes: AtomicU64,
    records: AtomicU64,
}

impl Counts {
    fn json(&self) -> String {
        format!(
            r#"{{"requests":{},"body_bytes":{},"plain_bytes":{},"records":{}}}"#,
            self.requests.load(Relaxed),
            self.body_bytes.load(Relaxed),
            self.plain_bytes.load(Relaxed),
            self.records.load(Relaxed)
        )
    }

    fn add(&self, body: &[u8], plain: &[u8]) {
        self.requests.fetch_add(1, Relaxed);
        self.body_bytes.fetch_add(body.len() as u64, Relaxed);
        self.plain_bytes.fetch_add(plain.len() as u64, Relaxed);
        self.records.fetch_add(memmem::find_iter(plain, MARK).count() as u64, Relaxed);
    }
}

/// One connection, with memory that is used again.
struct Connection {
    counts: Arc<Counts>,
    body: Vec<u8>,
    plain: Vec<u8>,
    /// The last answer to a bulk request, with its number of documents and whether it was filtered.
    answer: (usize, bool, String),
}

impl Connection {
    fn serve(&mut self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let (mut input, mut output) = (BufReader::with_capacity(BUFFER_BYTES, stream), stream);
        while let Some(request) = http::read(&mut input, &mut self.body)? {
            let (status, said) = self.answer(&request)?;
            // Without the word, a client may send its next request into a connection that ends.
            let then = if request.closes { "close" } else { "keep-alive" };
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nx-elastic-product: Elasticsearch\r\n\
                 connection: {then}\r\ncontent-length: {}\r\n\r\n",
                said.len()
            );
            output.write_all(&[head.as_bytes(), said.as_bytes()].concat())?;
            if request.closes {
                break;
            }
        }
        Ok(())
    }

    fn answer(&mut self, request: &Request) -> io::Result<(&'static str, Cow<'_, str>)> {
        if request.method == "GET" || request.method == "HEAD" {
            let stats = request.path == "/stats";
            return Ok(("200 OK", if stats { self.counts.json().into() } else { NODE.into() }));
        }
        let plain = if request.packed {
            self.plain.clear();
            MultiGzDecoder::new(&self.body[..]).read_to_end(&mut self.plain)?;
            &self.plain
        } else {
            &self.body
        };
        self.counts.add(&self.body, plain);
        if !request.path.ends_with("/_bulk") {
            return Ok(("200 OK", TAKEN.into()));
        }
        // An action line and a document each.
        let documents = memchr_iter(b'\n', plain).count() / 2;
        if documents == 0 {
            return Ok(("400 Bad Request", NOTHING.into()));
        }
        Ok(("200 OK", self.bulk(documents, &request.query).into()))
    }

    fn bulk(&mut self, documents: usize, query: &str) -> &str {
        let filtered = query.contains("filter_path=");
        if self.answer.0 != documents || self.answer.1 != filtered {
            let said = if filtered && !query.contains("status") {
                r#"{"errors":false}"#.to_owned()
            } else {
                let (item, took) = if filtered { (STATUS, "") } else { (CREATED, r#""took":7,"#) };
                format!(r#"{{{took}"errors":false,"items":[{}]}}"#, vec![item; documents].join(","))
            };
            self.answer = (documents, filtered, said);
        }
        &self.answer.2
    }
}

fn main() -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    println!("{}", listener.local_addr()?.port());
    let counts = Arc::new(Counts::default());
    for stream in listener.incoming() {
        let (stream, counts) = (stream?, Arc::clone(&counts));
        std::thread::spawn(move || {
            let (body, plain, answer) = (Vec::new(), Vec::new(), (0, false, String::new()));
            let mut connection = Connection { counts, body, plain, answer };
            if let Err(error) = connection.serve(&stream) {
                eprintln!("a connection ended: {error}");
            }
        });
    }
    Ok(())
}
