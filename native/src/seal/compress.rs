//! Compression of request bodies, shared by stage 5 (seal, sealer thread) and stage 6 (split, sender threads; [`gzip`]).
//!
//! A `Compressor` keeps its deflate or zstd state and one output buffer between blocks: creating a deflate
//! state costs more than compressing a small block. Level 1 everywhere: gzip through zlib-rs runs at about
//! 1 GB/s, level 6 at a fifth of that for a tenth less on the wire.

use crate::block::Codec;
use flate2::{Compress, Compression, FlushCompress, Status};
use std::cell::RefCell;
use std::io::{self, Read};

/// Window of 32 KiB, the largest that gzip knows.
const WINDOW_BITS: u8 = 15;
/// Free room kept in the output while compressing, in bytes.
const OUTPUT_STEP_BYTES: usize = 64 * 1024;
/// Smaller parts are gathered up to this size, in bytes: each call into deflate costs microseconds, and parts
/// of one record each (140 B) would be compressed at 40 MB/s.
const INPUT_STEP_BYTES: usize = 64 * 1024;

/// Room made at once for what is unpacked, in bytes: a block of the usual size, and not what a damaged body claims.
const UNPACKED_BYTES: usize = 2 * 1024 * 1024;

thread_local! {
    /// Threads that send live long, and to make a deflate state costs more than to compress a small body.
    static OWN: RefCell<Compressor> = const { RefCell::new(Compressor::new()) };
}

/// Compresses one body with the state of this thread.
pub fn gzip(body: &[u8]) -> io::Result<Vec<u8>> {
    OWN.with_borrow_mut(|compressor| compressor.compress(Codec::Gzip, &[body]))
}

/// Compresses blocks one after another, reusing its state.
pub struct Compressor {
    gzip: Option<Compress>,
    #[cfg(feature = "zstd")]
    zstd: Option<zstd::stream::raw::Encoder<'static>>,
    gathered: Vec<u8>,
    scratch: Vec<u8>,
}

impl Default for Compressor {
    fn default() -> Self {
        Self::new()
    }
}

impl Compressor {
    /// Starts without state; each codec's state is made at its first block.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            gzip: None,
            #[cfg(feature = "zstd")]
            zstd: None,
            gathered: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Compresses the concatenation of `parts` into one exactly sized body.
    ///
    /// Fails for `Codec::Zstd` without the crate feature `zstd`, and when a codec reports an error.
    pub fn compress(&mut self, codec: Codec, parts: &[&[u8]]) -> io::Result<Vec<u8>> {
        if codec == Codec::Identity {
            return Ok(parts.concat());
        }
        self.scratch.clear();
        if codec == Codec::Gzip {
            self.gzip(parts)?;
        } else {
            self.zstd(parts)?;
        }
        Ok(self.scratch.as_slice().to_vec())
    }

    fn gzip(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        let state = self.gzip.get_or_insert_with(|| Compress::new_gzip(Compression::fast(), WINDOW_BITS));
        let (gathered, out) = (&mut self.gathered, &mut self.scratch);
        state.reset();
        gathered.clear();
        for part in parts {
            if gathered.len() + part.len() > INPUT_STEP_BYTES {
                deflate(state, gathered, out)?;
                gathered.clear();
            }
            if part.len() > INPUT_STEP_BYTES {
                deflate(state, part, out)?;
            } else {
                gathered.extend_from_slice(part);
            }
        }
        deflate(state, gathered, out)?;
        loop {
            out.reserve(OUTPUT_STEP_BYTES);
            if state.compress_vec(&[], out, FlushCompress::Finish)? == Status::StreamEnd {
                return Ok(());
            }
        }
    }

    #[cfg(feature = "zstd")]
    fn zstd(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        use zstd::stream::raw::{Encoder, InBuffer, Operation, OutBuffer};

        let state = match &mut self.zstd {
            Some(state) => {
                state.reinit()?;
                state
            }
            empty => empty.insert(Encoder::new(1)?),
        };
        let out = &mut self.scratch;
        for part in parts {
            let mut input = InBuffer::around(part);
            while input.pos() < part.len() {
                out.reserve(OUTPUT_STEP_BYTES);
                let filled = out.len();
                state.run(&mut input, &mut OutBuffer::around_pos(out, filled))?;
            }
        }
        loop {
            out.reserve(OUTPUT_STEP_BYTES);
            let filled = out.len();
            if state.finish(&mut OutBuffer::around_pos(out, filled), true)? == 0 {
                return Ok(());
            }
        }
    }

    #[cfg(not(feature = "zstd"))]
    #[allow(clippy::unused_self)] // The same shape as with the feature.
    fn zstd(&mut self, _parts: &[&[u8]]) -> io::Result<()> {
        Err(zstd_missing())
    }
}

fn deflate(state: &mut Compress, mut rest: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    while !rest.is_empty() {
        out.reserve(OUTPUT_STEP_BYTES);
        let before = state.total_in();
        state.compress_vec(rest, out, FlushCompress::None)?;
        rest = &rest[(state.total_in() - before) as usize..];
    }
    Ok(())
}

/// Restores what `Compressor::compress` was given, up to `limit_bytes`.
///
/// Fails when the body is damaged, or holds more than `limit_bytes` (a small body can expand a thousandfold).
pub fn decompress(codec: Codec, body: &[u8], limit_bytes: usize) -> io::Result<Vec<u8>> {
    match codec {
        Codec::Identity => read_limited(body, limit_bytes),
        Codec::Gzip => read_limited(flate2::bufread::GzDecoder::new(body), limit_bytes),
        #[cfg(feature = "zstd")]
        Codec::Zstd => read_limited(zstd::stream::read::Decoder::with_buffer(body)?, limit_bytes),
        #[cfg(not(feature = "zstd"))]
        Codec::Zstd => Err(zstd_missing()),
    }
}

fn read_limited(reader: impl Read, limit_bytes: usize) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(limit_bytes.min(UNPACKED_BYTES));
    reader.take((limit_bytes as u64).saturating_add(1)).read_to_end(&mut out)?;
    if out.len() > limit_bytes {
        let message = format!("the block holds more than {limit_bytes} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(out)
}

#[cfg(not(feature = "zstd"))]
fn zstd_missing() -> io::Error {
    let message = "this build of fapilog has no zstd; use gzip, or build with the feature `zstd`";
    io::Error::new(io::ErrorKind::Unsupported, message)
}
