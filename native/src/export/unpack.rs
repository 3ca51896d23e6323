//! Stage 6 of 7, export: a block's request as it was before compression. Thread: sender.

use crate::block::Block;
use crate::seal::compress::decompress;
use std::io::Result;

/// Largest request that is unpacked, in bytes (OTLP's own limit); guards against a damaged body.
const LIMIT_BYTES: usize = 64 * 1024 * 1024;

/// The uncompressed `ExportLogsServiceRequest`. Fails when the body is damaged.
pub(crate) fn unpack(block: &Block) -> Result<Vec<u8>> {
    decompress(block.codec, &block.body, block.raw_bytes.max(LIMIT_BYTES))
}
