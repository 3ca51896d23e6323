//! Stage 4 of 7, append: the crash ring's start, its end, and the interval of durability `power`. Threads: any; `fapilog-sync`.

use crate::crash_ring::CrashRing;
use crate::export::http::TransportError;
use crate::pipeline::Pipeline;
use crate::redact::scope_secrets::resource_without_secrets;
use crate::ring::files::is_memory;
use crate::settings::Settings;
use crate::spool::crypt::Keys;
use crate::spool::disk::Disk;
use crate::spooling::open_spool;
use crate::spooling::spooler::Spooler;
use std::fs::File;
use std::sync::{Arc, PoisonError};

/// The ring that the settings ask for. It needs a spool: what no slot holds any more has to go somewhere.
pub(crate) fn open_ring(
    settings: &Settings,
    names: &[&str],
    spooler: Option<&Spooler>,
) -> Result<Option<Arc<CrashRing>>, TransportError> {
    let (Some(asked), Some(spooler)) = (&settings.ring, spooler) else { return Ok(None) };
    let opened = CrashRing::open(asked, spooler.settings(), &settings.buffer, names);
    let ring = opened.map_err(|error| {
        let level = if asked.sync_interval.is_some() { "power" } else { "process" };
        TransportError::new(format!("durability {level} cannot be given: {error}"))
    })?;
    if let Some(problem) = written_in_plain(&ring, spooler) {
        ring.end(false);
        return Err(problem);
    }
    ring.define_resource(&settings.safe_resource());
    let ring = Arc::new(ring);
    spooler.watch(&ring);
    Ok(Some(ring))
}

/// Makes sure that spool and ring could be where the settings say, with no exporter that needs them: who tries a configuration
/// without any wants to know.
pub(crate) fn check_places(settings: &Settings) -> Result<(), TransportError> {
    let names = ["none"];
    let spooler = open_spool(settings, &names)?;
    open_ring(settings, &names, spooler.as_deref()).map(drop)
}

/// Whoever encrypts the spool does not want the same records unencrypted on a disk.
fn written_in_plain(ring: &CrashRing, spooler: &Spooler) -> Option<TransportError> {
    let place = plain_place(ring, spooler)?;
    Some(TransportError::new(format!(
        "the spool is encrypted, and the crash ring would keep records unencrypted on the disk of {place}; use \
         durability 'process' with ring.directory on a tmpfs that has room, durability 'memory', or no \
         spool.key_provider"
    )))
}

/// The directory on a disk in which the ring is, if the spool is encrypted.
fn plain_place(ring: &CrashRing, spooler: &Spooler) -> Option<String> {
    if spooler.keys.current().is_none() || File::open(ring.path()).is_ok_and(|file| is_memory(&file)) {
        return None;
    }
    Some(ring.path().parent().unwrap_or(ring.path()).display().to_string())
}

impl<D: Disk> Spooler<D> {
    /// Whether blocks in memory take more than their share.
    #[must_use]
    pub fn is_pressed(&self, bytes: usize, records: u64) -> bool {
        let ring = || self.ring.get().is_some_and(|ring| ring.is_pressed());
        bytes > self.share_bytes || records > self.share_records || ring()
    }

    /// Makes room in this ring too, by moving the blocks whose records it holds.
    pub fn watch(&self, ring: &Arc<CrashRing>) {
        self.ring.get_or_init(|| Arc::clone(ring));
    }
}

impl Pipeline {
    /// Stage 4: the crash ring; `None`: durability `memory`.
    #[must_use]
    pub fn ring(&self) -> Option<&Arc<CrashRing>> {
        self.ring.as_ref()
    }

    /// Exchanges the keys of the spool, if there is one. A ring on a disk cannot move any more when encryption begins that late.
    pub fn set_spool_keys(&self, keys: &Keys) {
        let Some(spooler) = self.spooler() else { return };
        spooler.set_keys(keys);
        if let Some(place) = self.ring().and_then(|ring| plain_place(ring, spooler)) {
            let message = format!(
                "the spool is encrypted from now on, and the crash ring keeps records unencrypted on the disk of {place} \
                 until this process ends"
            );
            self.notices().say("ring-unencrypted", message);
        }
    }

    /// Describes the process in blocks that are sealed from now on: `ResourceLogs` fields other than the scopes.
    pub fn set_resource(&self, resource: &[u8]) {
        let resource = resource_without_secrets(resource, &self.settings().policy);
        if let Some(ring) = self.ring() {
            ring.define_resource(&resource);
            self.buffer().use_newest_resource();
        }
        *self.resource.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(resource);
    }

    pub(crate) fn resource(&self) -> Arc<Vec<u8>> {
        Arc::clone(&self.resource.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Starts the thread that forces the ring to the disk; none at level `process`.
    pub(crate) fn start_sync(self: &Arc<Self>) {
        let Some(interval) = self.ring().and_then(|ring| ring.sync_interval()) else { return };
        let pipeline = Arc::clone(self);
        self.spawn("fapilog-sync", move || {
            while let (Some(ring), Some(spooler)) = (pipeline.ring(), pipeline.spooler()) {
                if !spooler.signal().rest(interval) {
                    return;
                }
                ring.sync();
                pipeline.say_ring_trouble();
            }
        });
    }

    /// Says what the ring could not do.
    pub(crate) fn say_ring_trouble(&self) {
        for error in self.ring().map(|ring| ring.take_trouble()).unwrap_or_default() {
            self.notices().say(error.code(), error.to_string());
        }
    }

    /// Removes the ring's file if nothing is in it; else leaves it to the next process.
    pub(crate) fn end_ring(&self, leave: bool) {
        if let Some(spooler) = self.spooler().filter(|spooler| !spooler.has_given_up()) {
            spooler.chores().run();
        }
        if leave {
            self.backlog().leave_rings();
        }
        if let Some(ring) = self.ring() {
            self.say_ring_trouble();
            ring.end(leave);
        }
    }
}
