//! Input: the steps of agents, validated whole, done once, settled, answered with the
//! frame that shows them.
//!
//! The input belongs to one step at a time, from its first event until its frame
//! is taken; others wait in the order in which they came. Captures never wait
//! for it. Each step runs in a task of its own, so that a caller who goes away
//! stops it between two events, and never between a press and its release.

mod action;
mod call;
mod carriable;
mod drag_path;
mod hands;
mod job;
mod journal;
mod ledger;
mod pacing;
mod pasting;
mod perform;
mod pictures;
mod plan;
mod planned;
mod pointer;
mod prepare;
mod pressed;
mod refused;
mod resting;
mod state;
mod stop;
mod thread;
mod typing;

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Semaphore, oneshot},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

pub use action::{
    Account, Act, Acted, Action, ActionStatus, AskedPoint, Button, Done, Ended, Expect, Key,
    Method, Operation, Outcome, Run, Settled, Settling, Text,
};
pub use pressed::{Pressed, PressedInput};
pub use refused::{QUEUE, Refused};

use super::capture::Capture;
use crate::{
    failure::Failure,
    x11::{Display, LinkState, Sender, mailbox},
};
use job::InputOrder;
use journal::Journal;
use pressed::Board;

/// A daemon that stops waits so long for what it holds to be released.
const LETTING_GO: Duration = Duration::from_secs(2);

/// The input of one display.
#[derive(Debug)]
pub struct Input {
    orders: Sender<InputOrder>,
    board: Board,
    /// One permit: the input itself. Fair, so that callers have it in turns.
    turn: Arc<Semaphore>,
    /// Callers that wait for it or have it.
    queue: Arc<Semaphore>,
    journal: Mutex<Journal>,
    /// Cancels the step under way.
    current: Mutex<CancellationToken>,
    tasks: Mutex<JoinSet<()>>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    /// The thread's number in `/proc/self/task`; 0 before it runs.
    thread_number: Arc<AtomicI32>,
    capture: Arc<Capture>,
    instance_id: Arc<str>,
    shutdown: CancellationToken,
}

impl Input {
    /// Starts the input thread, which connects when the display is there.
    pub(super) fn new(
        display: Arc<Display>,
        capture: Arc<Capture>,
        instance_id: Arc<str>,
        shutdown: CancellationToken,
    ) -> io::Result<Self> {
        let (orders, inbox) = mailbox(QUEUE * 4)?;
        let board = Board::default();
        let thread_number = Arc::new(AtomicI32::new(0));
        let number = Arc::clone(&thread_number);
        let thread = thread::spawn(display, inbox, Arc::clone(&board), number)?;
        Ok(Self {
            orders,
            board,
            turn: Arc::new(Semaphore::new(1)),
            queue: Arc::new(Semaphore::new(QUEUE)),
            journal: Mutex::default(),
            current: Mutex::default(),
            tasks: Mutex::default(),
            thread: Mutex::new(Some(thread)),
            thread_number,
            capture,
            instance_id,
            shutdown,
        })
    }

    /// Gives an order. False when the queue is full: then the thread waits for the
    /// server, and has more orders than anybody waits for.
    fn order(&self, order: InputOrder) -> bool {
        self.orders.try_send(order).is_ok()
    }

    /// Where in the kernel the input thread waits, and in which system call (proc(5), `wchan`
    /// and `syscall`), as far as the kernel says.
    fn waits_in(&self) -> (String, String) {
        let number = self.thread_number.load(Ordering::Relaxed);
        let read = |file: &str| {
            let text = std::fs::read_to_string(format!("/proc/self/task/{number}/{file}"));
            text.unwrap_or_default().trim().to_owned()
        };
        let call = read("syscall");
        // The call's number and its first argument; the others are addresses.
        let call: Vec<&str> = call.split(' ').take(2).collect();
        (read("wchan"), call.join(" "))
    }

    fn cancel(&self) {
        lock(&self.current).cancel();
        self.orders.bell().ring();
    }

    /// The input that deskd holds down now, oldest first.
    pub fn pressed(&self) -> Vec<Pressed> {
        lock(&self.board).clone()
    }

    /// Releases everything that deskd holds down, and cancels the step under
    /// way; what it was.
    ///
    /// # Errors
    ///
    /// When the X server does not answer before `reply_by`.
    pub async fn release_all(&self, reply_by: Instant) -> Result<Vec<Pressed>, Failure> {
        let held = self.pressed();
        self.cancel();
        let (reply, answer) = oneshot::channel();
        if !self.order(InputOrder::ReleaseAll(reply)) {
            return Err(self.capture.overdue());
        }
        let rest = self
            .capture
            .wait(reply_by, async {
                answer.await.unwrap_or_else(|_| Err(Failure::stopping()))
            })
            .await?;
        let mut released = held;
        for pressed in rest {
            if !released.iter().any(|known| known.what == pressed.what) {
                released.push(pressed);
            }
        }
        Ok(released)
    }

    /// Has the input thread look for what an earlier life of the daemon left
    /// down, each time the display comes up. Until the daemon stops.
    pub async fn keep_hands_clean(self: Arc<Self>) {
        let mut link = self.capture.display.link();
        let mut seen = None;
        loop {
            let now = match &link.borrow_and_update().state {
                LinkState::Up(screen) => Some(screen.generation),
                LinkState::Down(_) | LinkState::Connecting => None,
            };
            if now.is_some() && now != seen {
                self.order(InputOrder::Connect);
            }
            seen = now;
            if link.changed().await.is_err() {
                return;
            }
        }
    }

    /// Releases what is held, and ends the input thread: the daemon stops.
    pub async fn let_go(&self) {
        self.cancel();
        self.order(InputOrder::Close);
        let Some(thread) = lock(&self.thread).take() else {
            return;
        };
        let ended = tokio::task::spawn_blocking(move || drop(thread.join()));
        if tokio::time::timeout(LETTING_GO, ended).await.is_err() {
            tracing::warn!("the X server does not answer: what deskd holds down stays down");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whole after any panic: changes are single steps.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
