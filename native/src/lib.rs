//! The native core of fapilog: the life of a log record, in stage order.
//!
//! | stage | module | thread |
//! |---|---|---|
//! | 1 emit | `python::logger`, [`rules`], [`scopes`], [`process`] | caller |
//! | 2 capture | `python::emission`, `python::values`, into [`mod@record`] | caller |
//! | 3 redact | [`redact`], with the findings of [`scan`] | caller |
//! | 4 append | [`buffer`]; below the level [`flight`]; with durability above `memory` a [`crash_ring`], which holds a [`mod@ring`] | caller |
//! | 5 seal | [`seal`], into [`block`] | sealer |
//! | 6 export | [`backlog`] with a cursor for each exporter; [`export`] sends; [`console`] on the caller; [`spooling`] keeps what waits in a [`spool`] on disk; [`decode`] reads, [`encode`] writes | senders, spooler, adopter |
//! | 7 settle | [`ledger`] | as 6 |
//!
//! [`pipeline`] wires them. Only `python` knows an interpreter; everything else is plain Rust. A room's `mod.rs` says what is in it.

pub mod block;
pub mod clock;
pub mod recency;
pub mod settings;
pub mod signing;
pub mod sync;
pub mod wiped;
pub mod wire;

pub mod process;
pub mod rules;
pub mod scopes;

pub mod record;

pub mod redact;
pub mod scan;

pub mod buffer;
pub mod crash_ring;
pub mod flight;
pub mod ring;

pub mod seal;

pub mod backlog;
pub mod console;
pub mod decode;
pub mod encode;
pub mod export;
pub mod spool;
pub mod spooling;

pub mod ledger;

pub mod pipeline;

#[cfg(feature = "python")]
mod python;
