//! The descriptor that wakes Python's delivery loop.

use fapilog_native::export::wake::Wake;
use std::sync::Arc;
use std::time::Duration;

/// Whether the descriptor polls readable within `timeout`.
fn readable(wake: &Wake, timeout: Duration) -> bool {
    let mut poll = libc::pollfd { fd: wake.fd().unwrap(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid entry.
    unsafe { libc::poll(&raw mut poll, 1, i32::try_from(timeout.as_millis()).unwrap()) == 1 }
}

#[test]
fn it_is_readable_at_first_and_then_after_each_wake() {
    let wake = Wake::default();
    wake.wake();
    assert!(!wake.clear(), "nobody asked for it");
    assert!(readable(&wake, Duration::ZERO) && wake.clear());
    assert!(!readable(&wake, Duration::ZERO) && !wake.clear());
    wake.wake();
    wake.wake();
    assert!(readable(&wake, Duration::ZERO) && wake.clear());
    assert!(!readable(&wake, Duration::ZERO));
}

#[test]
fn it_stays_the_same_and_closes_when_a_program_is_started() {
    let wake = Wake::default();
    let fd = wake.fd().unwrap();
    assert_eq!(wake.fd().unwrap(), fd);
    // SAFETY: plain calls on an open descriptor.
    let (descriptor, status) = unsafe { (libc::fcntl(fd, libc::F_GETFD), libc::fcntl(fd, libc::F_GETFL)) };
    assert_ne!(descriptor & libc::FD_CLOEXEC, 0);
    assert_ne!(status & libc::O_NONBLOCK, 0);
}

#[test]
fn a_million_wakes_nobody_reads_do_not_block() {
    let wake = Wake::default();
    wake.fd().unwrap();
    (0..1_000_000).for_each(|_| wake.wake());
    assert!(wake.clear());
}

#[test]
fn a_thread_that_polls_is_woken() {
    let wake = Arc::new(Wake::default());
    wake.fd().unwrap();
    wake.clear();
    let poller = {
        let wake = Arc::clone(&wake);
        std::thread::spawn(move || readable(&wake, Duration::from_secs(30)))
    };
    wake.wake();
    assert!(poller.join().unwrap());
}
