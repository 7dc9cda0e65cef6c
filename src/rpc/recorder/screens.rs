//! The screen of one log: numbers its states and the pointer's images, and keeps within its size.

use std::{collections::HashMap, sync::Arc};

use prost::Message as _;
use tokio::time::Instant;

use super::{lines::Lines, records};
use crate::rpc::v1::{self, log_record::Record};
use crate::{
    failure::Failure,
    frame::CursorImage,
    session::{Capture, ScreenChange, ScreenFollower},
    x11::Grab,
};

/// Number of pointer images that a log numbers before it begins again.
const POINTERS: usize = 256;

/// The screen as the log has it.
#[derive(Debug)]
pub(super) struct LogScreens {
    follower: ScreenFollower,
    /// Number of screens in the log.
    count: u64,
    /// Whether the log has the screen of the last capture that was compared.
    is_current: bool,
    /// Whether pictures are stored: seven eighths of the size are not used yet.
    has_room: bool,
    /// The numbers of the pointer's images, by hash.
    pointers: HashMap<u128, u64>,
    pointer: u64,
}

impl LogScreens {
    pub(super) fn new(capture: Arc<Capture>) -> Self {
        Self {
            follower: ScreenFollower::new(capture),
            count: 0,
            is_current: false,
            has_room: true,
            pointers: HashMap::new(),
            pointer: 0,
        }
    }

    /// Begins a capture. Its result goes to [`Self::look`] or [`Self::show`].
    pub(super) fn capture(
        &mut self,
    ) -> impl Future<Output = Result<Arc<Grab>, Failure>> + Send + 'static {
        self.follower.capture()
    }

    /// Delays the next capture, because the last one failed.
    pub(super) fn failed(&mut self) {
        self.follower.failed();
    }

    /// Waits until a capture that no caller asked for is due.
    pub(super) async fn stir(&mut self) {
        match self.has_room {
            true => self.follower.stir().await,
            false => std::future::pending().await,
        }
    }

    /// Records what a capture shows that no caller asked for.
    pub(super) async fn look(&mut self, lines: &mut Lines, grab: &Arc<Grab>) {
        self.start_anew_after_loss(lines);
        // A frame of a caller may be newer.
        if self.follower.is_newer(grab) {
            match self.follower.change(grab).await {
                Ok(Some(change)) => {
                    let bytes = self.change(lines, change);
                    self.follower.spend(bytes);
                }
                Ok(None) => {}
                Err(_) => self.follower.forget(),
            }
        }
    }

    /// Records what a capture shows. Returns the number of the screen; 0 if the log does not have it.
    pub(super) async fn show(&mut self, lines: &mut Lines, grab: &Arc<Grab>) -> u64 {
        if !self.has_room {
            return 0;
        }
        self.start_anew_after_loss(lines);
        match self.follower.change(grab).await {
            Ok(Some(change)) => {
                self.change(lines, change);
            }
            Ok(None) => {}
            // A defect of the encoder: the next change is complete.
            Err(_) => {
                self.is_current = false;
                self.follower.forget();
            }
        }
        match self.is_current {
            true => self.count,
            false => 0,
        }
    }

    /// Whether a picture of this size is stored.
    pub(super) fn has_room_for(&self, lines: &Lines, bytes: usize) -> bool {
        self.has_room && lines.size() + bytes as u64 <= lines.max_bytes() / 8 * 7
    }

    /// If the log misses a record, it may be one of the screen or of the pointer: both begin again.
    fn start_anew_after_loss(&mut self, lines: &Lines) {
        if lines.has_lost() {
            self.follower.forget();
            self.pointers.clear();
            self.is_current = false;
        }
    }

    /// Records a change. Returns its bytes.
    fn change(&mut self, lines: &mut Lines, change: ScreenChange) -> u64 {
        let parts: usize = change.parts.iter().map(|(_, image)| image.len()).sum();
        // A new image of the pointer may be as large as its pixels.
        let cursor = change.cursor.as_ref();
        let pointer = cursor.map_or(0, |image| image.argb.len() * 4);
        if !self.has_room_for(lines, parts + pointer) {
            // The rest of the file is for what takes little: steps, refusals, changes of control.
            tracing::info!("the log has no room for further pictures of the screen");
            self.has_room = false;
            self.is_current = false;
            return 0;
        }
        let at = Instant::from_std(change.started);
        let before = self.pointer;
        let pointer_image = cursor.map_or(0, |image| self.pointer(lines, at, image));
        let is_new = self.pointer != before;
        self.count += 1;
        self.is_current = true;
        let record = records::screen(self.count, change, pointer_image);
        lines.append(at, Record::Screen(record));
        (parts + if is_new { pointer } else { 0 }) as u64
    }

    /// Returns the number of the pointer's image, which is recorded if it is new; 0 if it shows nothing.
    fn pointer(&mut self, lines: &mut Lines, at: Instant, image: &CursorImage) -> u64 {
        if image.argb.is_empty() {
            return 0;
        }
        let record = records::pointer_image(0, image);
        let hash = xxhash_rust::xxh3::xxh3_128(&record.encode_to_vec());
        if let Some(number) = self.pointers.get(&hash) {
            return *number;
        }
        if self.pointers.len() == POINTERS {
            self.pointers.clear();
        }
        self.pointer += 1;
        self.pointers.insert(hash, self.pointer);
        let number = self.pointer;
        let record = v1::LogPointerImage { number, ..record };
        lines.append(at, Record::PointerImage(record));
        number
    }
}
