//! What leaves stage 5: a compressed, counted, sequenced request body. Imports nothing of ours.

/// How a block's body is compressed; also the `Content-Encoding` it is sent with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Not compressed, no `Content-Encoding`.
    Identity,
    /// gzip, level 1: every OTLP receiver must take it.
    Gzip,
    /// zstd, level 1: the Collector takes it; needs the crate feature `zstd`.
    Zstd,
}

impl Codec {
    /// The `Content-Encoding` value, `None` for identity.
    #[must_use]
    pub const fn content_encoding(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }
}

/// One `ExportLogsServiceRequest`, sealed once and shared by every exporter and every retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Position in the log of blocks; assigned when the block is appended to the backlog, from 0.
    pub sequence: u64,
    /// Log records inside.
    pub records: u64,
    /// Of these, records that shedding must spare (audit, security, ERROR and above).
    pub protected_records: u64,
    /// Size of the request before compression, in bytes.
    pub raw_bytes: usize,
    /// How `body` is compressed.
    pub codec: Codec,
    /// The request body as it goes over the wire.
    pub body: Vec<u8>,
}

impl Block {
    /// Memory of a waiting block besides its body, in bytes: its place in the log and in the lists of each exporter. Measured:
    /// 300,000 blocks of one record took 820 bytes each that no count of bodies saw.
    pub const PLACE_BYTES: usize = 820;

    /// Memory that the block takes while it waits.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.body.len() + Self::PLACE_BYTES
    }
}
