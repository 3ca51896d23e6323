//! What became of blocks that share requests: each is settled as soon as it is decided, so that a kill finds the others only.

use crate::sending::numbered_block;
use fapilog_native::block::Block;
use fapilog_native::export::bundle::{Load, Share, Shares};
use fapilog_native::export::sender::Outcome;
use std::borrow::Cow;
use std::sync::Arc;

fn delivered(records: u64) -> Outcome {
    Outcome { delivered: records, ..Outcome::default() }
}

fn taken(shares: &mut Shares<'_>) -> Vec<(u64, Share)> {
    shares.take_decided().into_iter().map(|(block, share)| (block.sequence, share)).collect()
}

fn share(records: u64) -> Share {
    Share { outcome: delivered(records), rejected: Vec::new() }
}

#[test]
fn a_block_is_handed_out_once_and_as_soon_as_all_of_it_is_decided() {
    let numbered = (0..3).zip([4, 2, 3]);
    let claimed: Vec<_> =
        numbered.map(|(sequence, records)| Arc::new(Block { sequence, ..numbered_block(records) })).collect();
    let mut shares = Shares::new(&claimed);
    let none = Cow::Borrowed("");
    assert_eq!(taken(&mut shares), []);
    shares.add(&Load::Blocks(0..1), delivered(4), &none);
    assert_eq!(taken(&mut shares), [(0, share(4))]);
    assert_eq!(taken(&mut shares), []);
    shares.add(&Load::Part(1, numbered_block(1)), delivered(1), &none);
    assert_eq!(taken(&mut shares), []);
    assert_eq!(shares.undecided(), &claimed[1..]);
    shares.add(&Load::Part(1, numbered_block(1)), delivered(1), &none);
    shares.add(&Load::Blocks(2..3), delivered(3), &none);
    assert_eq!(taken(&mut shares), [(1, share(2)), (2, share(3))]);
    assert!(shares.undecided().is_empty());
}
