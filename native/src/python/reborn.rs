//! A forked child's pipeline: the parent's settings and what was changed since, nothing else of the parent's. Thread: caller.

use super::active::Active;
use crate::crash_ring::syncing::open_ring;
use crate::export::exporters::Exporter;
use crate::export::http::TransportError;
use crate::settings::Settings;
use crate::spooling::spooler::Spooler;
use std::sync::Arc;

/// Request headers, in order.
type Headers = Vec<(String, String)>;

/// What was changed at run time and a forked child must know too. Guarded by the interpreter lock, which the forking
/// thread holds; the pipeline's own locks may be held by threads that the child does not have.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// The resource, encoded.
    resource: Option<Vec<u8>>,
    /// By exporter.
    headers: Vec<(String, Headers)>,
}

impl Active {
    /// A new pipeline for this process, from the settings of the inherited one. An exporter that cannot be built any
    /// more (its certificate is gone) is left out, and that is said: a child never falls back on what is the parent's.
    pub fn reborn(&self) -> Result<Arc<Self>, TransportError> {
        if let Some(spooler) = self.pipeline.spooler() {
            spooler.leave_to_parent();
        }
        if let Some(ring) = self.pipeline.ring() {
            ring.leave_to_parent();
        }
        // SAFETY: attached, as every user of an `Active` is; copied out.
        let (outputs, changes) = unsafe { (self.outputs(), self.changes.get().clone()) };
        let make = |settings: Arc<Settings>| {
            Self::new(settings, self.capture().clone(), Arc::clone(&outputs), self.on_start.clone())
        };
        let settings = self.pipeline.settings();
        let fresh = make(Arc::clone(settings)).or_else(|error| {
            let (fresh, what) = make_less(settings, make)?;
            let what = format!("this forked process goes without {what}: {error}");
            fresh.pipeline.notices().say("start-failed", what);
            Ok(fresh)
        })?;
        for (name, headers) in changes.headers {
            // They were good enough for the parent, and an exporter may be gone.
            let _ = fresh.set_headers(&name, headers);
        }
        if let Some(resource) = changes.resource {
            fresh.set_resource(resource);
        }
        Ok(fresh)
    }

    /// Describes the process in blocks that are sealed from now on, here and in forked children.
    pub fn set_resource(&self, resource: Vec<u8>) {
        self.pipeline.set_resource(resource.clone());
        // SAFETY: attached; the changes hold no Python object.
        unsafe { self.changes.get().resource = Some(resource) };
    }

    /// Replaces an exporter's request headers, here and in forked children.
    pub fn set_headers(&self, name: &str, headers: Headers) -> Result<(), TransportError> {
        self.pipeline.set_headers(name, &headers)?;
        // SAFETY: attached; the changes hold no Python object.
        let changes = unsafe { self.changes.get() };
        changes.headers.retain(|(known, _)| known != name);
        changes.headers.push((name.to_owned(), headers));
        Ok(())
    }
}

/// A pipeline without what cannot be made here, and what that may be. Places fill up while it is looked at them, so the last
/// attempt needs none.
fn make_less(
    settings: &Settings,
    make: impl Fn(Arc<Settings>) -> Result<Arc<Active>, TransportError>,
) -> Result<(Arc<Active>, &'static str), TransportError> {
    let less = what_works(settings);
    let in_memory = Settings { spool: None, ring: None, ..less.clone() };
    let fresh = make(Arc::new(less)).map(|fresh| (fresh, "an exporter, the spool or the crash ring"));
    fresh.or_else(|_| Ok((make(Arc::new(in_memory))?, "the spool and the crash ring")))
}

/// The settings without exporters that cannot be built, and without a spool or a crash ring that cannot be opened.
fn what_works(settings: &Settings) -> Settings {
    let mut settings = settings.clone();
    settings.exporters.retain(|exporter| Exporter::new(exporter).is_ok());
    let names: Vec<&str> = settings.exporters.iter().map(|exporter| exporter.name.as_str()).collect();
    let spooler =
        settings.spool.as_ref().and_then(|spool| Spooler::open(spool, &names, &settings.buffer).ok());
    // As the pipeline will: who encrypts his spool refuses a ring in some places.
    let has_ring = open_ring(&settings, &names, spooler.as_ref()).is_ok_and(|ring| ring.is_some());
    settings.spool = settings.spool.take().filter(|_| spooler.is_some());
    settings.ring = settings.ring.take().filter(|_| has_ring);
    settings
}
