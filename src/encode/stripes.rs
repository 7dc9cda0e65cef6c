//! An image of stripes, each made apart and kept: what did not change is not encoded
//! again.

use std::ops::Range;

use bytes::Bytes;

use super::{
    error::EncodeError,
    picture::{Picture, Print},
    threads,
};
use crate::frame::{STRIPE_ROWS, Size};

/// A file format that can be cut into stripes.
pub(super) trait StripedFormat: Sync {
    /// Makes the file's part for a stripe, and a checksum of it.
    fn stripe(
        &self,
        picture: &Picture<'_>,
        rows: Range<u32>,
    ) -> Result<(Vec<u8>, u32), EncodeError>;

    /// The bytes before the stripes.
    fn head(&self, size: Size) -> Result<Vec<u8>, EncodeError>;

    /// The bytes after the stripes, from their checksums.
    fn tail(&self, size: Size, sums: &[u32]) -> Vec<u8>;
}

/// A file, and what of it can be used for the next.
#[derive(Debug, Clone)]
pub(super) struct KeptStripes {
    pub(super) file: Bytes,
    size: Size,
    stripes: Vec<Stripe>,
}

#[derive(Debug, Clone)]
struct Stripe {
    print: Print,
    /// Where it is in the file.
    part: Range<usize>,
    sum: u32,
}

/// The source of one stripe.
enum Fate {
    /// It is that of the file before.
    Stays,
    /// The file before has it, by its print.
    Same,
    Made(Print, Vec<u8>, u32),
}

impl KeptStripes {
    /// Encodes a picture; `may_differ` says which stripes can have changed since `before`
    /// was made, of the same region and format. `is_alone`: by this thread.
    ///
    /// # Errors
    ///
    /// Those of the format.
    pub(super) fn next(
        format: &impl StripedFormat,
        before: Option<&Self>,
        picture: &Picture<'_>,
        may_differ: impl Fn(Range<u32>) -> bool + Sync,
        seed: u64,
        is_alone: bool,
    ) -> Result<Self, EncodeError> {
        let size = picture.size();
        let before = before.filter(|before| before.size == size);
        let count = size.height.div_ceil(STRIPE_ROWS) as usize;
        let rows: Vec<Range<u32>> = (0..size.height)
            .step_by(STRIPE_ROWS as usize)
            .map(|first| first..(first + STRIPE_ROWS).min(size.height))
            .collect();
        let rows = |index: usize| rows[index].clone();
        let work: Vec<usize> = (0..count)
            .filter(|index| before.is_none() || may_differ(rows(*index)))
            .collect();
        let one = |index: usize| {
            let print = picture.print(rows(index), seed);
            Ok::<_, EncodeError>(match before {
                Some(before) if before.stripes[index].print == print => Fate::Same,
                _ => {
                    let (bytes, sum) = format.stripe(picture, rows(index))?;
                    Fate::Made(print, bytes, sum)
                }
            })
        };
        let mut fates: Vec<Fate> = (0..count).map(|_| Fate::Stays).collect();
        for (index, fate) in threads::each(&work, is_alone, one) {
            fates[index] = fate?;
        }
        Self::assemble(format, size, before, fates)
    }

    fn assemble(
        format: &impl StripedFormat,
        size: Size,
        before: Option<&Self>,
        fates: Vec<Fate>,
    ) -> Result<Self, EncodeError> {
        let kept = before.map_or(&[][..], |before| &before.stripes);
        if let Some(before) = before
            && fates.iter().all(|fate| !matches!(fate, Fate::Made(..)))
        {
            return Ok(before.clone());
        }
        let length = |(index, fate): (usize, &Fate)| match fate {
            Fate::Made(_, bytes, _) => bytes.len(),
            Fate::Stays | Fate::Same => kept[index].part.len(),
        };
        let head = format.head(size)?;
        let total: usize = fates.iter().enumerate().map(length).sum();
        let mut file = Vec::with_capacity(head.len() + total + 64);
        file.extend_from_slice(&head);
        let mut stripes = Vec::with_capacity(fates.len());
        for (index, fate) in fates.into_iter().enumerate() {
            let start = file.len();
            let (print, sum) = match (fate, before) {
                (Fate::Made(print, bytes, sum), _) => {
                    file.extend_from_slice(&bytes);
                    (print, sum)
                }
                (_, Some(before)) => {
                    let old = &before.stripes[index];
                    file.extend_from_slice(&before.file[old.part.clone()]);
                    (old.print, old.sum)
                }
                // Nothing stays of what was not.
                (_, None) => continue,
            };
            let part = start..file.len();
            stripes.push(Stripe { print, part, sum });
        }
        let sums: Vec<u32> = stripes.iter().map(|stripe| stripe.sum).collect();
        file.extend_from_slice(&format.tail(size, &sums));
        Ok(Self {
            file: file.into(),
            size,
            stripes,
        })
    }

    /// The hashes of its stripes.
    pub(super) fn prints(&self) -> Vec<Print> {
        self.stripes.iter().map(|stripe| stripe.print).collect()
    }
}
