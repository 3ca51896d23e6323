//! Stage 6 of 7, export: when blocks go to the disk and come from dead processes. Threads: spooler, adopter, who ends.
//!
//! Blocks go to the disk while they take more than their share of the buffer; at the end: [`end`].
//!
//! In this room: [`spooler`] holds the spools (one is `stores`), [`spilling`] writes to it, `shelving` is what exporters ask
//! of it, `pauses` what it lets rest, [`signal`] wakes its threads; `adopting` takes over directories of dead processes but
//! for those that are [`passed`], [`end`] writes what is left at the end; [`opening`] and [`reading`] bear a disk that does
//! not answer; [`voice`] says it; `keys`, [`meter`] and [`forked_locks`] serve them. The files are in [`mod@crate::spool`].

mod adopting;
pub mod end;
pub mod forked_locks;
mod keys;
pub mod meter;
pub mod opening;
pub mod passed;
mod pauses;
pub mod reading;
mod shelving;
pub mod signal;
pub mod spilling;
pub mod spooler;
mod stores;
pub mod voice;

use crate::crash_ring::remains::Remains;
use crate::export::http::TransportError;
use crate::ledger::notices::print;
use crate::pipeline::Pipeline;
use crate::settings::Settings;
use crate::spool::Fsync;
use crate::spooling::spooler::{News, Spilled, Spooler};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often ages and the quota are looked at.
const AROUND: Duration = Duration::from_secs(5);
/// How long a block rests that could not be read.
const READ_PAUSE: Duration = Duration::from_millis(500);
const GOES_ON: &str = "records wait in memory, and the disk is tried again";

/// When the spool's thread did last what it does less often.
#[derive(Debug)]
pub struct Rounds {
    looked: Instant,
    read: Instant,
}

impl Rounds {
    /// Everything is due.
    #[must_use]
    pub fn due() -> Self {
        let long_ago = || Instant::now().checked_sub(AROUND).unwrap_or_else(Instant::now);
        Self { looked: long_ago(), read: long_ago() }
    }
}

impl Default for Rounds {
    fn default() -> Self {
        Self { looked: Instant::now(), read: Instant::now() }
    }
}

/// Nothing goes to the disk that nobody would read back.
pub(crate) fn open_spool(
    settings: &Settings,
    names: &[&str],
) -> Result<Option<Arc<Spooler>>, TransportError> {
    let Some(spool) = settings.spool.as_ref().filter(|_| !names.is_empty()) else { return Ok(None) };
    let mut spool = spool.clone();
    if settings.ring.as_ref().is_some_and(|ring| ring.sync_interval.is_some()) {
        // What leaves a ring that survives a loss of power must survive it too.
        spool.store.fsync = Fsync::Always;
    }
    let opened = Spooler::open(&spool, names, &settings.buffer);
    opened.map(|spooler| Some(Arc::new(spooler))).map_err(|error| {
        let directory = spool.directory.display();
        TransportError::new(format!("the spool directory {directory} cannot be used: {error}"))
    })
}

/// False when it is `end`: then the next round comes at once.
fn has_time(spooler: &Spooler, end: Instant) -> bool {
    let is_left = Instant::now() < end;
    if !is_left {
        spooler.signal().press();
    }
    is_left
}

impl Pipeline {
    /// Starts the threads of the spool.
    pub(crate) fn start_spool(self: &Arc<Self>, spooler: &Arc<Spooler>) {
        let (pipeline, spool) = (Arc::clone(self), Arc::clone(spooler));
        self.spawn("fapilog-spool", move || pipeline.run_spool(&spool));
        self.start_sync();
        if let Some(interval) = spooler.settings().adopt {
            let (pipeline, spool) = (Arc::clone(self), Arc::clone(spooler));
            self.spawn("fapilog-adopt", move || pipeline.run_adopter(&spool, interval));
        } else {
            spooler.signal().looked();
        }
    }

    /// Moves blocks to the disk until nobody delivers any more.
    pub(crate) fn run_spool(&self, spooler: &Spooler) {
        let mut rounds = Rounds::default();
        while spooler.signal().wait(spooler.interval()) && self.go_round(spooler, &mut rounds) {}
    }

    /// What the spool's thread does whenever it is woken. False: everything is delivered, nothing more comes, and the spools
    /// are let go.
    ///
    /// A backlog that was stopped ends nothing here: what it holds still has to be written, and who ends the process lets the
    /// spools go behind that.
    pub fn go_round(&self, spooler: &Spooler, rounds: &mut Rounds) -> bool {
        spooler.chores().run();
        // Blocks may come faster than the disk takes them: the rest of the round has to come all the same.
        let end = Instant::now() + spooler.interval();
        while spooler.is_pressed(self.backlog().bytes(), self.backlog().records())
            && self.note_spilled(spooler, spooler.spill(self.backlog(), false))
            && has_time(spooler, end)
        {}
        self.say_trouble(spooler.look_after(self.backlog()));
        if rounds.read.elapsed() >= READ_PAUSE && !spooler.is_silent() {
            rounds.read = Instant::now();
            self.backlog().retry_reads();
        }
        self.say_all(spooler.look_after_keys(self.backlog()));
        if rounds.looked.elapsed() >= AROUND {
            rounds.looked = Instant::now();
            while self.note_spilled(spooler, spooler.spill_left(self.backlog())) {
                if !has_time(spooler, end) {
                    *rounds = Rounds { read: rounds.read, ..Rounds::due() };
                    break;
                }
            }
            spooler.chores().run();
            spooler.look_around(self.backlog());
            self.buffer().settled();
        }
        // Who delivers the last block of a dead ring notes that behind the backlog's end.
        let is_over = spooler.signal().has_looked() && self.backlog().is_over() && spooler.chores().is_over();
        if is_over {
            spooler.close();
        }
        !is_over
    }

    /// Looks once for what dead processes left, and takes it over.
    pub fn look_for_left(&self, spooler: &Spooler, rings: &mut Remains) {
        let held = |name: &str| if rings.has_ring_of(name) { self.held_in_rings(spooler, name) } else { 0 };
        self.say_all(spooler.adopt(self.backlog(), &held));
        if self.adopt_rings(spooler, rings) {
            spooler.signal().looked();
        }
        // Senders that wait for what was found may end when it is nothing.
        self.backlog().offered();
    }

    /// Takes over what dead processes left, until nobody delivers any more.
    pub(crate) fn run_adopter(&self, spooler: &Spooler, interval: Duration) {
        let mut rings = Remains::new(self);
        loop {
            self.look_for_left(spooler, &mut rings);
            if !spooler.signal().rest(interval) || self.is_closing() {
                spooler.signal().looked();
                return;
            }
        }
    }

    /// Waits until what was taken over from dead processes is delivered; the rest waits for the next process.
    pub fn deliver_adopted(&self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        if let Some(spooler) = self.spooler().filter(|_| self.is_started()) {
            spooler.signal().wait_looked(deadline);
            let _ = self.backlog().wait_all_settled(deadline);
        }
    }

    /// One block was moved, or not. False when there was none to move, or the disk fails.
    fn note_spilled(&self, spooler: &Spooler, spilled: Spilled) -> bool {
        match spilled {
            Spilled::Done { recovered } => {
                if recovered {
                    let directory = spooler.settings().directory.display();
                    print(&format!("the spool {directory} takes blocks again."));
                }
                self.buffer().settled();
                true
            }
            Spilled::Nothing => false,
            Spilled::Failed(news) => {
                self.say_trouble(news);
                false
            }
        }
    }

    fn say_all(&self, news: Vec<News>) {
        for (code, message) in news {
            self.notices().say(code, message);
        }
    }

    pub(crate) fn say_trouble(&self, news: Option<News>) {
        if let Some((code, message)) = news {
            self.notices().say(code, format!("{message} ({GOES_ON})"));
        }
    }
}
