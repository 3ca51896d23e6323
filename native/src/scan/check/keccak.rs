//! Stage 3 of 7, redact: Keccak-256, which Ethereum took before SHA-3 was final. Thread: caller.

const RATE_BYTES: usize = 136;
const ROTATIONS: [u32; 24] =
    [1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44];
const PLACES: [usize; 24] =
    [10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1];

/// The hash of a text shorter than one block (136 bytes); of longer ones, of what fits.
#[must_use]
pub fn keccak_256(text: &[u8]) -> [u8; 32] {
    let mut block = [0u8; RATE_BYTES];
    let length = text.len().min(RATE_BYTES - 1);
    block[..length].copy_from_slice(&text[..length]);
    block[length] |= 0x01;
    block[RATE_BYTES - 1] |= 0x80;
    let mut state = [0u64; 25];
    for (lane, bytes) in state.iter_mut().zip(block.chunks_exact(8)) {
        *lane = bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
    }
    permute(&mut state);
    let mut hash = [0; 32];
    for (bytes, lane) in hash.chunks_exact_mut(8).zip(state) {
        bytes.copy_from_slice(&lane.to_le_bytes());
    }
    hash
}

fn permute(state: &mut [u64; 25]) {
    // The constants of the rounds, from their shift register.
    let mut register = 1u8;
    for _ in 0..24 {
        mix(state);
        for row in state.chunks_exact_mut(5) {
            let old = [row[0], row[1], row[2], row[3], row[4]];
            for (x, lane) in row.iter_mut().enumerate() {
                *lane ^= !old[(x + 1) % 5] & old[(x + 2) % 5];
            }
        }
        for step in 0..7 {
            if register & 1 != 0 {
                state[0] ^= 1 << ((1u32 << step) - 1);
            }
            register = register << 1 ^ if register & 0x80 != 0 { 0x71 } else { 0 };
        }
    }
}

/// The linear steps of a round.
fn mix(state: &mut [u64; 25]) {
    let columns: [u64; 5] = std::array::from_fn(|x| (0..5).fold(0, |sum, y| sum ^ state[x + 5 * y]));
    for (place, lane) in state.iter_mut().enumerate() {
        let x = place % 5;
        *lane ^= columns[(x + 4) % 5] ^ columns[(x + 1) % 5].rotate_left(1);
    }
    let mut moved = state[1];
    for (place, rotation) in PLACES.into_iter().zip(ROTATIONS) {
        moved = std::mem::replace(&mut state[place], moved.rotate_left(rotation));
    }
}
