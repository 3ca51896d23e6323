//! Stage 3 of 7, redact: finds many phrases in one pass (Aho and Corasick, 1975). Thread: caller; built once.
//!
//! Bytes become one of 64 symbols first: letters without case, one for the separators, one for digits, the rest of
//! UTF-8 by the low five bits, so that `É` is `é` and `Р` is `р`. A row of 64 entries per state is what a step reads.

const WIDTH: usize = 64;
const OTHER: u8 = 0;
const SEPARATOR: u8 = 27;
const DIGIT: u8 = 28;
const LEAD: u8 = 29;

/// The symbol of every byte.
static SYMBOL: [u8; 256] = {
    let mut table = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            letter @ b'a'..=b'z' => letter - b'a' + 1,
            letter @ b'A'..=b'Z' => letter - b'A' + 1,
            b' ' | b'_' | b'-' | b'.' => SEPARATOR,
            b'0'..=b'9' => DIGIT,
            continuation @ 0x80..=0xbf => 32 + (continuation & 31),
            0xc2..=0xf4 => LEAD,
            _ => OTHER,
        };
        byte += 1;
    }
    table
};

/// The phrases, as a table of steps.
#[derive(Debug)]
pub struct Automaton {
    /// `steps[state * WIDTH + symbol]` is the next state.
    steps: Vec<u16>,
    /// States from this on end a phrase.
    first_end: u16,
    /// Of each state that ends a phrase: where its phrases are in `ended`.
    spans: Vec<(u32, u32)>,
    /// Numbers of phrases.
    ended: Vec<u16>,
}

struct Node {
    next: [u16; WIDTH],
    fail: u16,
    ends: Vec<u16>,
}

impl Node {
    fn new() -> Self {
        Self { next: [0; WIDTH], fail: 0, ends: Vec::new() }
    }
}

impl Automaton {
    /// Builds it; the number of a phrase is its place.
    #[must_use]
    pub fn new<'a>(phrases: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut nodes = trie(phrases);
        let order = complete(&mut nodes);
        Self::renumbered(&nodes, &order)
    }

    /// Numbers the states so that those that end a phrase come last.
    fn renumbered(nodes: &[Node], order: &[u16]) -> Self {
        let plain = order.iter().filter(|node| nodes[usize::from(**node)].ends.is_empty());
        let ending = order.iter().filter(|node| !nodes[usize::from(**node)].ends.is_empty());
        let first_end = plain.clone().count() as u16;
        let order: Vec<u16> = plain.chain(ending).copied().collect();
        let mut number = vec![0u16; nodes.len()];
        for (new, old) in order.iter().enumerate() {
            number[usize::from(*old)] = new as u16;
        }
        let mut built = Self { steps: Vec::new(), first_end, spans: Vec::new(), ended: Vec::new() };
        built.steps.reserve_exact(nodes.len() * WIDTH);
        for old in &order {
            let node = &nodes[usize::from(*old)];
            built.steps.extend(node.next.iter().map(|next| number[usize::from(*next)]));
            if !node.ends.is_empty() {
                let from = built.ended.len() as u32;
                built.ended.extend_from_slice(&node.ends);
                built.spans.push((from, built.ended.len() as u32));
            }
        }
        built
    }

    /// Calls `found(number of the phrase, first byte behind it)` for every phrase, overlapping ones too.
    #[inline]
    pub fn find(&self, text: &[u8], mut found: impl FnMut(u16, usize)) {
        let mut state = 0u16;
        for (at, &byte) in text.iter().enumerate() {
            let symbol = usize::from(SYMBOL[usize::from(byte)]);
            state = self.steps.get(usize::from(state) * WIDTH + symbol).copied().unwrap_or(0);
            if state >= self.first_end {
                let (from, to) = self.spans[usize::from(state - self.first_end)];
                for &phrase in &self.ended[from as usize..to as usize] {
                    found(phrase, at + 1);
                }
            }
        }
    }

    /// Memory of the tables, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.steps.len() * 2 + self.spans.len() * 8 + self.ended.len() * 2
    }
}

fn trie<'a>(phrases: impl IntoIterator<Item = &'a [u8]>) -> Vec<Node> {
    let mut nodes = vec![Node::new()];
    for (number, phrase) in phrases.into_iter().enumerate() {
        let mut at = 0usize;
        for byte in phrase {
            let symbol = usize::from(SYMBOL[usize::from(*byte)]);
            let next = usize::from(nodes[at].next[symbol]);
            at = if next == 0 {
                nodes.push(Node::new());
                let new = nodes.len() - 1;
                nodes[at].next[symbol] = new as u16;
                new
            } else {
                next
            };
        }
        nodes[at].ends.push(number as u16);
    }
    nodes
}

/// Fills in the steps that no phrase takes, and what ends with a shorter phrase. Answers the nodes, shallow ones first.
fn complete(nodes: &mut [Node]) -> Vec<u16> {
    let mut order = vec![0u16];
    let mut done = 0;
    while done < order.len() {
        let at = usize::from(order[done]);
        done += 1;
        let fail = usize::from(nodes[at].fail);
        for symbol in 0..WIDTH {
            let next = usize::from(nodes[at].next[symbol]);
            let short = if at == 0 { 0 } else { nodes[fail].next[symbol] };
            if next == 0 {
                nodes[at].next[symbol] = short;
            } else {
                nodes[next].fail = short;
                let inherited = nodes[usize::from(short)].ends.clone();
                nodes[next].ends.extend(inherited);
                order.push(next as u16);
            }
        }
    }
    order
}
