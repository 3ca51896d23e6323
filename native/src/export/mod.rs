//! Stage 6 of 7, export: OTLP/HTTP, files and standard output from native sender threads.
//!
//! Read in this order: `sender` (the loop), `news` (what it says), `bundle` (what goes in one request), `pace` (when it may send), `flow`
//! (how fast), `retry` (how long it waits), `http` (one attempt), `answer` (what the server's answer means), `split` (a request
//! that is too large). `echo` hides
//! secrets that an answer repeats. `headers`, `tls`, `proxy`
//! and `connect` configure the HTTP client, `json_block` writes OTLP/JSON. `file` and `stream` are two other transports; `client` is plain HTTP for
//! exporters in Python.

pub mod answer;
pub mod bundle;
pub mod client;
pub mod echo;
pub mod file;
pub mod flow;
pub mod http;
pub mod news;
pub mod pace;
pub mod proxy;
pub mod retry;
pub mod sender;
pub mod split;
pub mod stream;

mod connect;
mod headers;
mod json_block;
pub mod tls;
pub(crate) mod unpack;
