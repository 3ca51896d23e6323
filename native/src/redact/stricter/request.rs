//! Stage 3 of 7, redact: a whole request for a destination with a policy of its own. Thread: sender, delivery loop.
//!
//! Resource and scopes pass the policy as records do. Fields that OTLP does not know are left out: nobody can say what they hold.

use super::again::{Again, KnownKeys};
use super::{Fate, Stricter};
use crate::record::{tag, RecordWriter};
use crate::redact::scope_secrets::resource_without_secrets;
use crate::scopes::Scope;
use crate::wire::{each_field, put_bytes, Value};

/// `ExportLogsServiceRequest.resource_logs = 1`
const RESOURCE_LOGS: u8 = 0x0a;
/// `ResourceLogs.resource = 1`
const RESOURCE: u8 = 0x0a;
/// `ResourceLogs.scope_logs = 2`
const SCOPE_LOGS: u8 = 0x12;
/// `InstrumentationScope.attributes = 3`
const SCOPE_ATTRIBUTE: u8 = 0x1a;

/// A request as a destination may have it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// The encoded request.
    pub raw: Vec<u8>,
    /// Records in it.
    pub records: u64,
    /// Those of them that shedding must spare.
    pub protected_records: u64,
    /// Records that could not be read, and are not in it.
    pub unreadable: u64,
}

impl Stricter {
    /// Rewrites an uncompressed request. `None`: it is none.
    #[must_use]
    pub fn request(&self, request: &[u8], is_protected: fn(&[u8]) -> bool) -> Option<Rewritten> {
        self.with_keys(|keys| {
            let out = Rewritten { raw: Vec::with_capacity(request.len() + 256), ..Rewritten::default() };
            let writer = RecordWriter::new();
            Pass { stricter: self, keys, writer, is_protected, out }.request(request)
        })
    }
}

struct Pass<'a> {
    stricter: &'a Stricter,
    keys: &'a mut KnownKeys,
    writer: RecordWriter,
    is_protected: fn(&[u8]) -> bool,
    out: Rewritten,
}

impl Pass<'_> {
    fn request(mut self, request: &[u8]) -> Option<Rewritten> {
        each_field(request, |field| match field {
            (1, Value::Bytes(logs)) => self.resource_logs(logs),
            _ => Some(()),
        })?;
        Some(self.out)
    }

    fn resource_logs(&mut self, message: &[u8]) -> Option<()> {
        let (around, scopes) = apart(message)?;
        let before = self.out.records;
        let mut logs = self.resource(around);
        for scope in scopes {
            self.scope_logs(scope, &mut logs)?;
        }
        if self.out.records > before {
            put_bytes(&mut self.out.raw, RESOURCE_LOGS, &logs);
        }
        Some(())
    }

    /// Resource and schema URL.
    fn resource(&mut self, around: Vec<(u32, &[u8])>) -> Vec<u8> {
        let mut bare = Vec::new();
        for (number, bytes) in around {
            match number {
                1 => {
                    let mut again = Again::new(&self.stricter.policy, &self.stricter.bare, self.keys);
                    put_bytes(&mut bare, RESOURCE, &again.attributes(bytes, 1));
                }
                3 => put_bytes(&mut bare, SCOPE_ATTRIBUTE, &self.stricter.bare.without_rests(bytes)),
                _ => {}
            }
        }
        resource_without_secrets(&bare, &self.stricter.policy)
    }

    fn scope_logs(&mut self, message: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let (around, records) = apart(message)?;
        let before = self.out.records;
        let scope = self.stricter.scope(&read_scope(&around)?, self.keys);
        let mut logs = scope.fields();
        for record in records {
            self.record(record, &mut logs);
        }
        if self.out.records > before {
            put_bytes(out, SCOPE_LOGS, &logs);
        }
        Some(())
    }

    fn record(&mut self, record: &[u8], out: &mut Vec<u8>) {
        let record = match self.stricter.record(record, &mut self.writer, self.keys) {
            Fate::Same => record,
            Fate::Rewritten => self.writer.record(),
            Fate::Unreadable => {
                self.out.unreadable += 1;
                return;
            }
            Fate::Withheld => return,
        };
        put_bytes(out, tag::FRAME, record);
        self.out.records += 1;
        self.out.protected_records += u64::from((self.is_protected)(record));
    }
}

/// Fields with a length.
type Parts<'a> = Vec<(u32, &'a [u8])>;

/// The children of a container, which are its fields 2, and what stands around them. `None` when it is malformed.
fn apart(message: &[u8]) -> Option<(Parts<'_>, Vec<&[u8]>)> {
    let (mut around, mut children) = (Vec::new(), Vec::new());
    each_field(message, |field| {
        match field {
            (2, Value::Bytes(child)) => children.push(child),
            (number, Value::Bytes(bytes)) => around.push((number, bytes)),
            _ => {}
        }
        Some(())
    })?;
    Some((around, children))
}

fn read_scope(around: &[(u32, &[u8])]) -> Option<Scope> {
    let mut scope = Scope::default();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    for (number, bytes) in around {
        match number {
            1 => each_field(bytes, |field| {
                match field {
                    (1, Value::Bytes(name)) => scope.name = text(name),
                    (2, Value::Bytes(version)) => scope.version = text(version),
                    (3, Value::Bytes(entry)) => put_bytes(&mut scope.attributes, SCOPE_ATTRIBUTE, entry),
                    _ => {}
                }
                Some(())
            })?,
            3 => scope.schema_url = text(bytes),
            _ => {}
        }
    }
    Some(scope)
}
