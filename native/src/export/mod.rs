//! Stage 6 of 7, export: OTLP/HTTP from native sender threads.
//!
//! Read in this order: `sender` (the loop), `pace` (when it may send), `retry` (how long it waits), `http` (one
//! attempt), `answer` (what the server's answer means), `split` (a request that is too large). `headers`, `tls`, `proxy`
//! and `connect` configure the HTTP client.

pub mod answer;
pub mod http;
pub mod pace;
pub mod proxy;
pub mod retry;
pub mod sender;
pub mod split;

mod connect;
mod headers;
mod tls;
