//! Stage 6 of 7, export: what goes to the disk at the end of a process, within a deadline. Threads: who ends; one of its own.
//!
//! A disk that does not answer (a network file system whose server is gone) holds up whoever writes to it for as long as it
//! likes. So a thread of its own writes, and who ends waits for it only until the deadline.

use crate::backlog::Backlog;
use crate::ledger::notices::print;
use crate::ledger::ExporterCounts;
use crate::pipeline::Pipeline;
use crate::spooling::spooler::{News, Spilled, Spooler};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

/// Time for the disk beyond the deadline of the end: 64 MiB at a few hundred megabytes per second, and a slow one's share.
const RESERVE: Duration = Duration::from_secs(1);

/// Crash rings that are named when records wait in many.
const MOST_NAMED: usize = 3;

/// What happens to the spools then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// They stay: exporters may go on.
    Stay,
    /// They are let go: nobody delivers here any more.
    Close,
}

#[derive(Debug, Default)]
struct Progress {
    news: Option<News>,
    done: bool,
}

#[derive(Debug, Default)]
struct Rest {
    progress: Mutex<Progress>,
    moved: Condvar,
}

impl Rest {
    fn run(&self, backlog: &Backlog, spooler: &Spooler, then: Then) {
        let news = loop {
            match spooler.spill(backlog, true) {
                Spilled::Done { .. } => {}
                Spilled::Nothing => break None,
                Spilled::Failed(news) => break news,
            }
        };
        spooler.chores().run();
        match then {
            Then::Stay => spooler.finish(),
            Then::Close => spooler.close(),
        }
        let mut progress = self.lock();
        *progress = Progress { news, done: true };
        self.moved.notify_all();
    }

    /// What there is to say; the error: it is not done at `deadline`.
    fn wait(&self, deadline: Instant) -> Result<Option<News>, ()> {
        let left = deadline.saturating_duration_since(Instant::now());
        let waited = self.moved.wait_timeout_while(self.lock(), left, |progress| !progress.done);
        let mut progress = waited.unwrap_or_else(PoisonError::into_inner).0;
        if progress.done {
            Ok(progress.news.take())
        } else {
            Err(())
        }
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pipeline {
    /// Writes everything to the disk that is in memory, for the end, within `left` and a reserve. Nothing without a spool.
    pub fn spool_rest(&self, left: Duration, then: Then) {
        let Some(spooler) = self.spooler() else { return };
        let deadline = Instant::now() + left + RESERVE;
        let rest = Arc::new(Rest::default());
        let (shared, backlog, spools) = (Arc::clone(&rest), Arc::clone(self.backlog()), Arc::clone(spooler));
        let made = Builder::new().name("fapilog-rest".to_owned()).spawn(move || {
            shared.run(&backlog, &spools, then);
        });
        if made.is_err() {
            rest.run(self.backlog(), spooler, then);
        }
        let directory = spooler.settings().directory.display();
        if let Ok(news) = rest.wait(deadline) {
            self.say_trouble(news);
        } else {
            spooler.give_up();
            let counts = self.snapshot().exporters;
            let left = counts.iter().map(ExporterCounts::unsafe_records).max().unwrap_or(0);
            let message = format!(
                "the spool {directory} did not take what was left in time: {left} records are not on disk. See \
                 whether its disk answers."
            );
            self.notices().say("spool-too-slow", message);
        }
        self.say_what_waits(spooler);
    }

    /// Nothing of it is lost, so it is no notice.
    fn say_what_waits(&self, spooler: &Spooler) {
        let exporters = self.snapshot().exporters;
        let most = |of: fn(&ExporterCounts) -> u64| exporters.iter().map(of).max().unwrap_or(0);
        let mut places = Vec::new();
        if let records @ 1.. = most(|exporter| exporter.spooled) {
            let directory = spooler.settings().directory.display();
            places.push(format!("{records} records wait in the spool {directory}"));
        }
        if let records @ 1.. = most(|exporter| exporter.kept) {
            places.push(format!("{records} records are kept in {}", self.name_rings()));
        }
        if !places.is_empty() && spooler.signal().may_say() {
            print(&format!("{} for the next process.", places.join(", ")));
        }
    }

    /// The crash rings in which blocks in memory are, some of them by name.
    fn name_rings(&self) -> String {
        let own = || self.ring().map(|ring| ring.path().to_owned());
        let rings: BTreeSet<PathBuf> =
            self.backlog().rings().into_iter().filter_map(|ring| ring.or_else(own)).collect();
        let named: Vec<String> =
            rings.iter().take(MOST_NAMED).map(|ring| ring.display().to_string()).collect();
        let (noun, others) = (if rings.len() == 1 { "ring" } else { "rings" }, rings.len() - named.len());
        let rest = if others > 0 { format!(" and {others} others") } else { String::new() };
        format!("the crash {noun} {}{rest}", named.join(", "))
    }
}
