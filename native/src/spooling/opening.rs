//! Stage 6 of 7, export: the spool's root, opened within a deadline. Threads: who configures, `fapilog-open`, spooler.
//!
//! A disk that does not answer (a network file system whose server is gone) holds up whoever opens something there for as
//! long as it likes. So a thread of its own opens, and who configures waits a moment: what is known by then is an error.
//! After that records wait in memory until the disk has answered; if it answers with an error, the spooler tries again.

use crate::spool::crypt::Keys;
use crate::spool::disk::Disk;
use crate::spool::identity::Identity;
use crate::spool::{Root, SpoolError, SpoolSettings};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Builder;
use std::time::Duration;

/// How long who configures waits for the disk: longer than a busy one takes, short enough for a start.
pub const OPEN_LIMIT: Duration = Duration::from_secs(5);
const STACK_BYTES: usize = 512 * 1024;

/// What is opened, and as whom.
#[derive(Debug)]
pub(crate) struct Plan<D: Disk> {
    pub disk: Arc<D>,
    pub identity: Identity,
    pub directory: PathBuf,
    pub names: Vec<String>,
    pub store: SpoolSettings,
    pub keys: Arc<Keys>,
    pub now_nanos: u64,
}

impl<D: Disk> Plan<D> {
    /// Makes sure that this process can write there. A full disk may become empty: it is no error.
    fn open(&self) -> Result<Root<D>, SpoolError> {
        let root = Root::open(Arc::clone(&self.disk), &self.directory, self.identity.clone())?;
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        match root.create(&names, self.store.clone(), Arc::clone(&self.keys), self.now_nanos) {
            Ok(spool) => spool.close(self.now_nanos).map(drop)?,
            Err(SpoolError::NoSpace(_)) => {}
            Err(error) => return Err(error),
        }
        Ok(root)
    }
}

#[derive(Debug)]
struct State {
    busy: bool,
    failed: Option<SpoolError>,
}

/// The root, once it is open.
#[derive(Debug)]
pub(crate) struct Opening<D: Disk> {
    plan: Plan<D>,
    root: OnceLock<Root<D>>,
    state: Mutex<State>,
    moved: Condvar,
}

impl<D: Disk + 'static> Opening<D> {
    /// Begins to open the root, and waits for it at most `limit`. The error is what the disk said by then.
    pub fn begin(plan: Plan<D>, limit: Duration) -> Result<Arc<Self>, SpoolError> {
        let state = Mutex::new(State { busy: true, failed: None });
        let opening = Arc::new(Self { plan, root: OnceLock::new(), state, moved: Condvar::new() });
        let shared = Arc::clone(&opening);
        let made = Builder::new()
            .name("fapilog-open".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || shared.run());
        if made.is_err() {
            opening.run();
        }
        let waited = opening.moved.wait_timeout_while(opening.lock(), limit, |state| state.busy);
        let failed = waited.unwrap_or_else(PoisonError::into_inner).0.failed.take();
        failed.map_or(Ok(opening), Err)
    }
}

impl<D: Disk> Opening<D> {
    fn run(&self) {
        let failed = self.open().err();
        *self.lock() = State { busy: false, failed };
        self.moved.notify_all();
    }

    fn open(&self) -> Result<&Root<D>, SpoolError> {
        let root = self.plan.open()?;
        Ok(self.root.get_or_init(|| root))
    }

    /// The root; `None`: the disk has not answered yet.
    pub fn root(&self) -> Option<&Root<D>> {
        self.root.get()
    }

    /// The root, opened here if that failed before. For the spooler's thread.
    pub fn root_or_open(&self) -> Result<&Root<D>, SpoolError> {
        if let Some(root) = self.root() {
            return Ok(root);
        }
        let mut state = self.lock();
        if state.busy {
            return Err(SpoolError::Silent { name: self.plan.directory.display().to_string() });
        }
        if let Some(error) = state.failed.take() {
            return Err(error);
        }
        drop(state);
        self.open()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
