//! Stage 6 of 7, export: what a pipeline does for exporters whose records nobody waits for. Threads: who flushes or ends.
//!
//! Whom a block waits for is in [`crate::backlog::roles`]; how long a flush waits for the others is here.

use crate::backlog::roles::{Duty, Role};
use crate::pipeline::Pipeline;
use crate::settings::ExporterSettings;
use std::time::{Duration, Instant};

/// Part of the buffer that blocks may fill which only best-effort exporters have not taken.
pub const LAG_SHARE: usize = 16;
/// Part of a flush's time for best-effort exporters, after the others, and the longest such time.
const FLUSH_SHARE: u32 = 10;
const LONGEST_FLUSH: Duration = Duration::from_secs(1);

/// The duties of the exporters, in order; a fallback that is not among them is none.
#[must_use]
pub fn duties(exporters: &[ExporterSettings]) -> Vec<Duty> {
    let position = |name: &str| exporters.iter().position(|exporter| exporter.name == *name);
    let duty = |exporter: &ExporterSettings| Duty {
        role: exporter.role,
        fallback: exporter.fallback.as_ref().and_then(|(name, _)| position(name)),
    };
    exporters.iter().map(duty).collect()
}

impl Pipeline {
    /// The cursors of this role.
    pub(crate) fn cursors_of(&self, role: Role) -> Vec<usize> {
        let exporters = self.settings().exporters.iter().enumerate();
        exporters.filter(|(_, exporter)| exporter.role == role).map(|(cursor, _)| cursor).collect()
    }

    /// Gives best-effort exporters a share of a flush's time for what was pushed before `end`.
    pub(crate) fn indulge(&self, end: u64, timeout: Duration, deadline: Instant) {
        let cursors = self.cursors_of(Role::BestEffort);
        if !cursors.is_empty() {
            let share = (timeout / FLUSH_SHARE).min(LONGEST_FLUSH);
            let _ = self.backlog().wait_settled_by(&cursors, end, deadline.min(Instant::now() + share));
        }
    }

    /// Until when threads are waited for at the end: one of a best-effort exporter may hang in a request.
    pub(crate) fn patience(&self, drained: bool, deadline: Instant) -> Instant {
        if drained && !self.cursors_of(Role::BestEffort).is_empty() {
            return deadline.min(Instant::now() + LONGEST_FLUSH / 4);
        }
        deadline
    }
}
