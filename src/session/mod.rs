//! Operates the display, without gRPC: objects that share it.
//!
//! - [`capture`]: the screen as frames or failure cards, streams of frames, and the pointer.
//! - [`input`]: the steps of agents, executed once and settled, and held input.
//! - [`control`]: who may give input: a lease that a person takes from an agent.
//! - [`bring_up`]: starts, stops and resizes the display stack, and waits for the paint proof
//!   (the record on the root window that the desktop is painted) after each start.
//! - [`windows`]: lists and changes windows, and waits for conditions.
//! - [`programs`]: launches and lists programs, through the session helper.
//! - [`clipboard`]: reads and replaces the clipboard.
//! - `paint`: determines whether the desktop is painted, for the others.

mod bring_up;
mod capture;
mod clipboard;
mod control;
mod input;
mod paint;
mod programs;
mod windows;

use std::{path::PathBuf, sync::Arc};

use tokio_util::sync::CancellationToken;

pub use bring_up::{BringUp, Classification, StackError, UpResult};
pub use capture::{
    AskedRegion, Capture, CursorFailure, Fit, Frame, FrameKind, FrameObserver, HISTORY, ImageSpec,
    Refusal, Scale, ScreenChange, ScreenFollower, SeenFrame, Space, Spec, StreamUpdate, TileLimit,
    Timings, Watch, WindowImage, WindowMatch, WindowRefusal, WindowTarget,
};
pub use clipboard::ClipboardStore;
pub use control::{
    Authenticated, Control, ControlError, ControlRefusal, HolderKind, LeaseEnd, LeaseKey, Leases,
    TakeLease,
};
pub use input::{
    Account, Act, Acted, Action, ActionStatus, AskedPoint, Button, Done, Ended, Expect, Input, Key,
    Method, Operation, Outcome, Pressed, PressedInput, QUEUE, Refused, Run, Settled, Settling,
    StepObserver, Text,
};
pub use paint::Awaited;
pub use programs::{Launched, ListedProgram, ProgramError, Programs};
pub use windows::{
    ChangeOutcome, Changed, Condition, ConditionState, RegionCondition, WaitRefusal, Waited,
    WindowCondition, Windows,
};

use control::SharedLeases;

use crate::{facts::Profile, frame::Size, helper::Helper, stack::Stack, x11::Display};

/// One instance of the daemon, on one display.
#[derive(Debug, Clone)]
pub struct Session {
    /// The screen.
    pub capture: Arc<Capture>,
    /// The pointer and the keyboard.
    pub input: Arc<Input>,
    /// Who may give input.
    pub control: Arc<Control>,
    /// The windows.
    pub windows: Arc<Windows>,
    /// The programs.
    pub programs: Arc<Programs>,
    /// The clipboard.
    pub clipboard: Arc<ClipboardStore>,
    /// The display stack.
    pub bring_up: Arc<BringUp>,
    instance_id: Arc<str>,
    shutdown: CancellationToken,
}

impl Session {
    /// Creates a session on `display`, which counts as painted according to `profile`.
    /// `stack` manages the display; `None` if another program does. `helper` is the session helper
    /// that starts programs. Lease and control epoch outlive the daemon in the file `kept`. Failure cards have the
    /// size `configured` until a screen was seen. When `shutdown` is cancelled, waiting calls
    /// end; screenshots then return a failure card.
    ///
    /// # Errors
    ///
    /// Fails if the system provides no random numbers or cannot start a thread.
    pub fn new(
        display: Arc<Display>,
        profile: Profile,
        (stack, helper): (Option<Stack>, Helper),
        configured: Size,
        kept: Option<PathBuf>,
        shutdown: CancellationToken,
    ) -> std::io::Result<Self> {
        let leases = Arc::new(SharedLeases::kept_in(kept));
        let (instance, seed) = (getrandom::u64()?, getrandom::u64()?);
        let instance_id: Arc<str> = format!("{instance:016x}{:016x}", getrandom::u64()?).into();
        let input_display = Arc::clone(&display);
        let capture = Capture::new(
            display,
            profile,
            configured,
            (&instance_id[..8], seed),
            Arc::clone(&leases),
            shutdown.clone(),
        );
        let capture = Arc::new(capture);
        let windows = Arc::new(Windows::new(Arc::clone(&capture)));
        let programs = Arc::new(Programs::new(helper, Arc::clone(&windows)));
        let clipboard = Arc::new(ClipboardStore::new(Arc::clone(&capture)));
        let input = Input::new(
            input_display,
            (Arc::clone(&capture), Arc::clone(&windows)),
            Arc::clone(&leases),
            Arc::clone(&instance_id),
            shutdown.clone(),
        )?;
        let input = Arc::new(input);
        let control = Arc::new(Control::new(leases, Arc::clone(&input)));
        let bring_up = BringUp::new(stack, configured, Arc::clone(&capture), shutdown.clone());
        Ok(Self {
            capture,
            input,
            control,
            clipboard,
            programs,
            windows,
            bring_up: Arc::new(bring_up),
            instance_id,
            shutdown,
        })
    }

    /// Returns the random identifier of this instance: 32 hexadecimal digits.
    pub fn instance_id(&self) -> &str {
        &self.instance_id
    }

    /// Returns a token that is cancelled when the daemon stops.
    pub fn stopping(&self) -> CancellationToken {
        self.shutdown.clone()
    }
}
