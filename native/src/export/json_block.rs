//! Stage 6 of 7, export: a block as the body of an OTLP/HTTP request in JSON. Thread: sender.

use super::http::answer::Answer;
use super::http::Reply;
use super::unpack::unpack;
use crate::block::{Block, Codec};
use crate::encode::{encode, Form};
use crate::seal::compress::Compressor;
use std::borrow::Cow;
use std::cell::RefCell;

thread_local! {
    /// Senders live long, and to make a deflate state costs more than to compress a small block.
    static COMPRESSOR: RefCell<Compressor> = const { RefCell::new(Compressor::new()) };
}

/// The block in JSON under `codec`, or what to do about it when that cannot be sent.
///
/// JSON takes about twice the room of protobuf, so the limit is looked at again here.
pub(super) fn json_block(block: &Block, codec: Codec, max_request_bytes: usize) -> Result<Block, Reply> {
    let damaged = |error: std::io::Error| {
        Reply::from(Answer::Rejected { cause: format!("the block is damaged: {error}") })
    };
    let request = unpack(block).map_err(damaged)?;
    let mut text = String::new();
    encode(&request, Form::OtlpJson, false, &mut text);
    if text.len() > max_request_bytes {
        let size = text.len();
        let cause =
            format!("the request has {size} bytes as JSON, the exporter sends {max_request_bytes} at most");
        return Err(Reply { error: Cow::Borrowed("request_too_large"), ..Answer::TooLarge { cause }.into() });
    }
    let raw_bytes = text.len();
    let body = COMPRESSOR.with_borrow_mut(|compressor| compressor.compress(codec, &[text.as_bytes()]));
    // As in `seal`: the records still go out, uncompressed.
    let (codec, body) = body.map_or_else(|_| (Codec::Identity, text.into_bytes()), |body| (codec, body));
    Ok(Block { raw_bytes, codec, body, ..empty(block) })
}

const fn empty(block: &Block) -> Block {
    let Block { sequence, records, protected_records, .. } = *block;
    Block { sequence, records, protected_records, raw_bytes: 0, codec: Codec::Identity, body: Vec::new() }
}
