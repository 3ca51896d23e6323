//! The native core of fapilog: the life of a log record, in stage order.
//!
//! | stage | module | thread |
//! |---|---|---|
//! | 1 emit | `python::logger`, [`rules`], [`process`], [`emit_counts`] | caller |
//! | 2 capture | `python::emission`, `python::values`, into [`record`] with [`fields`] and [`record_uid`] | caller |
//! | 3 redact | [`redact`], [`rewrite`], [`truncate`], [`scope_secrets`] | caller |
//! | 4 append | [`buffer`] with `lane`, [`waiting`]; [`flight`]; [`summaries`] too on the sealer; [`crash_ring`] holds a [`mod@ring`], [`syncing`] serves it | caller |
//! | 5 seal | [`seal`], [`reseal`], [`compress`], into [`block`] | sealer |
//! | 6 export | [`entries`], [`cursors`], [`roles`] and [`moves`] in [`backlog`], [`exporters`], [`export`], [`claims`], [`duties`], [`diversions`]; [`console`] on the caller; [`decode`] and [`request`] read, [`encode`] writes; [`spool`] keeps blocks on disk, [`spooler`] behind [`shelf`] holds `stores`, [`spooling`] and [`spool_signal`] run it; [`keep`] and [`remains`] are about crash rings | senders, spooler |
//! | 7 settle | [`dead_letters`], [`ledger`], [`losses`], [`notices`], [`meters`] | as 6 |
//!
//! [`pipeline`] wires them. Only `python` knows an interpreter; everything else is plain Rust.

pub mod block;
pub mod clock;
pub mod settings;
pub mod sync;
pub mod wire;

pub mod encoded_attributes;
pub mod fields;
pub mod record;
pub mod record_uid;
pub mod rules;
pub mod scopes;

pub mod process;

pub mod redact;
pub mod rewrite;
pub mod scope_secrets;
pub mod truncate;

pub mod buffer;
pub mod chunk;
pub mod crash_ring;
pub mod flight;
mod lane;
pub mod ring;
pub mod summaries;
pub mod syncing;
pub mod waiting;

pub mod compress;
pub mod reseal;
pub mod seal;

mod adopting;
pub mod backlog;
pub mod claims;
pub mod console;
pub mod cursors;
pub mod decode;
pub mod diversions;
pub mod duties;
pub mod encode;
pub mod entries;
pub mod export;
pub mod exporters;
pub mod forked_locks;
pub mod gate;
pub mod keep;
pub mod moves;
pub mod remains;
pub mod request;
pub mod roles;
pub mod shelf;
mod shelving;
pub mod spool;
pub mod spool_end;
mod spool_keys;
pub mod spool_meter;
pub mod spool_signal;
pub mod spooler;
pub mod spooling;
mod stores;
pub mod wake;

pub mod dead_letters;
pub mod ledger;
pub mod losses;
pub mod meters;
pub mod notices;

pub mod emit_counts;
pub mod pipeline;

#[cfg(feature = "python")]
mod python;
