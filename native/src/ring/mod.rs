//! Stage 4 of 7, append: chunks in memory that outlives the process, the crash ring. Threads: caller (append), any other.
//!
//! Wired into the pipeline by [`mod@crate::crash_ring`]; alone by `docs/adr/0009-spool-and-crash-ring-stand-alone.md`.
//!
//! Before: `redact`. After: `seal`. It knows bytes in frames, neither the pipeline nor Python. What an append returned from is
//! in a file's pages, which the kernel keeps when the process is killed; whoever finds the file reads the records and what is
//! needed to decode them. Read in this order: [`layout`] (what is in the file), [`mapping`] (the only unsafe memory),
//! [`slot`] and [`store`] (writing), [`side`] and [`checkpoint`] (scopes; power loss), [`frames`], [`recovery`] and `trimming` (reading),
//! [`place`] and [`files`] (where, and whose). `docs/reference/ring_format.md` is the format.
//!
//! ```no_run
//! use fapilog_native::ring::{place, recover, Owner, Ring, RingError, Settings};
//! use std::path::PathBuf;
//!
//! # fn main() -> Result<(), RingError> {
//! let mut settings = Settings {
//!     directory: PathBuf::from("/var/spool/shop"),
//!     name: "shop-93c1f0a2b4d5e687-4711-8812345".to_owned(),
//!     owner: Owner { boot: 0x93c1_f0a2_b4d5_e687, process: 4711, started: 8_812_345 },
//!     slots: 16,
//!     slot_bytes: 1 << 20,
//!     side_bytes: 256 << 10,
//!     durable: false,
//! };
//! if let Ok(memory) = place::shared_memory(settings.file_bytes()?) {
//!     settings.directory = memory; // Never waits for a disk.
//! }
//! let ring = Ring::create(&settings)?;
//! ring.define_resource(b"...")?; // Once, and again when it changes.
//! ring.define_scope(0, b"...")?; // Before the first frame that names it.
//! if let Some(mut slot) = ring.take_slot(1) {
//!     let _fits = slot.stage(b"\x7d\0\0\0\0") && slot.append(b"\x12\x09\x09\x01\0\0\0\0\0\0\0", false);
//!     slot.recycle(); // When the block made of it was delivered or spooled.
//! }
//!
//! for path in place::rings_in(&settings.directory)? {
//!     if let Some(mut found) = recover(&path, settings.owner.boot)? {
//!         for chunk in found.take_chunks() {
//!             let _ = (chunk.bytes, chunk.records); // Seal it with `found.scope(id)`, deliver it or spool it, then:
//!         }
//!         found.remove()?;
//!     }
//! }
//! # Ok(())
//! # }
//! ```

pub mod checkpoint;
pub mod error;
pub mod files;
pub mod frames;
pub mod layout;
pub mod mapping;
pub mod place;
pub mod recovery;
pub mod side;
pub mod slot;
pub mod store;
pub mod survey;
mod trimming;

pub use error::RingError;
pub use frames::UNKNOWN_SCOPE;
pub use layout::Owner;
pub use recovery::{recover, Recovered, RecoveredChunk, Report};
pub use slot::Slot;
pub use store::{Ring, Settings};
pub use trimming::trim;
