//! The native core of fapilog: the life of a log record, in stage order.
//!
//! | stage | module | thread |
//! |---|---|---|
//! | 1 emit | `python::logger` | caller |
//! | 2 capture | `python::capture` into `record` | caller |
//! | 3 redact | `redact`, `truncate` | caller |
//! | 4 append | `buffer` | caller |
//! | 5 seal | `seal` into `block` | sealer |
//! | 6 export | `backlog`, `export`; `console` on the caller | senders |
//! | 7 settle | `ledger` | as 6 |
//!
//! `pipeline` wires them. Only `python` knows an interpreter; everything else is plain Rust.

pub mod block;
pub mod compress;
pub mod settings;
pub mod wire;

pub mod export;

pub mod console;
