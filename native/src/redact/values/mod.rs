//! Stage 3 of 7, redact: a record without the sensitive values that the scanner finds. Thread: caller.
//!
//! [`look`] reads a record and tells whether anything is inside; most records end there. [`write`] writes the others
//! anew. Both go the same way: the body, each attribute at any depth under the name of its path, names of attributes,
//! the event name; texts, bytes, and numbers that are long enough to be one.
//!
//! Fail closed: a fault of the scanner costs the record's body and attributes, never lets them through.

pub mod hiding;
pub mod look;
pub mod memory;
pub mod recent;
pub mod whole;
pub mod write;

use crate::record::RecordWriter;
use crate::redact::actions::Action;
use crate::redact::inventory::Inventory;
use crate::redact::rules::spots::{self, Spot, What, NEVER_KEPT};
use crate::redact::rules::{RuleId, Rules, NO_RULE};
use crate::redact::values::look::Seen;
use crate::redact::values::memory::{with_memory, Memory};
use crate::scan::keys::KeyPlan;
use crate::scan::kind::{Kind, Kinds};
use crate::scan::{Scanner, Scratch, Settings};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};

/// Attribute that says what was hidden: `["body:pan", "user.email:email"]`, never what it was.
pub const REDACTED_KEY: &str = "fapilog.redacted";
/// Attribute that counts the attributes that minimising left out.
pub const DROPPED_KEYS_KEY: &str = "fapilog.dropped_keys";
/// The attribute names so many places at most.
const MAX_NOTES: usize = 16;
/// Nesting that is followed; capture stops at 30.
pub(crate) const MAX_DEPTH: usize = 80;
/// Integers below this are no identifier without a word that says so: the shortest card number has 12 digits.
const LONG_NUMBER: u64 = 100_000_000_000;
/// [`LONG_NUMBER`] among floating-point numbers.
const LONG_FLOAT: f64 = 1e11;
/// Stands where a fault of ours kept a text from being scanned.
pub const UNSCANNED_MARKER: &str = "[REDACTED:unscanned]";

static GENERATIONS: AtomicU64 = AtomicU64::new(1);

/// Which values are hidden and how; compiled once.
#[derive(Debug, Clone)]
pub struct ValuePolicy {
    scanner: Scanner,
    /// Looks for what no rule may keep.
    strict: Scanner,
    /// Whether texts are scanned at all; without it only rules count.
    scans: bool,
    rules: Option<Rules>,
    actions: Vec<Action>,
    /// Plans of keys that a thread remembers belong to one policy.
    generation: u64,
    found: Inventory,
}

impl ValuePolicy {
    /// A policy that hides what `settings` look for: each kind as `actions` say, and by [`Action::Remove`] else.
    #[must_use]
    pub fn new(settings: Settings, actions: impl IntoIterator<Item = (Kind, Action)>) -> Self {
        let mut table = vec![Action::Remove; Kind::ALL.len()];
        for (kind, action) in actions {
            table[kind as usize] = action;
        }
        let generation = GENERATIONS.fetch_add(1, Ordering::Relaxed);
        let never = NEVER_KEPT.into_iter().filter(|kind| settings.kinds.has(*kind)).collect::<Kinds>();
        let strict = Scanner::new(Settings { kinds: never });
        let scanner = Scanner::new(settings);
        let found = Inventory::default();
        Self { scanner, strict, scans: true, rules: None, actions: table, generation, found }
    }

    /// A policy that scans nothing, and hides what `rules` say.
    #[must_use]
    pub fn of_rules(rules: Rules) -> Self {
        let nothing = Self::new(Settings { kinds: Kinds::NONE }, []);
        Self { scans: false, ..nothing }.with_rules(rules)
    }

    /// The same policy, and rules of the user.
    #[must_use]
    pub fn with_rules(self, rules: Rules) -> Self {
        Self { rules: Some(rules), ..self }
    }

    /// The rules of the user.
    #[inline]
    #[must_use]
    pub fn rules(&self) -> Option<&Rules> {
        self.rules.as_ref()
    }

    /// True when something may cost a whole record.
    #[must_use]
    pub fn drops(&self) -> bool {
        let kind = || self.actions.iter().any(|action| matches!(action, Action::Drop));
        self.rules.as_ref().is_some_and(Rules::drops) || kind()
    }

    /// Whether what stands there costs the whole record.
    #[must_use]
    pub fn is_dropped(&self, what: What) -> bool {
        match what {
            What::Kind(kind, _) => matches!(self.action(kind), Action::Drop),
            What::Rule(rule) => self
                .rules()
                .is_some_and(|rules| rules.action(rule) == crate::redact::rules::actions::RuleAction::Drop),
        }
    }

    /// The word for it in markers and notes.
    #[must_use]
    pub fn word(&self, what: What) -> &str {
        match what {
            What::Kind(kind, _) => kind.word(),
            What::Rule(rule) => self.rules().map_or("", |rules| rules.name(rule)),
        }
    }

    /// What the name of a key says about its value.
    #[must_use]
    pub fn plan(&self, name: &str) -> KeyPlan {
        if self.scans {
            self.scanner.plan(name)
        } else {
            KeyPlan::NONE
        }
    }

    /// What is to be hidden in a text, by the rules before `end` and, unless the first of them keeps it, by its type.
    #[must_use]
    pub fn spots(&self, text: &str, plan: &KeyPlan, end: RuleId, scratch: &mut Scratch) -> Vec<Spot> {
        let findings = match (self.scans, end) {
            (false, _) => &[][..],
            (true, NO_RULE) => self.scanner.scan(text, plan, scratch),
            (true, _) => self.strict.scan(text, plan, scratch),
        };
        spots::unite(self, text, end, findings)
    }

    /// Whether a text holds something to hide.
    #[must_use]
    pub fn holds(&self, text: &str, plan: &KeyPlan, end: RuleId, scratch: &mut Scratch) -> bool {
        match &self.rules {
            None => !self.scanner.scan(text, plan, scratch).is_empty(),
            Some(_) => !self.spots(text, plan, end, scratch).is_empty(),
        }
    }

    /// Where it hid what, counted; clones share it.
    #[must_use]
    pub fn found(&self) -> &Inventory {
        &self.found
    }

    /// What scans.
    #[must_use]
    pub fn scanner(&self) -> &Scanner {
        &self.scanner
    }

    /// What to do with a kind.
    #[must_use]
    pub fn action(&self, kind: Kind) -> &Action {
        &self.actions[kind as usize]
    }

    /// Hides what is found in the record of `writer`. True: the record is not to leave at all.
    #[must_use]
    pub fn hide(&self, writer: &mut RecordWriter, pass: Pass) -> bool {
        let hidden = catch_unwind(AssertUnwindSafe(|| {
            with_memory(self, |memory| self.outcome(writer.record(), pass, memory))
        }));
        match hidden {
            Ok(Outcome::AsItIs) => {}
            Ok(Outcome::Without(record)) => writer.replace(&record),
            Ok(Outcome::Dropped) => return true,
            Err(_) => writer.replace(&whole::emptied(writer.record(), UNSCANNED_MARKER, None)),
        }
        false
    }

    /// What becomes of a record. Of audit and security records all content goes where others are dropped.
    #[must_use]
    pub fn outcome(&self, record: &[u8], pass: Pass, memory: &mut Memory) -> Outcome {
        match look::finds(self, record, pass, memory) {
            Seen::Nothing => Outcome::AsItIs,
            Seen::Something => Outcome::Without(write::write(self, record, pass, memory)),
            Seen::Dropped(what) if whole::is_spared(record) => {
                let word = self.word(what);
                let marker = format!("[REDACTED:{word}]");
                Outcome::Without(whole::emptied(record, &marker, Some(&format!("record:{word}"))))
            }
            Seen::Dropped(_) => Outcome::Dropped,
        }
    }

    /// A text of its own without them.
    #[must_use]
    pub fn without_values_in(&self, text: &str) -> String {
        let text = with_memory(self, |memory| write::text(self, text.as_bytes(), memory));
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Attributes of a scope or a resource without them: `KeyValue` fields of the number `field`; other fields stay.
    #[must_use]
    pub fn without_values_of(&self, attributes: &[u8], field: u32) -> Vec<u8> {
        // Minimising is about records: what stands around all of them was chosen once.
        with_memory(self, |memory| write::attributes(self, attributes, field, memory))
    }

    /// The record without them; `None` when there are none, or when nothing of it may leave.
    #[must_use]
    pub fn without_values(&self, record: &[u8], memory: &mut Memory) -> Option<Vec<u8>> {
        match self.outcome(record, Pass::Record, memory) {
            Outcome::Without(record) => Some(record),
            Outcome::AsItIs | Outcome::Dropped => None,
        }
    }
}

/// What passes the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// A record: it may be dropped as a whole.
    Record,
    /// Attributes of something that is no record, such as a span: what would cost a record goes by itself.
    Attributes,
    /// A single text or value, for its own sake: nothing is left out because nobody allowed its key.
    Text,
}

/// What becomes of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was found.
    AsItIs,
    /// The record without what was found.
    Without(Vec<u8>),
    /// It is not to leave at all.
    Dropped,
}
