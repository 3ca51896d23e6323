//! Inputs as changes of a good file: a byte more than names where, so that most of the file stays what it was.

/// Applies `data` to `file`: a sequence of (offset: u16, length: u8, bytes), the last one as long as it is. A length of 255 cuts
/// the file there instead.
pub fn apply(data: &[u8], file: &mut Vec<u8>) {
    let mut rest = data;
    while let [low, high, length, bytes @ ..] = rest {
        let at = usize::from(u16::from_le_bytes([*low, *high])) % (file.len() + 1);
        if *length == 255 {
            file.truncate(at);
            rest = bytes;
            continue;
        }
        let (new, behind) = bytes.split_at(usize::from(*length).min(bytes.len()));
        let overlap = new.len().min(file.len() - at);
        file[at..at + overlap].copy_from_slice(&new[..overlap]);
        file.extend_from_slice(&new[overlap..]);
        rest = behind;
    }
}

/// The change that puts `bytes` at `at`.
pub fn put(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut change = (at as u16).to_le_bytes().to_vec();
    change.push(bytes.len().min(254) as u8);
    change.extend_from_slice(&bytes[..bytes.len().min(254)]);
    change
}

/// The change that cuts the file at `at`.
pub fn cut(at: usize) -> Vec<u8> {
    let [low, high] = (at as u16).to_le_bytes();
    vec![low, high, 255]
}
