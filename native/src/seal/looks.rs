//! Stage 5 of 7, seal: what looks at records on their way out, and changes nothing. Thread: sealer; the caller where the
//! console is alone.

use crate::buffer::chunk::Chunk;
use crate::redact::Redacted;
use crate::seal::fields::{frames, Fields};
use crate::seal::key_counts::KeyCounts;
use crate::settings::Settings;

/// Who looks.
#[derive(Debug)]
pub struct Looks {
    /// Demands of compliance profiles on fields.
    pub fields: Fields,
    /// Names of attributes, where somebody wants to know them.
    pub keys: Option<KeyCounts>,
    /// Whether chunks are sealed for an exporter: each record is looked at once.
    exported: bool,
}

impl Looks {
    /// Of a pipeline with these settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            fields: Fields::new(&settings.fields),
            keys: settings.counts_keys.then(KeyCounts::default),
            exported: !settings.exporters.is_empty(),
        }
    }

    /// Looks at a chunk that is about to be sealed.
    pub fn chunk(&self, chunk: &Chunk) {
        if self.exported {
            self.fields.look(chunk);
            if let Some(keys) = &self.keys {
                keys.look(frames(chunk.content()));
            }
        }
    }

    /// Looks at a record that the console shows, where no exporter gets it.
    #[cold]
    pub fn shown(&self, record: &Redacted<'_>) {
        if !self.exported {
            self.fields.look_at_shown(record.record(), record.meta());
            if let Some(keys) = &self.keys {
                keys.look(std::iter::once(record.record()));
            }
        }
    }
}
