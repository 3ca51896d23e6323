//! Stage 4 of 7, append: bytes in a slot of the crash ring instead of memory. Thread: caller.
//!
//! With durability `process` or `power`. The open chunk in memory is never there then, so that every record comes here: who
//! logs into memory pays nothing for the ring.

use super::{Appended, Buffer, State, SCOPE_MARK_BYTES};
use crate::chunk::SCOPE_MARK;
use crate::crash_ring::CrashRing;
use crate::ledger::DropReason;
use crate::record::patch_sequence;
use crate::redact::Redacted;
use crate::ring::Slot;
use std::sync::Arc;

impl Buffer {
    /// The same buffer with chunks in the slots of a ring, if there is one.
    #[must_use]
    pub fn with_ring(self, ring: Option<Arc<CrashRing>>) -> Self {
        let chunk_bytes = ring.as_ref().map_or(self.chunk_bytes, |ring| ring.slot_bytes());
        Self { chunk_bytes, ring, ..self }
    }

    /// The resource changed: what is not sealed yet is of the newest one.
    pub fn use_newest_resource(&self) {
        let mut state = self.lock();
        let State { full, active, .. } = &mut *state;
        let chunks = full.iter_mut().chain(std::iter::once(active));
        chunks.filter_map(|chunk| chunk.slot.as_mut()).for_each(Slot::use_newest_resource);
    }

    /// A record that does not fit into the open chunk in memory. `None`: now it does.
    #[cold]
    pub(super) fn append_elsewhere(
        &self,
        state: &mut State,
        record: &mut Redacted<'_>,
        scope: u32,
    ) -> Option<Appended> {
        if self.ring.is_some() && state.has_slot_for(record, scope) {
            return Some(self.append_to_slot(state, record, scope));
        }
        let answer = self.make_room(state, record.meta());
        if let (Some(Appended::Stored(sequence)), true) = (answer, record.sequenced()) {
            patch_sequence(record.frame_mut(), sequence);
        }
        if answer.is_none() && state.active.slot.is_some() {
            return Some(self.append_to_slot(state, record, scope));
        }
        answer
    }

    fn append_to_slot(&self, state: &mut State, record: &mut Redacted<'_>, scope: u32) -> Appended {
        let stored = state.store_in_slot(record, scope);
        if state.space_records == 0 {
            self.hand_over(state);
        }
        stored
    }
}

impl State {
    /// Whether the open slot takes the record.
    fn has_slot_for(&self, record: &Redacted<'_>, scope: u32) -> bool {
        let mark = if self.scope == scope { 0 } else { SCOPE_MARK_BYTES };
        let fits = |slot: &Slot| slot.room() >= record.frame().len() + mark;
        self.space_records > 0 && self.active.slot.as_ref().is_some_and(fits)
    }

    /// As [`Self::store`], into the open slot: when this returns, the record outlives the process.
    fn store_in_slot(&mut self, record: &mut Redacted<'_>, scope: u32) -> Appended {
        let sequence = self.next_sequence;
        if record.sequenced() {
            patch_sequence(record.frame_mut(), sequence);
        }
        let protected = record.meta().protected;
        let is_new_scope = self.scope != scope;
        let copied = self.active.slot.as_mut().is_some_and(|slot| {
            let is_marked = !is_new_scope || {
                let [a, b, c, d] = scope.to_le_bytes();
                slot.stage(&[SCOPE_MARK, a, b, c, d])
            };
            is_marked && slot.append(record.frame(), protected)
        });
        if !copied {
            // Only in a forked child, which has a pipeline of its own.
            self.drop_newest(DropReason::OverflowNewest);
            return Appended::Dropped;
        }
        self.scope = scope;
        self.next_sequence += 1;
        self.accepted += 1;
        self.active.records += 1;
        self.active.protected_records += u64::from(protected);
        self.space_records -= 1;
        Appended::Stored(sequence)
    }
}
