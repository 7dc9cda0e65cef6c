//! The daemon's handle to the display stack: it sends orders to the init process, which starts,
//! ends and restarts the components, and receives their state.
//!
//! [`session`](crate::session) calls this module; [`cli`](crate::cli) calls it to run the init
//! process.
//!
//! - [`wire`]: the messages between the daemon and the init.
//! - [`init`]: the init process.

pub mod init;
pub mod wire;

use std::{
    collections::VecDeque,
    io,
    os::unix::net::UnixStream,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    sync::{mpsc, watch},
};

use crate::metrics;
use wire::{Component, ComponentState, Event, Problem, ToDaemon, ToInit};

/// Number of events that are kept for later readers.
const KEPT: usize = 256;
/// Interval of the heartbeats from the daemon to the init.
const ALIVE: Duration = Duration::from_secs(2);

/// An event and its number in this daemon instance, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// Its number.
    pub sequence: u64,
    /// The event.
    pub event: Event,
}

/// The last reported state of the stack.
#[derive(Debug, Clone, Default)]
pub struct StackState {
    /// Whether the stack is to be up.
    pub wanted: bool,
    /// The state of every component.
    pub components: Vec<ComponentState>,
    /// The port of the viewer's page on loopback; 0 without a viewer.
    pub viewer_port: u16,
}

impl StackState {
    /// Whether every enabled component is up.
    pub fn all_up(&self) -> bool {
        !self.components.is_empty() && self.components.iter().all(|c| c.up || !c.enabled)
    }

    /// Returns the X server's process id, if the X server is up.
    pub fn server(&self) -> Option<u32> {
        let server = self
            .components
            .iter()
            .find(|c| c.component == Component::Xvfb);
        server.filter(|server| server.up).map(|server| server.pid)
    }

    /// Returns a component that will not come up by further restarts alone.
    pub fn failed(&self) -> Option<&ComponentState> {
        let hopeless = |c: &&ComponentState| match &c.problem {
            Some(Problem::Missing { .. }) => true,
            Some(Problem::Failed) => c.restarts >= 3,
            None => false,
        };
        self.components.iter().find(hopeless)
    }
}

#[derive(Debug, Default)]
struct Log {
    events: VecDeque<Numbered>,
    last: u64,
}

/// A handle to the init.
#[derive(Debug)]
pub struct Stack {
    orders: mpsc::Sender<ToInit>,
    state: watch::Receiver<StackState>,
    news: watch::Sender<u64>,
    log: Arc<Mutex<Log>>,
}

impl Stack {
    /// Runs the connection to the init over `socket`, the daemon's end of a socket pair. Heartbeats
    /// are sent only while `works` returns true. `tell_server` is called with the X server's
    /// process id after each message of the init. Must be called within a runtime; the task that it
    /// starts ends with the init.
    ///
    /// # Errors
    ///
    /// When the socket cannot be used.
    pub fn connect(
        socket: UnixStream,
        works: impl Fn() -> bool + Send + 'static,
        tell_server: impl Fn(Option<u32>) + Send + 'static,
    ) -> io::Result<(Self, tokio::task::JoinHandle<()>)> {
        socket.set_nonblocking(true)?;
        let socket = tokio::net::UnixStream::from_std(socket)?;
        let (orders, inbox) = mpsc::channel(16);
        let (tell_state, state) = watch::channel(StackState::default());
        let news = watch::Sender::new(0);
        let log = Arc::new(Mutex::new(Log::default()));
        let task = tokio::spawn(talk(
            socket,
            inbox,
            tell_state,
            news.clone(),
            Arc::clone(&log),
            works,
            tell_server,
        ));
        let stack = Self {
            orders,
            state,
            news,
            log,
        };
        Ok((stack, task))
    }

    /// Sends an order. Its result is visible in the state and the events.
    pub async fn order(&self, order: ToInit) {
        // If the init has ended, the daemon ends, too.
        drop(self.orders.send(order).await);
    }

    /// Returns a receiver of the state, which is notified of each change.
    pub fn state(&self) -> watch::Receiver<StackState> {
        self.state.clone()
    }

    /// Returns a receiver of the number of the last event.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Adds an event of the daemon itself.
    pub fn note(
        &self,
        component: Component,
        status: wire::StageStatus,
        problem: Option<Problem>,
        message: String,
    ) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
        // The start of the bring-up is computed from the init's last event.
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let last = log.events.back().map(|last| &last.event);
        let elapsed = last.map_or(0, |last| last.elapsed_ms + now.saturating_sub(last.time_ms));
        drop(log);
        let event = Event {
            component,
            status,
            elapsed_ms: elapsed,
            time_ms: now,
            problem,
            message,
        };
        keep(event, &self.news, &self.log);
    }

    /// Returns the number before the first event of the current bring-up, which begins with the
    /// start of the X server. Without a current bring-up, returns the number of the last event.
    pub fn last_event_before_bring_up(&self) -> u64 {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let under_way = log.events.iter().rev().take_while(|event| {
            let event = &event.event;
            (event.component, event.status) != (Component::Paint, wire::StageStatus::Completed)
        });
        let first = under_way.into_iter().find(|event| {
            let event = &event.event;
            (event.component, event.status) == (Component::Xvfb, wire::StageStatus::Started)
        });
        first.map_or(log.last, |first| first.sequence - 1)
    }

    /// Returns the events after the number `sequence` that are still kept.
    pub fn events_after(&self, sequence: u64) -> Vec<Numbered> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let later = log.events.iter().filter(|event| event.sequence > sequence);
        later.cloned().collect()
    }
}

async fn talk(
    socket: tokio::net::UnixStream,
    mut inbox: mpsc::Receiver<ToInit>,
    state: watch::Sender<StackState>,
    news: watch::Sender<u64>,
    log: Arc<Mutex<Log>>,
    works: impl Fn() -> bool,
    tell_server: impl Fn(Option<u32>),
) {
    let (read, mut write) = socket.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut alive = tokio::time::interval(ALIVE);
    loop {
        let order = tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(line)) => {
                    take(&line, &state, &news, &log);
                    tell_server(state.borrow().server());
                    continue;
                }
                Ok(None) | Err(_) => return,
            },
            order = inbox.recv() => match order {
                Some(order) => order,
                None => return,
            },
            _ = alive.tick() => {
                if !works() {
                    continue;
                }
                ToInit::Alive
            }
        };
        let Ok(mut line) = serde_json::to_vec(&order) else {
            continue;
        };
        line.push(b'\n');
        if write.write_all(&line).await.is_err() {
            return;
        }
    }
}

fn take(
    line: &str,
    state: &watch::Sender<StackState>,
    news: &watch::Sender<u64>,
    log: &Mutex<Log>,
) {
    match serde_json::from_str(line) {
        Ok(ToDaemon::State {
            wanted,
            components,
            viewer_port,
        }) => {
            state.send_replace(StackState {
                wanted,
                components,
                viewer_port,
            });
        }
        Ok(ToDaemon::Event(event)) => keep(event, news, log),
        Err(error) => tracing::error!("the init sent what is no message: {error}"),
    }
}

fn keep(event: Event, news: &watch::Sender<u64>, log: &Mutex<Log>) {
    let component = event.component.name();
    let elapsed = Duration::from_millis(event.elapsed_ms);
    metrics::stage(component, event.status.name(), elapsed);
    if event.status == wire::StageStatus::Failed {
        tracing::warn!(component, "{}", event.message);
    } else {
        tracing::info!(component, status = ?event.status, "{}", event.message);
    }
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.last += 1;
    let sequence = log.last;
    if log.events.len() == KEPT {
        log.events.pop_front();
    }
    log.events.push_back(Numbered { sequence, event });
    drop(log);
    news.send_replace(sequence);
}
