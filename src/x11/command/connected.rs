//! The work on one connection: captures, the pointer, proofs, resizes, and events of the
//! server. [`thread`](super::thread) decides when.

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
    command::order::{CursorReading, Link, LinkState, Orders, Proof, ThreadSetup},
    connection::{
        mailbox::{Bell, Woken},
        server::{EVENTS_AT_ONCE, Server},
        socket::Purpose,
    },
    error::DisplayError,
    screen::{
        info::ScreenInfo,
        known::KnownScreen,
        resize, root_state,
        root_state::{Proven, RootState},
    },
};

/// How often a quiet connection is checked. Health requires an answer that is at most 5 s
/// old, so two checks fit into that.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// A connection, and what is known of its screen.
pub(in crate::x11) struct ScreenConnection {
    server: Server,
    known: KnownScreen,
    capturer: Capturer,
    /// Windows that carry the proof.
    carriers: Vec<Window>,
    publish: watch::Sender<Link>,
    draw: watch::Sender<u64>,
}

impl ScreenConnection {
    /// Connects, and reports it.
    ///
    /// # Errors
    ///
    /// Any of reaching the display.
    pub(in crate::x11) fn open(job: &ThreadSetup) -> Result<Self, DisplayError> {
        let server = Server::open(
            job.name,
            job.patience,
            &job.pulse,
            (&job.owner, &job.trust),
            Purpose::Screen,
        )?;
        // Resizes are told, and the end of the windows that carry the proof.
        let watch = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
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
    /// One that ends the connection.
    pub(in crate::x11) fn work(&mut self, orders: &mut Orders) -> Result<(), DisplayError> {
        self.resize(&mut orders.resizes)?;
        self.keep_proofs(std::mem::take(&mut orders.proofs))?;
        self.capture(orders)?;
        self.read_cursor(&mut orders.cursors)?;
        self.take_events(None)?;
        Ok(self.server.conn.flush()?)
    }

    /// Waits for orders or for the server; asks it when nothing happens.
    ///
    /// # Errors
    ///
    /// One that ends the connection.
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

    /// Takes in events: resizes, and windows that have ended. Errors of unchecked requests
    /// and MappingNotify come as events, too, and would pile up. A bounded number is taken
    /// in, then the daemon looks once. With `before`, those that the server sent before it
    /// worked on that request: later ones can wait.
    fn take_events(&mut self, before: Option<SequenceNumber>) -> Result<(), DisplayError> {
        let (mut resized, mut ended, mut drawn) = (false, false, false);
        for _ in 0..EVENTS_AT_ONCE {
            let Some((event, after)) = self.server.next_event()? else {
                break;
            };
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
            // Events carry the number of the last request that was worked on.
            if before.is_some_and(|request| after >= request) {
                break;
            }
        }
        if self.server.lost_events() {
            tracing::debug!("events were lost: too many came at once");
            let (known, carriers) = KnownScreen::read(&self.server)?;
            ended |= carriers.len() < self.carriers.len();
            (self.known.proof, self.carriers) = (known.proof, carriers);
            (drawn, resized) = (true, true);
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

    /// The last window that carried the proof has gone.
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
            let current = proof.generation == self.known.generation
                && proof.geometry_epoch == self.known.epoch;
            let better = !self
                .known
                .proof
                .is_some_and(|kept| kept.implies(proof.profile));
            if !(current && better) {
                continue;
            }
            let proven = Proven {
                profile: proof.profile,
                windows: proof.windows,
            };
            let state = state(&self.known, Some(proven));
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

    /// One capture for all who wait.
    fn capture(&mut self, orders: &mut Orders) -> Result<(), DisplayError> {
        if orders.captures.is_empty() {
            return Ok(());
        }
        let before = (self.known, self.capturer.mode().0);
        let number = orders.grabs + 1;
        let mut grab = self.capturer.grab(&self.server, &mut self.known, number);
        if grab.is_err() && self.capturer.mode().0 != before.1 {
            // No memory to share any more: it is read in another way.
            grab = self.capturer.grab(&self.server, &mut self.known, number);
        }
        let grab = match grab {
            Ok(Some(grab)) => Ok(grab),
            Ok(None) => return Ok(()),
            Err(error) if error.ends_connection() => return Err(error),
            Err(error) => Err(error.failure()),
        };
        // What was told before the pixels lies before them in the stream. In a flood the
        // events after them do not end.
        self.take_events(Some(self.capturer.last_request()))?;
        let grab = grab.map(|mut grab| {
            let same =
                (grab.generation, grab.geometry_epoch) == (self.known.generation, self.known.epoch);
            grab.proof = self.known.proof.filter(|_| same);
            Arc::new(grab)
        });
        orders.grabs += 1;
        for reply in orders.captures.drain(..) {
            // The caller may have given up meanwhile.
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

    /// Notes a resize.
    fn look_again(&mut self) -> Result<(), DisplayError> {
        if self.server.geometry()? == self.known.size {
            self.publish_answer();
        } else {
            (self.known, _) = KnownScreen::read(&self.server)?;
            self.publish_screen();
        }
        Ok(())
    }

    /// Notes that the server answered. Who looks at the age of the answer looks
    /// by the second, so a burst of captures does not wake them each time.
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
