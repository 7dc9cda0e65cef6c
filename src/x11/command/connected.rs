//! The work on one connection: captures, the pointer, paint proofs, resizes, and events of the
//! server. [`thread`](super::thread) calls it.

use std::{
    os::fd::AsFd,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{oneshot, watch};
use x11rb::{
    connection::{Connection as _, SequenceNumber},
    protocol::{
        Event,
        xproto::{ChangeWindowAttributesAux, ConnectionExt as _, EventMask, Window},
    },
};

use crate::failure::Failure;
use crate::frame::Size;
use crate::x11::{
    capture::grab::Capturer,
    command::arrangement::FollowedWindows,
    command::order::{CursorReading, Link, LinkState, Orders, Proof, ThreadSetup},
    connection::{
        framing::Purpose,
        mailbox::{Bell, Woken},
        server::{EVENTS_AT_ONCE, Server},
    },
    error::DisplayError,
    screen::{
        info::ScreenInfo,
        known::KnownScreen,
        resize, root_state,
        root_state::{Proven, RootState},
    },
};

/// Interval at which a quiet connection is checked. Health requires an answer that is at most 5 s
/// old, so two checks fit into this time.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// The events of the root window that the connection always selects.
const ROOT_EVENTS: EventMask = EventMask::STRUCTURE_NOTIFY;

/// A connection, and the state of its screen.
pub(in crate::x11) struct ScreenConnection {
    server: Server,
    known: KnownScreen,
    capturer: Capturer,
    /// The windows that carry the paint proof.
    carriers: Vec<Window>,
    followed: FollowedWindows,
    screen: usize,
    publish: watch::Sender<Link>,
    draw: watch::Sender<u64>,
}

impl ScreenConnection {
    /// Connects, and publishes the screen.
    ///
    /// # Errors
    ///
    /// Any error of connecting to the display or of reading its screen.
    pub(in crate::x11) fn open(job: &ThreadSetup) -> Result<Self, DisplayError> {
        let server = Server::open(
            job.name,
            job.patience,
            &job.pulse,
            (&job.owner, &job.trust),
            Purpose::Screen,
        )?;
        // Resizes of the root window are reported as events. `root_state::watch` does the same for
        // the end of the windows that carry the paint proof.
        let watch = ChangeWindowAttributesAux::new().event_mask(ROOT_EVENTS);
        server
            .conn
            .change_window_attributes(server.root, &watch)?
            .ignore_error();
        let (known, carriers) = KnownScreen::read(&server)?;
        root_state::watch(&server.conn, &carriers)?;
        let capturer = Capturer::probe(&server, known.size, job.choice, job.inbox.bell().clone())?;
        let (mode, reason) = capturer.mode();
        tracing::info!(
            display = %job.name, size = %known.size, depth = server.depth, socket = ?server.socket,
            mode = ?mode, reason, generation = %known.generation, epoch = known.epoch,
            proof = known.proof.map(tracing::field::display),
            "connected to the X server"
        );
        let connected = Self {
            server,
            known,
            capturer,
            carriers,
            followed: FollowedWindows::default(),
            screen: job.name.screen,
            publish: job.publish.clone(),
            draw: job.draw.clone(),
        };
        connected.tell_drawn();
        connected.publish_screen();
        Ok(connected)
    }

    /// Processes queued commands, then pending X events.
    ///
    /// # Errors
    ///
    /// An error that ends the connection.
    pub(in crate::x11) fn work(&mut self, orders: &mut Orders) -> Result<(), DisplayError> {
        self.resize(&mut orders.resizes)?;
        self.keep_proofs(std::mem::take(&mut orders.proofs))?;
        for window in orders.follows.drain(..) {
            let root = (self.screen, ROOT_EVENTS);
            self.followed
                .follow(&self.server, root, &self.carriers, window)?;
        }
        self.capture(orders)?;
        self.read_cursor(&mut orders.cursors)?;
        self.take_events(None)?;
        Ok(self.server.conn.flush()?)
    }

    /// Waits for a command or for the server. After [`HEARTBEAT`] without either, queries the
    /// screen.
    ///
    /// # Errors
    ///
    /// An error that ends the connection.
    pub(in crate::x11) fn wait(&mut self, bell: &Bell) -> Result<(), DisplayError> {
        let socket = self.server.conn.stream().as_fd();
        match bell
            .wait(Some(socket), HEARTBEAT)
            .map_err(DisplayError::Lost)?
        {
            Woken::Work => Ok(()),
            Woken::Time => {
                self.capturer.trim();
                self.look_again()
            }
        }
    }

    /// Processes events: resizes, drawing, and the end of windows that carry the paint proof.
    /// Errors of unchecked requests and MappingNotify also arrive as events, and would accumulate.
    /// One call processes at most [`EVENTS_AT_ONCE`] events and then acts on them once. With
    /// `before`, it stops after the first event that the server sent after it processed that
    /// request: later events can wait.
    fn take_events(&mut self, before: Option<SequenceNumber>) -> Result<(), DisplayError> {
        let (mut resized, mut ended, mut drawn) = (false, false, false);
        let mut are_all_seen = false;
        for _ in 0..EVENTS_AT_ONCE {
            let Some((event, after)) = self.server.next_event()? else {
                are_all_seen = true;
                break;
            };
            self.followed.note(&event);
            match event {
                Event::ConfigureNotify(event) => resized |= event.window == self.server.root,
                Event::DestroyNotify(event) if self.carriers.contains(&event.window) => {
                    self.carriers.retain(|window| *window != event.window);
                    ended = true;
                }
                Event::DamageNotify(event) => {
                    self.capturer.drawn(&event.area, after, self.known.size);
                    drawn = true;
                }
                _ => {}
            }
            // Events contain the number of the last request that the server processed before them.
            if before.is_some_and(|request| after >= request) {
                are_all_seen = true;
                break;
            }
        }
        if !are_all_seen {
            self.followed.note_change();
        }
        if self.server.lost_events() {
            tracing::debug!("events were lost: too many came at once");
            let (known, carriers) = KnownScreen::read(&self.server)?;
            ended |= carriers.len() < self.carriers.len();
            (self.known.proof, self.carriers) = (known.proof, carriers);
            (drawn, resized) = (true, true);
            self.followed.note_change();
        }
        if drawn {
            self.tell_drawn();
        }
        if resized {
            self.look_again()?;
        }
        if ended && self.carriers.is_empty() && self.known.proof.is_some() {
            self.void()?;
        } else if ended {
            self.publish_screen();
        }
        Ok(())
    }

    fn tell_drawn(&self) {
        self.draw.send_modify(|times| *times += 1);
    }

    /// Removes the paint proof, because the last window that carried it was destroyed.
    fn void(&mut self) -> Result<(), DisplayError> {
        tracing::info!("the windows that carried the proof of paint have gone");
        self.known.proof = None;
        root_state::set_proof(&self.server, &state(&self.known, None))?;
        self.publish_screen();
        Ok(())
    }

    fn resize(
        &mut self,
        orders: &mut Vec<(Size, oneshot::Sender<Result<bool, Failure>>)>,
    ) -> Result<(), DisplayError> {
        while let Some((size, reply)) = orders.pop() {
            let result = match resize::resize(&self.server, self.server.dpi, size) {
                Err(error) if error.ends_connection() => return Err(error),
                result => result.map_err(|error| error.failure()),
            };
            self.look_again()?;
            drop(reply.send(result));
        }
        Ok(())
    }

    fn keep_proofs(&mut self, proofs: Vec<Proof>) -> Result<(), DisplayError> {
        for proof in proofs {
            let is_known = |known: &KnownScreen| {
                (known.generation, known.epoch) == (proof.generation, proof.geometry_epoch)
            };
            if !is_known(&self.known) {
                // The observation has its own connection, and may know of a resize first.
                (self.known, self.carriers) = KnownScreen::read(&self.server)?;
                self.publish_screen();
            }
            let better = !self
                .known
                .proof
                .is_some_and(|kept| kept.implies(proof.profile));
            if !(is_known(&self.known) && better) {
                continue;
            }
            let proven = Proven {
                profile: proof.profile,
                windows: proof.windows,
            };
            let state = state(&self.known, Some(proven));
            self.followed.forget();
            if let Some(carriers) = root_state::set_proof(&self.server, &state)? {
                tracing::info!(profile = %proof.profile, generation = %self.known.generation, "the paint is proved");
                self.carriers = carriers;
                self.known.proof = Some(proof.profile);
                self.publish_screen();
            } else {
                (self.known, self.carriers) = KnownScreen::read(&self.server)?;
                self.publish_screen();
            }
        }
        Ok(())
    }

    /// Makes one capture for all waiting callers.
    fn capture(&mut self, orders: &mut Orders) -> Result<(), DisplayError> {
        if orders.captures.is_empty() {
            return Ok(());
        }
        let before = (self.known, self.capturer.mode().0);
        let number = orders.grabs + 1;
        let mut grab = self.capturer.grab(&self.server, &mut self.known, number);
        if grab.is_err() && self.capturer.mode().0 != before.1 {
            // Shared memory is no longer available, so the capturer now uses GetImage.
            grab = self.capturer.grab(&self.server, &mut self.known, number);
        }
        let grab = match grab {
            Ok(Some(grab)) => Ok(grab),
            Ok(None) => return Ok(()),
            Err(error) if error.ends_connection() => return Err(error),
            Err(error) => Err(error.failure()),
        };
        // Events that the server sent before the pixels precede them in the stream. Later events
        // are not awaited, because a client may cause them without end.
        self.take_events(Some(self.capturer.last_request()))?;
        let grab = grab.map(|mut grab| {
            let same =
                (grab.generation, grab.geometry_epoch) == (self.known.generation, self.known.epoch);
            grab.proof = self.known.proof.filter(|_| same);
            grab.arrangement = self.followed.now();
            Arc::new(grab)
        });
        orders.grabs += 1;
        for reply in orders.captures.drain(..) {
            // The caller may have given up.
            drop(reply.send(grab.clone()));
        }
        if before == (self.known, self.capturer.mode().0) {
            self.publish_answer();
        } else {
            self.publish_screen();
        }
        Ok(())
    }

    fn read_cursor(
        &mut self,
        cursors: &mut Vec<oneshot::Sender<Result<CursorReading, Failure>>>,
    ) -> Result<(), DisplayError> {
        if cursors.is_empty() {
            return Ok(());
        }
        let conn = &self.server.conn;
        let pointer = conn.query_pointer(self.server.root)?;
        let image = self.capturer.cursor().ask(&self.server)?;
        let pointer = pointer
            .reply()
            .map_err(|error| DisplayError::reply("QueryPointer", error))?;
        let reading = CursorReading {
            position: (pointer.root_x.into(), pointer.root_y.into()),
            image: match image {
                Some(asked) => self.capturer.cursor().answer(asked)?,
                None => None,
            },
            generation: self.known.generation,
            geometry_epoch: self.known.epoch,
        };
        for reply in cursors.drain(..) {
            drop(reply.send(Ok(reading.clone())));
        }
        self.publish_answer();
        Ok(())
    }

    /// Queries the screen's size, and reads the screen's state if the size has changed.
    fn look_again(&mut self) -> Result<(), DisplayError> {
        if self.server.geometry()? == self.known.size {
            self.publish_answer();
        } else {
            (self.known, _) = KnownScreen::read(&self.server)?;
            self.publish_screen();
        }
        Ok(())
    }

    /// Records the time of the server's answer, at most once per second: readers of the answer's
    /// age need no more, and a burst of captures must not wake them each time.
    fn publish_answer(&self) {
        self.publish.send_if_modified(|link| {
            let now = Instant::now();
            let stale = link
                .last_answer
                .is_none_or(|last| now - last > HEARTBEAT / 2);
            if stale {
                link.last_answer = Some(now);
            }
            stale
        });
    }

    fn publish_screen(&self) {
        let screen = ScreenInfo {
            carriers: self.known.proof.map_or(0, |_| self.carriers.len()),
            ..ScreenInfo::of(&self.server, &self.known, &self.capturer)
        };
        self.publish.send_modify(|link| {
            *link = Link {
                state: LinkState::Up(screen.clone()),
                last_screen: Some(screen),
                last_answer: Some(Instant::now()),
            };
        });
    }
}

fn state(known: &KnownScreen, proof: Option<Proven>) -> RootState {
    RootState {
        generation: known.generation,
        epoch: known.epoch,
        size: known.size,
        proof,
    }
}
