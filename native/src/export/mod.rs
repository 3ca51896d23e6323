//! Stage 6 of 7, export: how blocks leave the backlog: OTLP/HTTP, files and standard output from native sender threads, the rest through Python.
//!
//! Read in this order: [`exporters`] (one cursor each), [`claims`] (take a block, answer for it), [`sender`] (the loop), [`news`] (what it
//! says), [`bundle`] (what goes in one request), [`pace`] (when it may send), [`flow`] (how fast), [`retry`] (how long it waits), [`mod@http`] (one
//! attempt), [`split`] (a request that is too large). [`file`](mod@file) and [`stream`] are two other transports; `json_block` writes OTLP/JSON. [`diversions`] are
//! blocks that go to a fallback, [`destination`] makes of a block what an exporter with a policy of its own may have, [`dead_letters`]
//! those that a receiver refused, [`duties`] what best-effort exporters get at the end;
//! [`wake`] tells Python's delivery loop that there is work; [`watch`] shows tests what leaves.

pub mod bundle;
pub mod claims;
pub mod dead_letters;
pub mod destination;
pub mod diversions;
pub mod duties;
pub mod exporters;
pub mod file;
pub mod flow;
pub mod http;
mod json_block;
pub mod news;
pub mod pace;
pub mod retry;
pub mod sender;
pub mod split;
pub mod stream;
pub(crate) mod unpack;
pub mod wake;
pub mod watch;
