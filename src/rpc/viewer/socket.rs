//! The conversation with one page: the screen, who is in control, and the person's input.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Notify, Semaphore, mpsc},
    time::Instant,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use super::{
    sessions::{HeldLease, SessionSocket},
    token::{Verifier, ViewerMode},
    wire::{self, FromPage, ImageKind, ToPage},
};
use crate::{
    encode::Format,
    session::{
        Act, Authenticated, Control, ControlError, Expect, FrameKind, HolderKind, ImageSpec,
        LeaseKey, Outcome, Scale, Session, Space, Spec, StreamUpdate, TakeLease, Watch,
    },
    x11::{ClipboardItem, ClipboardRead, LinkState, SelectionName},
};

/// Maximum number of updates a second.
const FPS: u32 = 30;
/// Maximum number of updates that the page has not drawn yet.
const UPDATES: usize = 2;
/// Time until a lease ends that is not renewed: the time for a connection that broke off to return.
const TTL: Duration = Duration::from_secs(30);
/// A person who gives no input for this time gives control back.
const IDLE: Duration = Duration::from_secs(600);
/// A page that sends nothing for this time, not even the answer to a ping, is gone.
const SILENCE: Duration = Duration::from_secs(30);
/// Maximum time to send one message.
const SENDING: Duration = Duration::from_secs(30);
/// Maximum time of one input, and of a call for the clipboard.
const CALL: Duration = Duration::from_secs(10);
/// Interval of the checks: while the pointer moves, and after [`CALM`] checks in which it did not.
const TICK: Duration = Duration::from_millis(200);
const CALM_TICK: Duration = Duration::from_secs(1);
const CALM: u32 = 15;
/// Interval of pings.
const PING: Duration = Duration::from_secs(10);
/// Maximum number of inputs that wait.
const QUEUE: usize = 256;
/// Maximum bytes of the inputs that wait.
const QUEUE_BYTES: usize = 1 << 20;
/// Maximum time for the page to say that it is one of this daemon's.
const OPENING: Duration = Duration::from_secs(10);
/// Maximum size of a text that is sent to the page.
const MAX_TEXT: usize = 1 << 20;
/// The session has ended.
const ENDED: u16 = 4401;
/// The connection has ended; never sent (RFC 6455, section 7.4.1).
const GONE: u16 = 1006;
/// The page sent what no page sends, or too much.
const MISUSED: u16 = 4400;

/// Why a conversation ends: a code of RFC 6455 or from 4,000 on, and a sentence.
type End = (u16, &'static str);

struct Conversation<'a> {
    session: &'a Session,
    verifier: &'a Verifier,
    person: &'a SessionSocket,
    out: mpsc::Sender<Message>,
    /// A permit for each update that may be under way.
    updates: Semaphore,
    /// With the bytes of each message.
    inputs: Mutex<VecDeque<(FromPage, usize)>>,
    /// Signalled when an input waits.
    asked: Notify,
    /// When the page was last heard.
    heard: Mutex<Instant>,
}

/// Talks with the page until one side ends.
pub(super) async fn converse<S>(
    stream: WebSocketStream<S>,
    session: &Session,
    verifier: &Verifier,
    person: SessionSocket,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sink, mut incoming) = stream.split();
    let opened = tokio::time::timeout(OPENING, incoming.next()).await;
    let is_own = match opened {
        Ok(Some(Ok(Message::Text(text)))) => matches!(
            serde_json::from_str(&text),
            Ok(FromPage::Open { secret }) if person.0.is_opened_by(&secret)
        ),
        _ => false,
    };
    if !is_own {
        close(&mut sink, (ENDED, "ask for a new link")).await;
        return;
    }
    // Few messages wait: a page that does not read gets the latest screen later.
    let (out, outbox) = mpsc::channel(4);
    let conversation = Conversation {
        session,
        verifier,
        person: &person,
        out,
        updates: Semaphore::new(UPDATES),
        inputs: Mutex::default(),
        asked: Notify::new(),
        heard: Mutex::new(Instant::now()),
    };
    let mut outbox = outbox;
    let end = tokio::select! {
        end = conversation.read(incoming) => end,
        end = write(&mut sink, &mut outbox) => end,
        end = conversation.show() => end,
        end = conversation.act() => end,
        end = conversation.watch() => end,
        () = session.stopping().cancelled_owned() => (1001, "deskd is stopping"),
    };
    close(&mut sink, end).await;
    conversation.leave().await;
}

/// Closes the connection, unless it has ended.
async fn close(sink: &mut (impl Sink<Message, Error = Error> + Unpin), end: End) {
    let close = CloseFrame {
        code: CloseCode::from(end.0),
        reason: end.1.into(),
    };
    let closing = async {
        if end.0 != GONE {
            sink.send(Message::Close(Some(close))).await?;
        }
        sink.close().await
    };
    drop(tokio::time::timeout(Duration::from_secs(1), closing).await);
}

async fn write(
    sink: &mut (impl Sink<Message, Error = Error> + Unpin),
    outbox: &mut mpsc::Receiver<Message>,
) -> End {
    while let Some(message) = outbox.recv().await {
        match tokio::time::timeout(SENDING, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return (GONE, ""),
            Err(_) => return (MISUSED, "the page does not read"),
        }
    }
    (1011, "a defect in deskd")
}

impl Conversation<'_> {
    async fn say(&self, message: &ToPage<'_>) {
        if let Ok(text) = serde_json::to_string(message) {
            drop(self.out.send(Message::text(text)).await);
        }
    }

    async fn refuse(&self, message: &str) {
        self.say(&ToPage::Refused { message }).await;
    }

    /// The lease that this person holds.
    fn lease(&self) -> Option<LeaseKey> {
        self.person.0.lease().map(|lease| lease.key)
    }

    fn hear(&self) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        *heard = Instant::now();
    }

    fn silence(&self) -> Duration {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.elapsed()
    }

    /// Reads messages of the page.
    async fn read(&self, mut incoming: impl Stream<Item = Result<Message, Error>> + Unpin) -> End {
        loop {
            let text = match incoming.next().await {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                    self.hear();
                    continue;
                }
                Some(Ok(Message::Binary(_) | Message::Frame(_))) => {
                    return (MISUSED, "the page sends text");
                }
                Some(Ok(Message::Close(_))) | None => return (1000, ""),
                Some(Err(Error::Capacity(_))) => return (1009, "the message is too large"),
                Some(Err(_)) => return (GONE, ""),
            };
            self.hear();
            let bytes = text.len();
            let Ok(message) = serde_json::from_str::<FromPage>(&text) else {
                return (MISUSED, "the message has a wrong shape");
            };
            match message {
                FromPage::Drawn => {
                    // A page that claims more than it drew gets no more.
                    if self.updates.available_permits() < UPDATES {
                        self.updates.add_permits(1);
                    }
                }
                _ if self.person.0.mode == ViewerMode::View => {
                    self.refuse("this link only allows watching").await;
                }
                message => {
                    self.person.0.note_input();
                    let mut inputs = self.inputs.lock().unwrap_or_else(PoisonError::into_inner);
                    if message.is_move() && inputs.back().is_some_and(|(last, _)| last.is_move()) {
                        inputs.pop_back();
                    }
                    let waiting: usize = inputs.iter().map(|(_, bytes)| bytes).sum();
                    if inputs.len() >= QUEUE || waiting + bytes > QUEUE_BYTES {
                        return (MISUSED, "too much input waits");
                    }
                    inputs.push_back((message, bytes));
                    drop(inputs);
                    self.asked.notify_one();
                }
            }
        }
    }

    /// Sends the screen as it changes. An update is made when the page has drawn all but the last one, so
    /// that the page draws while the next one is made, and never gets an old screen.
    async fn show(&self) -> End {
        let spec = Spec {
            image: ImageSpec {
                format: Format::Png,
                region: None,
                scale: Scale::Native,
                cursor: false,
                max_image_bytes: None,
                space: Space::Screen,
                window: None,
            },
            if_changed_since: None,
            unproved: true,
        };
        let every = Duration::from_secs(1) / FPS;
        let Ok(mut watch) = self.session.capture.watch(spec, every, true) else {
            return (1011, "the screen cannot be shown");
        };
        loop {
            // It is given back by the page.
            match self.updates.acquire().await {
                Ok(permit) => permit.forget(),
                Err(_) => return (1011, "a defect in deskd"),
            }
            let Some(update) = self.next(&mut watch).await else {
                return (1011, "the screen cannot be shown");
            };
            if !self.send(&update).await {
                return (GONE, "");
            }
        }
    }

    /// Returns the next update that has something new; `None` if the screen cannot be shown.
    async fn next(&self, watch: &mut Watch) -> Option<StreamUpdate> {
        loop {
            watch.stir().await;
            let found = match watch.look().await {
                Ok(Some(found)) => found,
                Ok(None) => continue,
                Err(_) => return None,
            };
            if let Some(update) = watch.tell(found) {
                return Some(update);
            }
        }
    }

    async fn send(&self, update: &StreamUpdate) -> bool {
        let frame = &update.frame;
        let image = |kind| wire::image(kind, (0, 0), frame.size, &frame.image);
        let mut messages = Vec::new();
        match &frame.kind {
            FrameKind::Card(failure) => {
                self.say(&ToPage::Card {
                    reason: failure.cause.name(),
                    message: &failure.message,
                })
                .await;
                messages.push(image(ImageKind::Card));
            }
            FrameKind::Screen if update.changed.is_empty() => {
                messages.push(image(ImageKind::Screen));
            }
            FrameKind::Screen => {
                let parts = update.changed.iter();
                messages.extend(parts.map(|(region, bytes)| wire::part(*region, bytes)));
            }
            FrameKind::Unchanged => {}
        }
        for message in messages {
            if self.out.send(Message::Binary(message)).await.is_err() {
                return false;
            }
        }
        self.say(&ToPage::End).await;
        true
    }

    /// Carries out the person's input, one after another.
    async fn act(&self) -> End {
        loop {
            let next = {
                let mut inputs = self.inputs.lock().unwrap_or_else(PoisonError::into_inner);
                inputs.pop_front().map(|(message, _)| message)
            };
            match next {
                None => self.asked.notified().await,
                Some(FromPage::Take { reason }) => self.take(reason).await,
                Some(FromPage::Give) => self.give().await,
                Some(FromPage::Copy) => self.copy().await,
                Some(message) => self.input(message).await,
            }
        }
    }

    async fn take(&self, reason: String) {
        if self.lease().is_some() {
            return;
        }
        let reason: String = reason
            .chars()
            .filter(|c| !c.is_control())
            .take(60)
            .collect();
        let holder = match self.person.0.viewer.as_str() {
            "" => "a viewer".to_owned(),
            name => name.to_owned(),
        };
        let asked = TakeLease {
            kind: HolderKind::Person,
            holder,
            reason,
            ttl: TTL,
            owner: Authenticated::Viewer,
        };
        let Ok(id) = Control::new_id() else {
            self.refuse("the system has no random numbers").await;
            return;
        };
        // Other pages of this session must know the lease when they hear of it.
        let key = LeaseKey::of(&id);
        self.person.0.hold(Some(HeldLease { key }));
        let control = &self.session.control;
        match control.take(&id, asked, Instant::now() + CALL).await {
            Ok(_) => self.say_control().await,
            Err(error) => {
                self.person.0.hold(None);
                self.refuse(&error.to_string()).await;
            }
        }
    }

    async fn give(&self) {
        let Some(key) = self.lease() else {
            return;
        };
        self.person.0.hold(None);
        let control = &self.session.control;
        let gave = control.give(Some(key), &Authenticated::Viewer, Instant::now() + CALL);
        match gave.await {
            // It has ended by itself.
            Ok(_) | Err(ControlError::Refused(_)) => {}
            Err(error) => self.refuse(&error.to_string()).await,
        }
        self.say_control().await;
    }

    async fn copy(&self) {
        if self.lease().is_none() {
            self.refuse("take control first").await;
            return;
        }
        let clipboard = &self.session.clipboard;
        let read = clipboard.read(SelectionName::Clipboard, "", Instant::now() + CALL);
        match read.await {
            Ok(ClipboardRead::Content(item)) if item.data.len() <= MAX_TEXT => {
                let text = String::from_utf8_lossy(&item.data);
                self.say(&ToPage::Clipboard { text: &text }).await;
            }
            Ok(ClipboardRead::Content(_)) => {
                self.refuse("the text on the clipboard has more than 1 MiB")
                    .await;
            }
            Ok(_) => self.refuse("the clipboard has no text").await,
            Err(failure) => self.refuse(&failure.message).await,
        }
    }

    async fn input(&self, message: FromPage) {
        let Some(lease) = self.lease() else {
            self.refuse("take control first").await;
            return;
        };
        if let FromPage::Paste { text } = &message {
            // The text stays on the clipboard afterwards.
            let item = ClipboardItem {
                format: String::new(),
                data: text.clone().into(),
            };
            let clipboard = &self.session.clipboard;
            let end = Instant::now() + CALL;
            let written = clipboard.write(SelectionName::Clipboard, vec![item], end);
            if let Err(failure) = written.await {
                self.refuse(&failure.message).await;
                return;
            }
        }
        let action = match message.action() {
            Ok(Some(action)) => action,
            Ok(None) => return,
            Err(why) => {
                self.refuse(why).await;
                return;
            }
        };
        let act = Act {
            operation: None,
            lease: Some(lease),
            actions: vec![action],
            space: Space::Screen,
            expect: Expect::default(),
            settle: None,
            picture: None,
            unproved: true,
            stop_at_first: false,
            paced: false,
        };
        let input = Arc::clone(&self.session.input);
        match input.act(act, Instant::now() + CALL).await {
            Ok(acted) if acted.account.outcome == Outcome::Done => {}
            Ok(acted) => {
                let mut results = acted.account.results.iter();
                let why = results.find_map(|done| done.failure.as_ref());
                let why = why.map_or("it was not done", |failure| failure.message.as_str());
                self.refuse(why).await;
            }
            // The message may contain a character of a text; the page's person typed it.
            Err(refused) => self.refuse(&refused.to_string()).await,
        }
    }

    async fn say_control(&self) {
        let leases = self.session.control.now();
        let lease = leases.lease();
        self.say(&ToPage::Control {
            epoch: leases.epoch(),
            holder: lease.map(|lease| lease.holder.as_str()),
            reason: lease.map_or("", |lease| lease.reason.as_str()),
            is_person: lease.is_some_and(|lease| lease.kind == HolderKind::Person),
            is_mine: lease.is_some_and(|lease| Some(lease.key) == self.lease()),
        })
        .await;
    }

    /// Sends who is in control, the state of the desktop and the pointer; renews the lease; ends the
    /// conversation with the session or with a page that is gone.
    async fn watch(&self) -> End {
        let viewer = self.person.0.viewer.as_str();
        let may_control = self.person.0.mode == ViewerMode::Control;
        self.say(&ToPage::Hello {
            may_control,
            viewer,
        })
        .await;
        let mut control = self.session.control.watch();
        let mut epoch = None;
        let (mut desktop, mut pointer, mut still) = (None, None, 0);
        let mut pinged = Instant::now();
        let mut due = Instant::now();
        loop {
            let now = control.borrow_and_update().epoch();
            if epoch.replace(now) != Some(now) {
                if let Some(key) = self.lease()
                    && self.session.control.check(Some(key)).is_err()
                {
                    self.person.0.hold(None);
                }
                self.say_control().await;
            }
            tokio::select! {
                changed = control.changed() => {
                    if changed.is_err() {
                        return (1001, "deskd is stopping");
                    }
                    continue;
                }
                () = tokio::time::sleep_until(due) => {}
            }
            due = Instant::now() + if still < CALM { TICK } else { CALM_TICK };
            let link = self.session.capture.link();
            let state = (
                matches!(link.state, LinkState::Up(_)),
                self.session.capture.is_proved(&link),
            );
            if desktop.replace(state) != Some(state) {
                let (connected, painted) = state;
                self.say(&ToPage::Desktop { connected, painted }).await;
            }
            if state.0 {
                let reading = self.session.capture.cursor(Instant::now() + TICK).await;
                let at = reading.ok().map(|reading| reading.position);
                still = if at == pointer {
                    still.saturating_add(1)
                } else {
                    0
                };
                if let Some((x, y)) = at.filter(|_| at != pointer) {
                    pointer = at;
                    self.say(&ToPage::Pointer { x, y }).await;
                }
            }
            if pinged.elapsed() >= PING {
                pinged = Instant::now();
                if !self.person.0.is_valid(self.verifier) {
                    return (ENDED, "this session has ended: ask for a new link");
                }
                drop(self.out.send(Message::Ping(bytes::Bytes::new())).await);
                if self.silence() > SILENCE {
                    return (GONE, "");
                }
                if let Some(key) = self.lease() {
                    if self.person.0.without_input() > IDLE {
                        self.give().await;
                        self.refuse("control was given back after 10 minutes without input")
                            .await;
                    } else if self.session.control.renew(key, Some(TTL)).await.is_err() {
                        self.person.0.hold(None);
                    }
                }
            }
        }
    }

    /// Releases what the person holds down. The lease lasts for the time in which the page may return.
    async fn leave(&self) {
        if let Some(key) = self.lease()
            && self.person.0.is_last_socket()
            && self.session.control.renew(key, Some(TTL)).await.is_ok()
        {
            drop(self.session.input.release_all(Instant::now() + CALL).await);
        }
    }
}
