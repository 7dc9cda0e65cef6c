//! What a daemon does with its display, without gRPC: three objects that share the
//! connection to the X server.
//!
//! - [`capture`]: the screen as frames or failure cards, streams of them, the pointer.
//! - [`input`]: the steps of agents, done once, settled, and what is held down.
//! - [`bring_up`]: the display stack: up, down, sizes, and the paint's proof for each start.
//! - `paint`: whether the desktop is painted; the other three ask it.

mod bring_up;
mod capture;
mod input;
mod paint;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use bring_up::{BringUp, Classification, StackError, UpResult};
pub use capture::{
    AskedRegion, Capture, CursorFailure, Fit, Frame, FrameKind, HISTORY, ImageSpec, Refusal, Scale,
    Space, Spec, StreamUpdate, TileLimit, Timings, Watch,
};
pub use input::{
    Account, Act, Acted, Action, ActionStatus, AskedPoint, Button, Done, Ended, Expect, Input, Key,
    Method, Operation, Outcome, Pressed, PressedInput, QUEUE, Refused, Run, Settled, Settling,
    Text,
};
pub use paint::Awaited;

use crate::{facts::Profile, frame::Size, stack::Stack, x11::Display};

/// One daemon life on one display.
#[derive(Debug, Clone)]
pub struct Session {
    /// The screen.
    pub capture: Arc<Capture>,
    /// The pointer and the keyboard.
    pub input: Arc<Input>,
    /// The display stack.
    pub bring_up: Arc<BringUp>,
    instance_id: Arc<str>,
    shutdown: CancellationToken,
}

impl Session {
    /// A session on `display`, which is painted when `profile` says so, and which
    /// `stack` starts unless somebody else does. A card has the size `configured` while no
    /// screen was seen. When `shutdown` is cancelled, waiting calls get their card.
    ///
    /// # Errors
    ///
    /// When the system has no randomness, or no thread left.
    pub fn new(
        display: Arc<Display>,
        profile: Profile,
        stack: Option<Stack>,
        configured: Size,
        shutdown: CancellationToken,
    ) -> std::io::Result<Self> {
        let (instance, seed) = (getrandom::u64()?, getrandom::u64()?);
        let instance_id: Arc<str> = format!("{instance:016x}{:016x}", getrandom::u64()?).into();
        let input_display = Arc::clone(&display);
        let capture = Capture::new(
            display,
            profile,
            configured,
            (&instance_id[..8], seed),
            shutdown.clone(),
        );
        let capture = Arc::new(capture);
        let input = Input::new(
            input_display,
            Arc::clone(&capture),
            Arc::clone(&instance_id),
            shutdown.clone(),
        )?;
        let bring_up = BringUp::new(stack, configured, Arc::clone(&capture), shutdown.clone());
        Ok(Self {
            capture,
            input: Arc::new(input),
            bring_up: Arc::new(bring_up),
            instance_id,
            shutdown,
        })
    }

    /// Random, one for each daemon life, 32 hexadecimal digits.
    pub fn instance_id(&self) -> &str {
        &self.instance_id
    }

    /// Cancelled when the daemon stops.
    pub fn stopping(&self) -> CancellationToken {
        self.shutdown.clone()
    }
}
