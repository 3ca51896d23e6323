//! Stage 6 of 7, export: the block log on disk. Threads: whoever holds the spool, one at a time; never a caller.
//!
//! Before: `seal`. After: `export`. It knows blocks and bytes, neither the pipeline nor Python. Read in this order:
//! [`mod@format`] (what is in a file), [`segment`] (one file), [`index`] and [`positions`] (what is held, who settled what),
//! [`spool`] and `retire` (the store), [`recovery`] and [`reopen`] (after a crash), [`directory`] (whose files they are).
//! `docs/reference/spool_format.md` is the on-disk format.
//!
//! ```no_run
//! use fapilog_native::block::{Block, Codec};
//! use fapilog_native::spool::{crypt::Keys, disk::real::RealDisk, identity::Identity, quota::Quota};
//! use fapilog_native::spool::{Exporters, Fsync, Root, SpoolError, SpoolSettings};
//! use std::{path::Path, sync::Arc, time::Duration};
//!
//! # fn main() -> Result<(), SpoolError> {
//! let identity = Identity::of_this_process("shop");
//! let root = Root::open(Arc::new(RealDisk), Path::new("/var/spool/shop"), identity)?;
//! let settings = SpoolSettings {
//!     segment_bytes: 64 << 20,
//!     quota: Quota { max_bytes: 1 << 30, min_free_bytes: 256 << 20 },
//!     max_age: Some(Duration::from_secs(3 * 86_400)),
//!     fsync: Fsync::Never,
//! };
//! let (keys, now_nanos) = (Arc::new(Keys::none()), 1_767_225_600_000_000_000);
//! let mut spool = root.create(&["otlp", "file"], settings.clone(), Arc::clone(&keys), now_nanos)?;
//!
//! let (codec, body) = (Codec::Identity, b"...".to_vec());
//! let block = Block { sequence: 0, records: 1, protected_records: 0, raw_bytes: 3, codec, body };
//! let place = spool.append(&block, Exporters::first(2), now_nanos)?;
//! assert_eq!(spool.read(place)?, block);
//! spool.settle(0, place.number)?; // `otlp` has it; `file` does not, so it stays.
//!
//! for name in root.siblings()? {
//!     if let Some(mut orphan) = root.adopt(&name, &["otlp", "file"], settings.clone(), Arc::clone(&keys))? {
//!         let places: Vec<_> = orphan.held().map(|(place, held)| (place, held.owed)).collect();
//!         for (place, owed) in places {
//!             let block = orphan.read(place)?; // deliver it, then:
//!             owed.iter().try_for_each(|exporter| orphan.settle(exporter, place.number))?;
//!         }
//!         orphan.close(now_nanos)?; // Removes the directory, now that it is empty.
//!     }
//! }
//! # Ok(())
//! # }
//! ```

pub mod crypt;
pub mod directory;
pub mod disk;
pub mod error;
pub mod format;
pub mod gaps;
pub mod identity;
pub mod index;
pub mod owed;
pub mod positions;
pub mod positions_file;
pub mod quota;
pub mod reader;
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
pub mod survey;

pub use directory::Root;
pub use error::SpoolError;
pub use index::Place;
pub use owed::Exporters;
pub use reader::Reader;
pub use retire::{Loss, LossReason};
pub use settings::{Fsync, SpoolSettings};
pub use spool::Spool;
