//! Input: validates the steps of agents, executes each once, waits until the screen settles, and
//! returns the frame that shows the result.
//!
//! One step at a time owns the input, from its first event until its frame is taken; other steps
//! wait in the order of arrival. Captures never wait for the input. Each step runs in a task of its
//! own. If all its callers disconnect, the step stops between two events, and the keys and buttons
//! that it pressed are released.

mod action;
mod call;
mod carriable;
mod checks;
mod drag_path;
mod errands;
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
mod reading;
mod refused;
mod resting;
mod state;
mod stop;
mod thread;
mod typing;
mod waits;

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
    Method, Operation, Outcome, Run, Settled, Settling, StepObserver, Text,
};
pub use pressed::{Pressed, PressedInput};
pub use refused::{QUEUE, Refused};

use super::capture::Capture;
use crate::{
    failure::Failure,
    session::{control::SharedLeases, windows::Windows},
    x11::{Display, LinkState, Sender, mailbox},
};
use job::InputOrder;
use journal::Journal;
use pressed::Board;

/// Maximum time at shutdown for the input thread to release held input and to end.
const LETTING_GO: Duration = Duration::from_secs(2);

/// The input of one display.
#[derive(Debug)]
pub struct Input {
    orders: Sender<InputOrder>,
    board: Board,
    /// Has one permit; its holder owns the input. The semaphore is fair: it serves callers in the
    /// order of arrival.
    turn: Arc<Semaphore>,
    /// Limits the number of callers that wait for the input or own it to [`QUEUE`].
    queue: Arc<Semaphore>,
    journal: Mutex<Journal>,
    /// Cancels the step under way.
    current: Mutex<CancellationToken>,
    tasks: Mutex<JoinSet<()>>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    /// The input thread's id in `/proc/self/task`; 0 before the thread runs.
    thread_number: Arc<AtomicI32>,
    capture: Arc<Capture>,
    windows: Arc<Windows>,
    leases: Arc<SharedLeases>,
    instance_id: Arc<str>,
    shutdown: CancellationToken,
}

impl Input {
    /// Starts the input thread. It connects to the X server at the first order that requires it.
    pub(super) fn new(
        display: Arc<Display>,
        (capture, windows): (Arc<Capture>, Arc<Windows>),
        leases: Arc<SharedLeases>,
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
            windows,
            leases,
            instance_id,
            shutdown,
        })
    }

    /// Sends an order to the input thread. Returns false if the mailbox is full. The mailbox holds
    /// more orders than [`QUEUE`] callers send, so it fills only while the thread is blocked on the
    /// X server.
    fn order(&self, order: InputOrder) -> bool {
        self.orders.try_send(order).is_ok()
    }

    /// Returns the kernel function in which the input thread sleeps, and its current system call
    /// (proc(5), `wchan` and `syscall`). A value that the kernel does not report is empty.
    fn waits_in(&self) -> (String, String) {
        let number = self.thread_number.load(Ordering::Relaxed);
        let read = |file: &str| {
            let text = std::fs::read_to_string(format!("/proc/self/task/{number}/{file}"));
            text.unwrap_or_default().trim().to_owned()
        };
        let call = read("syscall");
        // Keep the number of the system call and its first argument; the other arguments are
        // addresses.
        let call: Vec<&str> = call.split(' ').take(2).collect();
        (read("wchan"), call.join(" "))
    }

    fn cancel(&self) {
        lock(&self.current).cancel();
        self.orders.bell().ring();
    }

    /// Returns the input that deskd holds down now, oldest first.
    pub fn pressed(&self) -> Vec<Pressed> {
        lock(&self.board).clone()
    }

    /// Releases all held input, cancels the step under way, and returns what was held.
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

    /// Sends `InputOrder::Connect` each time the display connection comes up, so that the input
    /// thread finds and releases what an earlier instance left down. Runs until the daemon stops.
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

    /// Releases held input and ends the input thread; called when the daemon stops.
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
    // A panic leaves the value consistent, because each change is a single operation.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
