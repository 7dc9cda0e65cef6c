//! The most recent frames by frame id: what each one showed, but not its pixels.

use std::collections::VecDeque;

use super::{kept::WindowPlace, picture::HISTORY, refusal::Refusal};
use crate::{
    encode::{Digest, Format},
    frame::{Region, Size},
    x11::Generation,
};

/// The kind of call that a frame was sent to. Each kind has its own history, so that frames
/// of streams do not displace frames of single calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A `Screenshot` call, or the frame of a step.
    Call,
    /// `Watch`.
    Stream,
}

/// The content and parameters of a frame, and the control epoch of its capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::session) struct Shown {
    pub(super) generation: Generation,
    pub(super) epoch: u64,
    pub(super) region: Region,
    pub(super) output: Size,
    pub(super) format: Format,
    pub(super) cursor: bool,
    pub(super) digest: Digest,
    pub(super) window: Option<WindowPlace>,
    /// The control epoch when the capture began.
    pub(in crate::session) control_epoch: u64,
}

impl Shown {
    /// Whether both frames show the same pixels of the screen at the same size and in the same format,
    /// whoever was in control.
    pub(super) fn same_content(&self, other: &Self) -> bool {
        let control_epoch = self.control_epoch;
        *self
            == Self {
                control_epoch,
                ..*other
            }
    }

    /// Whether both frames show the same region at the same server generation and geometry
    /// epoch.
    pub(super) fn same_part(&self, other: &Self) -> bool {
        let part = |shown: &Self| (shown.generation, shown.epoch, shown.region, shown.window);
        part(self) == part(other)
    }
}

#[derive(Debug)]
struct Record {
    id: String,
    /// `None` for a failure card.
    shown: Option<Shown>,
}

/// The last [`HISTORY`] frames that were sent to calls, and the last [`HISTORY`] frames that
/// were sent to streams, newest last.
#[derive(Debug)]
pub(in crate::session) struct FrameHistory {
    prefix: String,
    issued: u64,
    calls: VecDeque<Record>,
    streams: VecDeque<Record>,
}

impl FrameHistory {
    /// Creates an empty history. Frame ids begin with `prefix`, so that the ids of another
    /// instance are unknown here.
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            issued: 0,
            calls: VecDeque::new(),
            streams: VecDeque::new(),
        }
    }

    /// Returns a new frame id. The id stays unknown until [`Self::remember`] records its
    /// frame.
    pub(super) fn issue(&mut self) -> String {
        self.issued += 1;
        format!("{}-{}", self.prefix, self.issued)
    }

    /// Records a frame or a failure card as the newest. A frame that is already recorded
    /// becomes the newest again.
    pub(super) fn remember(&mut self, source: Source, id: &str, shown: Option<Shown>) {
        let records = match source {
            Source::Call => &mut self.calls,
            Source::Stream => &mut self.streams,
        };
        if let Some(known) = records.iter().rposition(|record| record.id == id) {
            records.remove(known);
        }
        if records.len() == HISTORY {
            records.pop_front();
        }
        records.push_back(Record {
            id: id.to_owned(),
            shown,
        });
    }

    /// Finds the newest frame with the same region, size and format as `shown`. Returns its
    /// id if it also has the same digest.
    pub(super) fn name_of(&self, shown: &Shown) -> Option<String> {
        let alike = |record: &&Record| {
            let other = record.shown.as_ref();
            other.is_some_and(|other| {
                shown.same_content(&Shown {
                    digest: shown.digest,
                    ..*other
                })
            })
        };
        let newest = |records: &VecDeque<Record>| {
            let found = records.iter().rev().find(alike)?;
            let same = found
                .shown
                .is_some_and(|other| other.digest == shown.digest);
            same.then(|| found.id.clone())
        };
        newest(&self.calls).or_else(|| newest(&self.streams))
    }

    /// Returns the content of the frame with this id.
    pub(in crate::session) fn find(&self, id: &str) -> Result<Shown, Refusal> {
        let mut all = self.calls.iter().rev().chain(self.streams.iter().rev());
        let record = all.find(|record| record.id == id);
        let record = record.ok_or_else(|| Refusal::UnknownFrame(id.to_owned()))?;
        record
            .shown
            .ok_or_else(|| Refusal::FrameIsCard(id.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_are_known_and_a_repeated_one_stays_whatever_streams_do() {
        use Source::{Call, Stream};
        let mut frames = FrameHistory::new("life");
        let ids: Vec<String> = (0..=HISTORY).map(|_| frames.issue()).collect();
        for id in &ids[..HISTORY] {
            frames.remember(Call, id, None);
        }
        for _ in 0..2 * HISTORY {
            let id = frames.issue();
            frames.remember(Stream, &id, None);
        }
        assert_eq!(
            frames.find(&ids[0]),
            Err(Refusal::FrameIsCard("life-1".into()))
        );
        frames.remember(Call, &ids[0], None);
        frames.remember(Call, &ids[HISTORY], None);
        assert_eq!(
            frames.find(&ids[0]),
            Err(Refusal::FrameIsCard("life-1".into()))
        );
        assert_eq!(
            frames.find(&ids[1]),
            Err(Refusal::UnknownFrame("life-2".into()))
        );
        assert_eq!(
            frames.find("other-1"),
            Err(Refusal::UnknownFrame("other-1".into()))
        );
    }
}
