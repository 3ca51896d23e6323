//! Stage 3 of 7, redact: once more, for a destination with a policy of its own. Thread: sender, delivery loop; console: caller.
//!
//! What is stored has passed the policy common to all. A destination may only remove more: what it gets is rewritten on
//! its way there, from the bytes that are stored, which stay as they are for the others.
//!
//! In this room: [`again`] reads and writes encoded attributes (secret keys, markers), [`bare`] takes from a marker what
//! another action let through, `sealed` does that with sealed values, [`request`] rewrites a whole request.
//!
//! Fail closed: what cannot be read is left out, and counted.

pub mod again;
pub mod bare;
pub mod request;
mod sealed;

use crate::record::fields::SeverityField;
use crate::record::RecordWriter;
use crate::redact::scope_secrets::without_secrets;
use crate::redact::{clean, FrameSettings, Policy};
use crate::scopes::Scope;
use again::{Again, KnownKeys};
use bare::Bare;
use std::borrow::Cow;
use std::sync::{Arc, Mutex};

/// A record was fitted into its cap when it was stored; a marker may be a little longer than what it stands for.
const FRAME: FrameSettings = FrameSettings { record_bytes: usize::MAX, sequenced: false };

/// A destination's policy.
#[derive(Debug, Clone)]
pub struct Stricter {
    policy: Policy,
    bare: Bare,
    /// What was decided about keys; whoever finds it taken decides anew.
    keys: Arc<Mutex<KnownKeys>>,
}

/// What became of a record.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is as it was.
    Same,
    /// It stands in the writer.
    Rewritten,
    /// It is no record.
    Unreadable,
    /// The policy wants the destination not to have it.
    Withheld,
}

impl Stricter {
    /// Compiles the policy of a destination.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        let bare = policy.values().map(Bare::of).unwrap_or_default();
        Self { policy, bare, keys: Arc::default() }
    }

    /// The policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// A record, and the name of its scope, as the destination may have them. `None`: nothing of them.
    #[must_use]
    pub fn shown(&self, record: &[u8], scope: &str) -> Option<(Vec<u8>, String)> {
        let scope = Scope { name: scope.to_owned(), ..Scope::default() };
        let mut writer = RecordWriter::new();
        let (scope, fate) = self.with_keys(|keys| {
            let fate = self.record(record, &mut writer, keys);
            (self.scope(&scope, keys), fate)
        });
        match fate {
            Fate::Same => Some((record.to_vec(), scope.name)),
            Fate::Rewritten => Some((writer.record().to_vec(), scope.name)),
            Fate::Unreadable | Fate::Withheld => None,
        }
    }

    fn with_keys<T>(&self, work: impl FnOnce(&mut KnownKeys) -> T) -> T {
        match self.keys.try_lock() {
            Ok(mut keys) => work(&mut keys),
            Err(_) => work(&mut KnownKeys::default()),
        }
    }

    /// Rewrites `record` into `writer`.
    fn record(&self, record: &[u8], writer: &mut RecordWriter, keys: &mut KnownKeys) -> Fate {
        let mut again = Again::new(&self.policy, &self.bare, keys);
        let Some(found) = again.finds_in_record(record) else { return Fate::Unreadable };
        let given = if found { Cow::Owned(again.record(record)) } else { Cow::Borrowed(record) };
        if self.clean(&given, writer) {
            return Fate::Withheld;
        }
        if writer.record() == record {
            Fate::Same
        } else {
            Fate::Rewritten
        }
    }

    /// True: nothing of it may leave.
    fn clean(&self, record: &[u8], writer: &mut RecordWriter) -> bool {
        writer.begin(0, 0, &SeverityField::NONE, None);
        writer.replace(record);
        clean(writer, &self.policy, FRAME)
    }

    fn scope(&self, scope: &Scope, keys: &mut KnownKeys) -> Scope {
        let text =
            |text: &str| String::from_utf8_lossy(&self.bare.without_rests(text.as_bytes())).into_owned();
        let bare = Scope {
            name: text(&scope.name),
            version: text(&scope.version),
            schema_url: text(&scope.schema_url),
            attributes: Again::new(&self.policy, &self.bare, keys).attributes(&scope.attributes, 3),
        };
        without_secrets(&bare, &self.policy)
    }
}
