//! An image in stripes. Each stripe is encoded separately and kept, so that unchanged stripes are
//! not encoded again.

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
    /// Encodes a stripe. Returns its part of the file, and a checksum of it.
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

/// An encoded file, with what is needed to reuse its stripes in the next one.
#[derive(Debug, Clone)]
pub(super) struct KeptStripes {
    pub(super) file: Bytes,
    size: Size,
    stripes: Vec<Stripe>,
}

#[derive(Debug, Clone)]
struct Stripe {
    print: Print,
    /// Its bytes in the file.
    part: Range<usize>,
    sum: u32,
}

/// Where a stripe of the new file comes from.
enum Fate {
    /// From the previous file: `may_differ` excludes a change.
    Stays,
    /// From the previous file: the hashes are equal.
    Same,
    Made(Print, Vec<u8>, u32),
}

impl KeptStripes {
    /// Encodes a picture. `before` is the previous file of the same region and format;
    /// `may_differ` returns whether rows may have changed since. If `is_alone`, only this thread
    /// encodes.
    ///
    /// # Errors
    ///
    /// When the format's encoder fails.
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
                // Not reached: without a previous file, every stripe is `Made`.
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
