//! Stage 6 of 7, export: the block log on disk. Threads: whoever holds the spool, one at a time; never a caller.
//!
//! Before: `seal`. After: `export`. It knows blocks and bytes, neither the pipeline nor Python. Read in this order:
//! [`format`] (what is in a file), [`segment`] (one file), [`index`] and [`positions`] (what is held, who settled what),
//! [`spool`] and `retire` (the store), [`recovery`] and [`reopen`] (after a crash), [`directory`] (whose files they are).
//! `docs/reference/spool_format.md` is the on-disk format.

pub mod crypt;
pub mod directory;
pub mod disk;
pub mod error;
pub mod format;
pub mod identity;
pub mod index;
pub mod owed;
pub mod positions;
pub mod positions_file;
pub mod quota;
pub mod recovery;
pub mod reopen;
pub mod report;
pub mod retire;
pub mod retry;
pub mod runs;
pub mod segment;
pub mod settings;
#[allow(clippy::module_inception)] // The store is what the room is about.
pub mod spool;

pub use directory::Root;
pub use error::SpoolError;
pub use index::Place;
pub use owed::Exporters;
pub use retire::{Loss, LossReason};
pub use settings::{Fsync, SpoolSettings};
pub use spool::Spool;
