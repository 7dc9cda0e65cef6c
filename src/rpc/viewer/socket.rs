//! The connection of one page: how it opens and ends, and the messages in both directions.

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
    sessions::SessionSocket,
    token::ViewerMode,
    verifier::Verifier,
    wire::{FromPage, ToPage},
};
use crate::{
    rpc::recorder::Recorder,
    session::{LeaseKey, Session},
};

/// Maximum number of updates that the page has not drawn yet.
const UPDATES: usize = 2;
/// Maximum time to send one message.
const SENDING: Duration = Duration::from_secs(30);
/// Maximum number of inputs that wait.
const QUEUE: usize = 256;
/// Maximum bytes of the inputs that wait.
const QUEUE_BYTES: usize = 1 << 20;
/// Maximum time for the page to say that it is one of this daemon's.
const OPENING: Duration = Duration::from_secs(10);
/// The session has ended.
pub(super) const ENDED: u16 = 4401;
/// The connection has ended; never sent (RFC 6455, section 7.4.1).
pub(super) const GONE: u16 = 1006;
/// The page sent what no page sends, or too much.
const MISUSED: u16 = 4400;

/// Why a conversation ends: a code of RFC 6455 or from 4,000 on, and a sentence.
pub(super) type End = (u16, &'static str);

/// The state that the parts of a conversation share.
pub(super) struct Conversation<'a> {
    pub(super) session: &'a Session,
    pub(super) recorder: &'a Arc<Recorder>,
    pub(super) verifier: &'a Verifier,
    pub(super) person: &'a SessionSocket,
    pub(super) out: mpsc::Sender<Message>,
    /// A permit for each update that may be under way.
    pub(super) updates: Semaphore,
    /// With the bytes of each message.
    pub(super) inputs: Mutex<VecDeque<(FromPage, usize)>>,
    /// Signalled when an input waits.
    pub(super) asked: Notify,
    /// When the page was last heard.
    heard: Mutex<Instant>,
}

/// Talks with the page until one side ends.
pub(super) async fn converse<S>(
    stream: WebSocketStream<S>,
    (session, recorder): (&Session, &Arc<Recorder>),
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
        recorder,
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
    pub(super) async fn say(&self, message: &ToPage<'_>) {
        if let Ok(text) = serde_json::to_string(message) {
            drop(self.out.send(Message::text(text)).await);
        }
    }

    pub(super) async fn refuse(&self, message: &str) {
        self.say(&ToPage::Refused { message }).await;
    }

    /// The lease that this person holds.
    pub(super) fn lease(&self) -> Option<LeaseKey> {
        self.person.0.lease()
    }

    fn hear(&self) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        *heard = Instant::now();
    }

    pub(super) fn silence(&self) -> Duration {
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
}
