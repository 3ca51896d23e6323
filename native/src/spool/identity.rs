//! Stage 6 of 7, export: the name of a process's directory under the spool's root. Threads: any; pure but for one maker.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

/// Length of a service's name in a directory's name at most, in bytes.
const MAX_SERVICE_BYTES: usize = 64;
/// Attempts whose names are numbered in order.
const IN_ORDER: u32 = 8;

/// Whose directory it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The service; processes of one service adopt each other's blocks.
    pub service: String,
    /// Hash of the machine's boot id; 0 where there is none.
    pub boot: u64,
    /// The process.
    pub process: u32,
    /// When it started; any unit, as long as a process that gets the same id again has another value.
    pub started: u64,
}

impl Identity {
    /// This process. On Linux from `/proc`; elsewhere there is no boot id, and the start is the present time.
    #[must_use]
    pub fn of_this_process(service: &str) -> Self {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let started = fs::read_to_string("/proc/self/stat").ok().and_then(|stat| started(&stat));
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64);
        Self {
            service: service.to_owned(),
            boot: if boot.is_empty() { 0 } else { hash(boot.trim().as_bytes()) },
            process: std::process::id(),
            started: started.unwrap_or_else(now),
        }
    }

    /// S7: the directory's name; another `attempt` gives another name.
    #[must_use]
    pub fn directory(&self, attempt: u32) -> String {
        let Self { boot, process, started, .. } = self;
        let name = format!("{}-{boot:016x}-{process}-{started}", sanitised(&self.service));
        if attempt == 0 {
            name
        } else {
            format!("{name}.{attempt}")
        }
    }

    /// The name for the attempt after `tried` others. Numbers are drawn after the first few: a process that lives through
    /// many configurations leaves a directory for each that could not deliver, so the first ones may all be taken.
    #[must_use]
    pub fn next_directory(&self, tried: u32) -> String {
        self.directory(if tried < IN_ORDER { tried } else { fastrand::u32(IN_ORDER..) })
    }

    /// Whether `name` is a directory of this service, of any process.
    #[must_use]
    pub fn is_sibling(&self, name: &str) -> bool {
        service_of(name).is_some_and(|service| service == sanitised(&self.service))
    }
}

/// Service and process in the name of a directory or a ring: without the attempt.
#[must_use]
pub fn process_of(name: &str) -> &str {
    let started = name.rfind('-').map_or(0, |dash| dash + 1);
    let end = name[started..].find('.').map_or(name.len(), |dot| started + dot);
    &name[..end]
}

/// The service in a directory's name, as it stands there.
#[must_use]
pub fn service_of(name: &str) -> Option<&str> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = name.rsplitn(4, '-');
    let started = parts.next()?;
    let (started, attempt) = started.split_once('.').unwrap_or((started, "0"));
    let process = parts.next()?;
    let boot = parts.next()?;
    let is_boot = boot.len() == 16 && boot.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_ours = is_boot && [started, attempt, process].into_iter().all(is_number);
    parts.next().filter(|service| is_ours && !service.is_empty())
}

/// A service's name as part of a file name. What had to be changed gets a hash, so that two services stay two.
fn sanitised(service: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    let plain: String =
        service.chars().map(|character| if is_plain(character) { character } else { '_' }).collect();
    let is_same = plain == service && !plain.starts_with('.') && !plain.is_empty();
    if is_same && plain.len() <= MAX_SERVICE_BYTES {
        return plain;
    }
    let start: String = plain.trim_start_matches('.').chars().take(MAX_SERVICE_BYTES - 17).collect();
    format!("{start}_{:016x}", hash(service.as_bytes()))
}

/// Field 22 of `/proc/self/stat`, in clock ticks since boot. The command, field 2, may hold anything within its brackets.
fn started(stat: &str) -> Option<u64> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// FNV-1a, 64 bits: for names, not against attackers.
#[must_use]
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
