//! Stage 3 of 7, redact: what a thread keeps from one record to the next. Thread: caller.

use crate::redact::rules::place::Place;
use crate::redact::rules::{PathFate, NO_RULE};
use crate::redact::values::recent::Recent;
use crate::redact::values::ValuePolicy;
use crate::scan::keys::KeyPlan;
use crate::scan::Scratch;
use std::cell::RefCell;
use std::collections::HashMap;

/// Names that are remembered; one more, and all are forgotten: whoever makes names up gains nothing.
const MAX_KEYS: usize = 4_096;

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

/// What is known of a key.
#[derive(Debug, Clone, Copy, Default)]
pub struct KnownKey {
    /// What its name says about its value.
    pub plan: KeyPlan,
    /// Its name itself holds a sensitive value.
    pub tells: bool,
    /// What rules of the user say about its place.
    pub fate: PathFate,
}

/// Longest name that is remembered: who makes up long ones gains no memory.
const MAX_KEY_BYTES: usize = 256;

/// A thread's memory.
#[derive(Debug, Default)]
pub struct Memory {
    /// Of the scanner.
    pub scratch: Scratch,
    /// Parts of records in which nothing was found, by the numbers of their fields.
    pub clean: Recent<()>,
    /// Of the walk through a record; empty between records.
    pub place: Place,
    recent_keys: Recent<KnownKey>,
    keys: HashMap<Box<[u8]>, KnownKey>,
    generation: u64,
}

impl Memory {
    /// What is known of the key at the end of the path of `place`.
    pub fn key(&mut self, policy: &ValuePolicy, place: &Place) -> KnownKey {
        let path = match policy.rules() {
            None => std::borrow::Cow::Borrowed(place.path.as_slice()),
            Some(_) => place.for_rules(),
        };
        if let Some(known) = self.recent_keys.get(0, &path) {
            return known;
        }
        if let Some(known) = self.keys.get(path.as_ref()) {
            self.recent_keys.put(0, &path, *known);
            return *known;
        }
        if self.keys.len() >= MAX_KEYS {
            self.keys.clear();
        }
        let name = String::from_utf8_lossy(&place.path);
        let tells = policy.holds(&name, &KeyPlan::NONE, NO_RULE, &mut self.scratch);
        let fate =
            policy.rules().map_or(PathFate::FREE, |rules| rules.of_path(&String::from_utf8_lossy(&path)));
        let known = KnownKey { plan: policy.plan(&name), tells, fate };
        if path.len() <= MAX_KEY_BYTES {
            self.keys.insert(path.into(), known);
        }
        known
    }

    /// Forgets what another policy found out.
    fn forget(&mut self) {
        self.keys.clear();
        self.recent_keys.clear();
        self.clean.clear();
    }
}

/// Runs `work` with this thread's memory, which forgets the keys of another policy.
pub fn with_memory<T>(policy: &ValuePolicy, work: impl FnOnce(&mut Memory) -> T) -> T {
    MEMORY.with(|cell| match cell.try_borrow_mut() {
        Ok(mut memory) => {
            if memory.generation != policy.generation {
                memory.forget();
                memory.generation = policy.generation;
            }
            work(&mut memory)
        }
        // Nothing in here calls out; if it ever does, it finds empty memory, not a panic.
        Err(_) => work(&mut Memory { generation: policy.generation, ..Memory::default() }),
    })
}
