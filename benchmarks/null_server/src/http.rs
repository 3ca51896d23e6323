//! As much of HTTP/1.1 as the clients of the benchmarks use: kept connections, lengths and chunks.

use std::io::{self, BufRead, Read};

/// More than any client sends at once.
const MAX_BODY_BYTES: usize = 256 << 20;

/// The head of a request.
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: String,
    pub packed: bool,
    pub closes: bool,
}

/// Reads a request, its body into `body`; None: the client has gone.
pub fn read(input: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_ascii_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (path, query) = (path.to_owned(), query.to_owned());
    let mut request = Request { method: method.to_owned(), path, query, packed: false, closes: false };
    let (mut length, mut chunked) = (0, false);
    while let Some((name, value)) = header(input)? {
        match name.as_str() {
            "content-length" => length = number(&value, 10)?,
            "transfer-encoding" => chunked = value.contains("chunked"),
            "content-encoding" => request.packed = value.contains("gzip"),
            "connection" => request.closes = value.contains("close"),
            _ => {}
        }
    }
    body.clear();
    if chunked {
        while piece(input, body)? {}
    } else {
        take(input, body, length)?;
    }
    Ok(Some(request))
}

/// Reads a header in lower case; None: the head ends.
fn header(input: &mut impl BufRead) -> io::Result<Option<(String, String)>> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let line = line.trim().to_ascii_lowercase();
    Ok(line.split_once(':').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())))
}

/// Reads a chunk; false: it was the last one.
fn piece(input: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<bool> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let length = number(line.trim(), 16)?;
    take(input, body, length)?;
    line.clear();
    input.read_line(&mut line)?;
    Ok(length > 0)
}

fn take(input: &mut impl BufRead, body: &mut Vec<u8>, length: usize) -> io::Result<()> {
    if body.len() + length > MAX_BODY_BYTES {
        return Err(invalid("a body of more than 256 MiB"));
    }
    let read = input.by_ref().take(length as u64).read_to_end(body)?;
    if read == length {
        Ok(())
    } else {
        Err(invalid("a body that ends early"))
    }
}

fn number(text: &str, radix: u32) -> io::Result<usize> {
    usize::from_str_radix(text, radix).map_err(|_| invalid("a length that is no number"))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
