//! The bytes of a log file: a header, then records with a length and a checksum.
//!
//! A file that was cut off at any byte is a header and some whole records, and then an incomplete one.
//! So every prefix of a log is a log.

use std::io::{self, Read};

/// The header of a file: the magic bytes, and the version of the format.
pub(crate) const HEADER: [u8; 12] = *b"DESKDLOG\x01\x00\x00\x00";
/// Bytes before the content of a record: its length and its checksum.
pub(crate) const PREFIX: usize = 8;
/// Maximum bytes of a record's content.
pub(crate) const MAX_RECORD: usize = 256 << 20;

/// Returns a record: length, checksum, content. `None` if the content is too large.
pub(crate) fn record(content: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(content.len()).ok()?;
    if content.len() > MAX_RECORD {
        return None;
    }
    let mut bytes = Vec::with_capacity(PREFIX + content.len());
    bytes.extend(length.to_le_bytes());
    bytes.extend(checksum(length, content).to_le_bytes());
    bytes.extend(content);
    Some(bytes)
}

/// Returns the checksum of a record: CRC-32 (IEEE 802.3) of its length and content.
fn checksum(length: u32, content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(content);
    hasher.finalize()
}

/// Why no more records can be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// The file does not begin with the header of a log.
    #[error("it is no log of deskd")]
    NotALog,
    /// The log was written by a release with another format.
    #[error("its format has version {0}, which this release cannot read; use a newer deskd")]
    Version(u32),
    /// The last record is incomplete: the log was cut off.
    #[error("it was cut off at byte {0}; everything before is complete")]
    Cut(u64),
    /// A record is damaged.
    #[error("the record at byte {0} is damaged; everything before is intact")]
    Damaged(u64),
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads the records of a log.
#[derive(Debug)]
pub(crate) struct LogReader<R> {
    source: R,
    /// Number of bytes of the header and the records that were read.
    offset: u64,
}

impl<R: Read> LogReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// The file is not a log, or of another version.
    pub(crate) fn new(mut source: R) -> Result<Self, LogError> {
        let mut header = [0; HEADER.len()];
        let length = fill(&mut source, &mut header)?;
        // A log may be cut off within its header.
        if header[..length.min(8)] != HEADER[..length.min(8)] || length == 0 {
            return Err(LogError::NotALog);
        }
        if length < HEADER.len() {
            return Err(LogError::Cut(0));
        }
        if header != HEADER {
            let version = [header[8], header[9], header[10], header[11]];
            return Err(LogError::Version(u32::from_le_bytes(version)));
        }
        let offset = HEADER.len() as u64;
        Ok(Self { source, offset })
    }

    /// Returns the content of the next record; `None` at the end of the log.
    ///
    /// # Errors
    ///
    /// The log was cut off or damaged. Nothing can be read after an error.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, LogError> {
        let mut prefix = [0; PREFIX];
        match fill(&mut self.source, &mut prefix)? {
            0 => return Ok(None),
            PREFIX => {}
            _ => return Err(LogError::Cut(self.offset)),
        }
        let length = u32::from_le_bytes([prefix[0], prefix[1], prefix[2], prefix[3]]);
        let sum = u32::from_le_bytes([prefix[4], prefix[5], prefix[6], prefix[7]]);
        if length as usize > MAX_RECORD {
            return Err(LogError::Damaged(self.offset));
        }
        // The memory grows with what is read, so that a damaged length allocates nothing.
        let mut content = Vec::new();
        let read = (&mut self.source)
            .take(length.into())
            .read_to_end(&mut content)?;
        if read < length as usize {
            return Err(LogError::Cut(self.offset));
        }
        if checksum(length, &content) != sum {
            return Err(LogError::Damaged(self.offset));
        }
        self.offset += (PREFIX + content.len()) as u64;
        Ok(Some(content))
    }

    /// Returns the number of bytes of the header and the records that were read.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }
}

/// Reads until the buffer is full or the source ends. Returns the number of bytes.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match source.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn log(contents: &[&[u8]]) -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        for content in contents {
            bytes.extend(record(content).unwrap());
        }
        bytes
    }

    fn read(bytes: &[u8]) -> (Vec<Vec<u8>>, Option<LogError>) {
        let mut contents = Vec::new();
        let mut reader = match LogReader::new(bytes) {
            Ok(reader) => reader,
            Err(error) => return (contents, Some(error)),
        };
        loop {
            match reader.next() {
                Ok(Some(content)) => contents.push(content),
                Ok(None) => return (contents, None),
                Err(error) => return (contents, Some(error)),
            }
        }
    }

    #[test]
    fn every_prefix_has_the_records_that_are_whole() {
        let contents: [&[u8]; 4] = [b"one", b"", &[0; 300], b"last"];
        let bytes = log(&contents);
        let mut ends = vec![HEADER.len()];
        for content in contents {
            ends.push(ends.last().unwrap() + PREFIX + content.len());
        }
        for cut in 0..=bytes.len() {
            let (found, error) = read(&bytes[..cut]);
            let whole = ends.iter().skip(1).filter(|end| **end <= cut).count();
            assert_eq!(found.len(), whole, "{cut}");
            assert!(found.iter().zip(contents).all(|(a, b)| a == b), "{cut}");
            match error {
                None => assert!(ends.contains(&cut), "{cut}"),
                Some(LogError::Cut(at)) => {
                    let last = ends.iter().rfind(|end| **end <= cut);
                    assert_eq!(at, last.map_or(0, |end| *end as u64));
                }
                Some(LogError::NotALog) => assert_eq!(cut, 0),
                Some(error) => panic!("{cut}: {error}"),
            }
        }
    }

    proptest! {
        /// Bytes that somebody else wrote end with an error, and never with more records than they hold.
        #[test]
        fn any_bytes_can_be_read(
            bytes in proptest::collection::vec(any::<u8>(), 0..400),
            is_log: bool,
        ) {
            let mut file = if is_log { HEADER.to_vec() } else { Vec::new() };
            file.extend(&bytes);
            let (found, _) = read(&file);
            prop_assert!(found.iter().map(|one| one.len() + PREFIX).sum::<usize>() <= bytes.len());
        }
    }

    #[test]
    fn damage_is_found_and_allocates_nothing() {
        let bytes = log(&[b"first", b"second"]);
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 0x80;
            let (found, error) = read(&other);
            assert!(error.is_some(), "{at}");
            assert!(found.len() < 2, "{at}");
        }
        let mut huge = HEADER.to_vec();
        huge.extend([0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0]);
        assert!(matches!(read(&huge).1, Some(LogError::Cut(12))));
        huge[15] = 0xff;
        assert!(matches!(read(&huge).1, Some(LogError::Damaged(12))));
        // Zeros, which some file systems leave after a power failure, are no records.
        let mut zeros = bytes;
        zeros.extend([0; 64]);
        let (found, error) = read(&zeros);
        assert_eq!(found.len(), 2);
        assert!(matches!(error, Some(LogError::Damaged(_))));
        let mut newer = HEADER;
        newer[8] = 2;
        assert!(matches!(read(&newer).1, Some(LogError::Version(2))));
        assert!(matches!(read(b"GIF89a").1, Some(LogError::NotALog)));
    }
}
