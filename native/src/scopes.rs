//! The instrumentation scopes of one pipeline: a small id for the buffer, encoded fields for the sealer. Imports `wire`, and the crash ring.

use crate::crash_ring::CrashRing;
use crate::seal::Prefixes;
use crate::wire::put_bytes;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// `ScopeLogs.scope = 1`, `ResourceLogs.resource = 1`
const SCOPE: u8 = 0x0a;
/// `InstrumentationScope.name = 1`
const NAME: u8 = 0x0a;
/// `InstrumentationScope.version = 2`
const VERSION: u8 = 0x12;
/// `ScopeLogs.schema_url = 3`
const SCHEMA_URL: u8 = 0x1a;
/// Scopes kept apart; an application that makes loggers without end has its further ones under [`OVERFLOW_NAME`].
const MAX_SCOPES: usize = 1 << 16;
/// Name of the scope that stands for all scopes beyond the limit.
pub const OVERFLOW_NAME: &str = "fapilog.overflow";

/// What identifies a scope.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Scope {
    /// Logger name.
    pub name: String,
    /// Version of the instrumented library, may be empty.
    pub version: String,
    /// Schema URL, may be empty.
    pub schema_url: String,
    /// Encoded `InstrumentationScope.attributes` fields, may be empty.
    pub attributes: Vec<u8>,
}

impl Scope {
    /// `ScopeLogs` fields other than the records.
    #[must_use]
    pub fn fields(&self) -> Vec<u8> {
        let mut scope = Vec::new();
        for (tag, text) in [(NAME, &self.name), (VERSION, &self.version)] {
            if !text.is_empty() {
                put_bytes(&mut scope, tag, text.as_bytes());
            }
        }
        scope.extend_from_slice(&self.attributes);
        let mut fields = Vec::with_capacity(scope.len() + self.schema_url.len() + 6);
        put_bytes(&mut fields, SCOPE, &scope);
        if !self.schema_url.is_empty() {
            put_bytes(&mut fields, SCHEMA_URL, self.schema_url.as_bytes());
        }
        fields
    }
}

#[derive(Debug, Default)]
struct Table {
    ids: HashMap<Scope, u32>,
    scopes: Vec<Scope>,
}

impl Table {
    fn add(&mut self, scope: Scope, ring: Option<&CrashRing>) -> u32 {
        let id = self.scopes.len() as u32;
        if let Some(ring) = ring {
            // Before anybody can log a record that names it.
            ring.define_scope(id, &scope.fields());
        }
        self.ids.insert(scope.clone(), id);
        self.scopes.push(scope);
        id
    }
}

/// Scope table; written when a logger meets its pipeline, read by the sealer and the console.
#[derive(Debug, Default)]
pub struct Scopes {
    table: RwLock<Table>,
    ring: Option<Arc<CrashRing>>,
}

impl Scopes {
    /// An empty table that is kept in a ring too, if there is one.
    #[must_use]
    pub fn with_ring(ring: Option<Arc<CrashRing>>) -> Self {
        Self { ring, ..Self::default() }
    }

    /// The id of `scope`, the same for equal scopes.
    pub fn id(&self, scope: &Scope) -> u32 {
        if let Some(id) = self.read().ids.get(scope) {
            return *id;
        }
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = table.ids.get(scope) {
            return *id;
        }
        let ring = self.ring.as_deref();
        if table.scopes.len() < MAX_SCOPES {
            return table.add(scope.clone(), ring);
        }
        let overflow = Scope { name: OVERFLOW_NAME.to_owned(), ..Scope::default() };
        table.ids.get(&overflow).copied().unwrap_or_else(|| table.add(overflow, ring))
    }

    /// The scope with an id.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<Scope> {
        self.read().scopes.get(id as usize).cloned()
    }

    /// The scope's name, for the console.
    #[must_use]
    pub fn name(&self, id: u32) -> String {
        self.read().scopes.get(id as usize).map(|scope| scope.name.clone()).unwrap_or_default()
    }

    /// Memory that the table holds, in bytes, near enough: each scope stands in it twice.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let table = self.read();
        let texts = |scope: &Scope| {
            scope.name.len() + scope.version.len() + scope.schema_url.len() + scope.attributes.len()
        };
        table.scopes.iter().map(|scope| 2 * (size_of::<Scope>() + texts(scope))).sum()
    }

    /// A view for the sealer.
    #[must_use]
    pub fn prefixes<'a>(&'a self, resource: &'a [u8]) -> impl Prefixes + 'a {
        View { scopes: self, resource }
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }
}

struct View<'a> {
    scopes: &'a Scopes,
    resource: &'a [u8],
}

impl Prefixes for View<'_> {
    fn resource(&self) -> &[u8] {
        self.resource
    }

    fn scope(&self, id: u32) -> Vec<u8> {
        self.scopes.read().scopes.get(id as usize).map(Scope::fields).unwrap_or_default()
    }
}
