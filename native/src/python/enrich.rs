//! Stage 2 of 7, capture: attributes that enrichers add to every record, behind all others. Thread: caller.
//!
//! What was worked out before is one slot of encoded attributes, swapped as a whole. What has to be asked for each
//! record is one call into Python. Nobody pays for either when there is none.

use super::bound::BoundAttributes;
use super::emission::Emission;
use super::ending::may_call_python;
use super::nested::Nested;
use pyo3::prelude::*;
use std::cell::Cell;

/// The enrichers of a pipeline (`fapilog/enrichers/enrichment.py`).
#[derive(Default)]
pub struct Enrichers {
    /// The latest results, encoded once.
    pub attributes: Option<Py<BoundAttributes>>,
    /// `enrich() -> mapping | None`, asked for each record.
    pub enrich: Option<Py<PyAny>>,
}

impl Enrichers {
    /// Whether there is anything to add.
    pub const fn any(&self) -> bool {
        self.attributes.is_some() || self.enrich.is_some()
    }

    /// The same once more.
    pub fn clone_ref(&self, py: Python<'_>) -> Self {
        Self {
            attributes: self.attributes.as_ref().map(|attributes| attributes.clone_ref(py)),
            enrich: self.enrich.as_ref().map(|enrich| enrich.clone_ref(py)),
        }
    }
}

thread_local! {
    /// True while an enricher runs on this thread: what it logs itself is not enriched by asking it again.
    static ASKING: Cell<bool> = const { Cell::new(false) };
}

struct Asking;

impl Asking {
    /// `None`: one runs already. Only who got a value ends it.
    fn begin() -> Option<Self> {
        let free = !ASKING.replace(true);
        free.then(|| Self)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        ASKING.set(false);
    }
}

impl Emission<'_, '_> {
    /// Adds what enrichers have to say; attributes that are there already stay.
    ///
    /// # Safety
    /// Attached.
    #[cold]
    pub unsafe fn enrich(&mut self) {
        // SAFETY: attached.
        let outputs = unsafe { self.active.outputs() };
        if let Some(enrich) = &outputs.enrichers.enrich {
            self.ask(enrich);
        }
        if let Some(attributes) = &outputs.enrichers.attributes {
            // SAFETY: attached.
            unsafe { self.bound(attributes.get()) };
        }
    }

    fn ask(&mut self, enrich: &Py<PyAny>) {
        let Some(_asking) = Asking::begin() else { return };
        let answer = match Nested::enter().filter(|_| may_call_python()) {
            Some(_level) => enrich.bind(self.py).call0(),
            None => return,
        };
        match answer {
            Ok(attributes) if attributes.is_none() => {}
            Ok(attributes) => self.mapping(&attributes),
            Err(error) => self.remember(error),
        }
    }
}
