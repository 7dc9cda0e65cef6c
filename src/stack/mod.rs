//! The display stack, seen from the daemon: a handle to the init, which starts,
//! ends and restarts its components.
//!
//! Called by [`session`](crate::session) and, for the init's process, by
//! [`cli`](crate::cli).
//!
//! - [`wire`]: their messages.
//! - [`init`]: the other process.

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

/// Events that are kept for those who come later.
const KEPT: usize = 256;
/// How often the daemon sends the init a sign of life.
const ALIVE: Duration = Duration::from_secs(2);

/// An event and its number in this daemon life, from 1.
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
    /// Whether it is to be up.
    pub wanted: bool,
    /// All components.
    pub components: Vec<ComponentState>,
    /// The port of the viewer's page on loopback; 0 without a viewer.
    pub viewer_port: u16,
}

impl StackState {
    /// Every enabled component is up.
    pub fn all_up(&self) -> bool {
        !self.components.is_empty() && self.components.iter().all(|c| c.up || !c.enabled)
    }

    /// The X server's process.
    pub fn server(&self) -> Option<u32> {
        let server = self
            .components
            .iter()
            .find(|c| c.component == Component::Xvfb);
        server.filter(|server| server.up).map(|server| server.pid)
    }

    /// A component that is not up, and will not be without somebody's help.
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
    /// Runs over the daemon's end of the socket pair. `works` returns whether the rest of
    /// the daemon works; `tell_server` gets the X server's process as soon as the init
    /// reports it. Must be called within a runtime; the task that it starts ends with the
    /// init.
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

    /// Sends an order; what becomes of it shows in the state.
    pub async fn order(&self, order: ToInit) {
        // An init that has gone ends the daemon, too.
        drop(self.orders.send(order).await);
    }

    /// The state, and a signal when it changes.
    pub fn state(&self) -> watch::Receiver<StackState> {
        self.state.clone()
    }

    /// A signal for each event: its number.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Adds an event of the daemon's own.
    pub fn note(
        &self,
        component: Component,
        status: wire::StageStatus,
        problem: Option<Problem>,
        message: String,
    ) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
        // The bring-up began where the init's last event says.
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

    /// The number before the first event of the bring-up that is under way, which begins with
    /// the X server's start; else that of the last event.
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

    /// Events after that number which are still kept.
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
