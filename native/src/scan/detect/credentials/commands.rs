//! Stage 3 of 7, redact: finds passwords among the options of commands: `curl -u user:…`, `mysql -p…`. Thread: caller.

use crate::scan::context::Context;
use crate::scan::detect::credentials::assigned::{is_secret_value, plain_end};
use crate::scan::finding::Findings;
use crate::scan::keywords::Hit;
use crate::scan::kind::Kind;

/// Longest command line that is looked at.
const COMMAND_BYTES: usize = 512;

/// What an option carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carries {
    /// `user:password`
    Both,
    /// A password behind a space.
    Password,
    /// A password right behind the letter, or behind a space.
    Glued,
}

/// The options of each command that carry a secret.
const OPTIONS: &[(&[u8], &[u8], Carries)] = &[
    (b"curl", b"-u", Carries::Both),
    (b"curl", b"--user", Carries::Both),
    (b"curl", b"-U", Carries::Both),
    (b"curl", b"--proxy-user", Carries::Both),
    (b"sshpass", b"-p", Carries::Glued),
    (b"mysql", b"-p", Carries::Glued),
    (b"mysqldump", b"-p", Carries::Glued),
    (b"mysqladmin", b"-p", Carries::Glued),
    (b"mariadb", b"-p", Carries::Glued),
    (b"redis-cli", b"-a", Carries::Password),
    (b"docker login", b"-p", Carries::Password),
    (b"podman login", b"-p", Carries::Password),
];

/// Looks at the options behind a command.
pub fn options(context: &Context<'_>, hit: &Hit, findings: &mut Findings<'_>) -> Option<usize> {
    let text = context.text;
    let name = &text[hit.start as usize..hit.end as usize];
    let stop = text.len().min(hit.end as usize + COMMAND_BYTES);
    let mut at = hit.end as usize;
    while at < stop {
        let start = at + text[at..stop].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let end = start + text[start..stop].iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
        let word = &text[start..end];
        if end == start || matches!(word, b"|" | b"&&" | b";") {
            break;
        }
        at = end;
        let known = OPTIONS.iter().filter(|(command, ..)| name.eq_ignore_ascii_case(command));
        for (_, option, carries) in known {
            let Some(rest) = word.strip_prefix(*option) else { continue };
            let value = match (rest, carries) {
                ([], _) => end + text[end..].iter().take(2).take_while(|byte| **byte == b' ').count(),
                ([b'=', ..], _) => start + option.len() + 1,
                (_, Carries::Glued) => start + option.len(),
                _ => continue,
            };
            secret(text, value, *carries, !rest.is_empty(), findings);
        }
    }
    None
}

/// Hides the value of an option.
fn secret(text: &[u8], start: usize, carries: Carries, glued: bool, findings: &mut Findings<'_>) {
    let start = start + usize::from(matches!(text.get(start), Some(b'\'' | b'"')));
    let end = plain_end(text, start.min(text.len()));
    let Some(value) = text.get(start..end) else { return };
    let password = match carries {
        Carries::Both => {
            let colon = value.iter().position(|byte| *byte == b':');
            // The next thing may as well be the address.
            colon.map(|colon| &value[colon + 1..]).filter(|password| !password.starts_with(b"//"))
        }
        // `-p shop` of a database's command is the name of the database.
        Carries::Glued if !glued && !value.iter().any(u8::is_ascii_digit) => None,
        _ => Some(value).filter(|value| !value.starts_with(b"-")),
    };
    if password.is_some_and(|password| is_secret_value(Kind::Password, password)) {
        findings.push(start, end, Kind::Password, "command.option");
    }
}
