//! The way out: transports, senders, files, and the whole pipeline before servers on the loopback address.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may fail.

#[path = "../shared/core.rs"]
mod core;
#[path = "../shared/records.rs"]
mod records;
#[path = "../shared/sending.rs"]
mod sending;
#[path = "../shared/serving.rs"]
mod serving;
#[path = "../shared/wiring.rs"]
mod wiring;

mod answer;
mod bundle;
mod destination;
mod exporters;
mod file;
mod file_retention;
mod flow;
mod http_settings;
mod http_transport;
mod pace;
mod pipeline;
mod retry;
mod roles;
mod sender;
mod split;
mod stream;
mod wake;
