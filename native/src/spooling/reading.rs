//! Stage 6 of 7, export: blocks are read on threads of their own, because a disk may not answer. Threads: `fapilog-read`;
//! senders and Python's delivery loop wait for them, for a moment.
//!
//! Who waited in vain goes on with what is in memory, and until the disk has answered nobody waits for it again. A read
//! that nobody waits for any more is thrown away: the block is still where it was.

use crate::block::Block;
use crate::spool::SpoolError;
use std::collections::VecDeque;
use std::sync::mpsc::{sync_channel, SyncSender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

/// How long one block is waited for: more than a busy disk takes, and a pause that delivery from memory can bear.
pub const READ_LIMIT: Duration = Duration::from_secs(1);
/// As many as senders, so that they do not wait for each other on a slow disk.
const MAX_THREADS: usize = 4;
/// How long a thread waits for the next block.
const IDLE: Duration = Duration::from_secs(5);
const STACK_BYTES: usize = 512 * 1024;

type Outcome = Result<Block, SpoolError>;
type Job = Box<dyn FnOnce() -> Outcome + Send>;

#[derive(Default)]
struct State {
    jobs: VecDeque<(Job, SyncSender<Outcome>)>,
    threads: usize,
    idle: usize,
    /// Reads that nobody waits for any more.
    stuck: usize,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    woken: Condvar,
}

/// Threads that read; made when there is something to read.
#[derive(Default)]
pub(crate) struct Reading {
    shared: Arc<Shared>,
}

impl Reading {
    /// What `job` reads. `None`: not in time, or the disk does not answer at the moment.
    pub fn read(&self, job: impl FnOnce() -> Outcome + Send + 'static) -> Option<Outcome> {
        let (sender, answer) = sync_channel(1);
        {
            let mut state = self.shared.lock();
            if state.stuck > 0 {
                return None;
            }
            if state.idle <= state.jobs.len() && state.threads < MAX_THREADS && !self.start(&mut state) {
                drop(state);
                return Some(job());
            }
            state.jobs.push_back((Box::new(job), sender));
        }
        self.shared.woken.notify_one();
        if let Ok(outcome) = answer.recv_timeout(READ_LIMIT) {
            return Some(outcome);
        }
        // Under the lock, because the thread gives its answer so: either it is here by now, or the thread will find that
        // nobody waits.
        let mut state = self.shared.lock();
        let late = answer.try_recv().ok();
        state.stuck += usize::from(late.is_none());
        drop(answer);
        late
    }

    /// True while the disk does not answer a read.
    pub fn is_stuck(&self) -> bool {
        self.shared.lock().stuck > 0
    }

    /// One more thread. False: there is none at all, and none could be made.
    fn start(&self, state: &mut State) -> bool {
        let shared = Arc::clone(&self.shared);
        let made = Builder::new()
            .name("fapilog-read".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || shared.run());
        state.threads += usize::from(made.is_ok());
        state.threads > 0
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.woken.notify_all();
    }
}

impl Shared {
    /// Reads until there was nothing to read for a while.
    fn run(&self) {
        let mut state = self.lock();
        loop {
            state.idle += 1;
            let nothing = |state: &mut State| state.jobs.is_empty() && !state.closed;
            let waited = self.woken.wait_timeout_while(state, IDLE, nothing);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.idle -= 1;
            let Some((job, answer)) = state.jobs.pop_front() else {
                state.threads -= 1;
                return;
            };
            drop(state);
            let outcome = job();
            state = self.lock();
            if answer.send(outcome).is_err() {
                state.stuck = state.stuck.saturating_sub(1);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.shared.lock();
        to.debug_struct("Reading").field("threads", &state.threads).field("stuck", &state.stuck).finish()
    }
}
