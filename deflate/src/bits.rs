//! Writes a bit stream, the lowest bit first (RFC 1951, section 3.1.1).

/// Writes into a buffer, which must be long enough.
#[derive(Debug)]
pub(super) struct Bits<'b> {
    out: &'b mut [u8],
    at: usize,
    waiting: u64,
    count: u32,
}

impl<'b> Bits<'b> {
    pub(super) fn new(out: &'b mut [u8]) -> Self {
        Self {
            out,
            at: 0,
            waiting: 0,
            count: 0,
        }
    }

    /// Adds `count` bits; at most 56 may be added between two flushes.
    #[inline(always)]
    pub(super) fn put(&mut self, bits: u64, count: u32) {
        self.waiting |= bits << self.count;
        self.count += count;
    }

    /// Adds a code, whose length is in the bits from 16 on.
    #[inline(always)]
    pub(super) fn put_code(&mut self, code: u32) {
        self.put(u64::from(code & 0xffff), code >> 16);
    }

    /// Writes the whole bytes; fewer than 8 bits remain.
    #[inline(always)]
    pub(super) fn flush(&mut self) {
        let bytes = self.count / 8;
        self.out[self.at..self.at + 8].copy_from_slice(&self.waiting.to_le_bytes());
        self.at += bytes as usize;
        self.waiting >>= bytes * 8;
        self.count %= 8;
    }

    /// Ends the stream on a whole byte with an empty stored block, and returns its length in bytes.
    pub(super) fn end(mut self) -> usize {
        self.put(0, 3);
        self.flush();
        if self.count > 0 {
            self.count = 8;
            self.flush();
        }
        self.out[self.at..self.at + 4].copy_from_slice(&[0, 0, 0xff, 0xff]);
        self.at + 4
    }
}
