//! A desktop for programs: calls with retries, operation ids and typed errors.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};
use tonic::Request;

use super::{
    CallError, CallErrorKind, Connection, DesktopClient, Tls, connect, connect_by, desktop,
    step::{NextAttempt, StepAttempts, features},
};
use crate::{
    config::Address,
    rpc::{
        Token, own_time,
        v1::{self, action::Action},
    },
};

/// Pause before the second attempt of a call; it doubles with each further one.
const PAUSE: Duration = Duration::from_millis(100);
/// Maximum pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Default time that a call may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A desktop that a daemon serves.
///
/// A call that fails because the daemon or the X server restarts is made again, until its time is
/// over. A step has an id by which the daemon executes it at most once, also if it is sent again.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use deskd::client::Desktop;
///
/// let desktop = Desktop::new("unix:/run/deskd/deskd.sock".parse()?);
/// let frame = desktop.screenshot(Default::default()).await?;
/// std::fs::write("screen.png", &frame.image)?;
/// desktop.click(640, 400).await?;
/// desktop.type_text("hello").await?;
/// desktop.press("ctrl+s").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Desktop {
    place: Place,
    token: Option<Arc<Token>>,
    tls: Option<Tls>,
    pub(super) timeout: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
enum Place {
    Address(Address),
    Program(String, Vec<String>),
}

#[derive(Debug, Default)]
struct State {
    connection: Option<Connection>,
    /// The instance to which later steps are addressed.
    instance: Option<String>,
}

impl Desktop {
    /// A desktop whose daemon listens at `address`. The connection is made at the first call.
    pub fn new(address: Address) -> Self {
        Self::at(Place::Address(address))
    }

    /// A desktop that is reached through a program whose standard input and output lead to the
    /// daemon, such as `docker exec -i BOX deskd bridge`.
    pub fn through(program: impl Into<String>, arguments: Vec<String>) -> Self {
        Self::at(Place::Program(program.into(), arguments))
    }

    fn at(place: Place) -> Self {
        Self {
            place,
            token: None,
            tls: None,
            timeout: TIMEOUT,
            state: Mutex::default(),
        }
    }

    /// Sends this token with every call.
    #[must_use]
    pub fn with_token(self, token: Token) -> Self {
        Self {
            token: Some(Arc::new(token)),
            ..self
        }
    }

    /// Uses TLS.
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> Self {
        Self {
            tls: Some(tls),
            ..self
        }
    }

    /// Sets the time that a call may take, beside the time that its actions take by themselves.
    /// The default is 30 s.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Takes a picture of the screen, or a failure card if that is not possible.
    ///
    /// # Errors
    ///
    /// When the daemon refuses the request or does not answer in time. A failed capture is not an
    /// error; see [`Frame::failure`](v1::Frame::failure).
    pub async fn screenshot(&self, request: v1::ScreenshotRequest) -> Result<v1::Frame, CallError> {
        let reply = self
            .call(self.timeout, |connection, timeout| {
                let mut daemon = desktop(connection);
                let request = timed(request.clone(), timeout);
                async move { daemon.screenshot(request).await }
            })
            .await?;
        let missing = || CallError::new(CallErrorKind::Other, "the daemon sent no frame");
        reply.frame.ok_or_else(missing)
    }

    /// Performs a step. An id is added to a request without one. If the desktop is not painted yet,
    /// the call waits for that.
    ///
    /// # Errors
    ///
    /// When the step was refused, so that nothing was done, or when it is not known what was done.
    /// The response of a step that ended early is OK; see [`done`](Self::done).
    pub async fn act(&self, mut request: v1::ActRequest) -> Result<v1::ActResponse, CallError> {
        if request.operation_id.is_empty() {
            request.operation_id = random_id()?;
        }
        let is_addressed = !request.instance_id.is_empty();
        let own: Duration = request.actions.iter().map(own_time).sum();
        let end = Instant::now() + self.timeout.saturating_add(own);
        let mut attempts = StepAttempts::new(end, is_addressed);
        loop {
            let next = match self.attempt(&mut request, &mut attempts).await {
                Ok(reply) => attempts.answered(reply),
                Err(error) => attempts.failed(error),
            };
            match next {
                NextAttempt::End(result) => return *result,
                NextAttempt::After(pause) => tokio::time::sleep(pause).await,
                NextAttempt::AtAnotherInstance => self.state.lock().await.instance = None,
                NextAttempt::WhenPainted => {
                    let ready = v1::WaitReadyRequest::default();
                    self.wait_ready(ready, left(end)?).await?;
                }
            }
        }
    }

    /// Sends a step once. Another instance of the daemon is addressed only if no instance can have
    /// received the step.
    async fn attempt(
        &self,
        request: &mut v1::ActRequest,
        attempts: &mut StepAttempts,
    ) -> Result<v1::ActResponse, CallError> {
        let end = attempts.end();
        let mut daemon = desktop(self.connection(end).await?);
        if attempts.may_address() {
            request.instance_id = self.instance(&mut daemon, end).await?;
        }
        let mut timed = timed(request.clone(), left(end)?);
        if let Ok(features) = features(request).parse() {
            timed.metadata_mut().insert("deskd-require", features);
        }
        attempts.send();
        match daemon.act(timed).await {
            Ok(reply) => Ok(reply.into_inner()),
            Err(status) => Err(self.failed(status).await),
        }
    }

    /// Returns the instance to which steps are addressed.
    async fn instance(
        &self,
        daemon: &mut DesktopClient<Connection>,
        end: Instant,
    ) -> Result<String, CallError> {
        if let Some(instance) = &self.state.lock().await.instance {
            return Ok(instance.clone());
        }
        let request = timed(v1::GetInfoRequest {}, left(end)?);
        let info = match daemon.get_info(request).await {
            Ok(info) => info.into_inner(),
            Err(status) => return Err(self.failed(status).await),
        };
        self.state.lock().await.instance = Some(info.instance_id.clone());
        Ok(info.instance_id)
    }

    /// Performs a step, and requires that all of its actions are done.
    ///
    /// # Errors
    ///
    /// As [`act`](Self::act), and when an action was not done.
    pub async fn done(&self, request: v1::ActRequest) -> Result<v1::ActResponse, CallError> {
        let response = self.act(request).await?;
        match CallError::of_response(&response) {
            Some(error) => Err(error),
            None => Ok(response),
        }
    }

    /// Clicks the left button at a pixel of the screen, and waits until the screen has settled.
    ///
    /// # Errors
    ///
    /// As [`done`](Self::done).
    pub async fn click(&self, x: i32, y: i32) -> Result<v1::ActResponse, CallError> {
        self.one(Action::Click(v1::ClickAction {
            at: Some((x, y).into()),
            ..v1::ClickAction::default()
        }))
        .await
    }

    /// Moves the pointer to a pixel of the screen.
    ///
    /// # Errors
    ///
    /// As [`done`](Self::done).
    pub async fn move_to(&self, x: i32, y: i32) -> Result<v1::ActResponse, CallError> {
        self.one(Action::Move(v1::MoveAction {
            to: Some((x, y).into()),
            modifiers: Vec::new(),
        }))
        .await
    }

    /// Types text of any script into the focused window.
    ///
    /// # Errors
    ///
    /// As [`done`](Self::done).
    pub async fn type_text(&self, text: impl Into<String>) -> Result<v1::ActResponse, CallError> {
        self.one(Action::Type(v1::TypeAction {
            text: text.into(),
            rate: None,
        }))
        .await
    }

    /// Presses keys together, such as `ctrl+shift+s`.
    ///
    /// # Errors
    ///
    /// As [`done`](Self::done).
    pub async fn press(&self, chord: &str) -> Result<v1::ActResponse, CallError> {
        self.one(Action::Key(v1::KeyAction {
            keys: crate::keys::chord(chord),
            ..v1::KeyAction::default()
        }))
        .await
    }

    /// Turns the wheel at a pixel of the screen, in notches to the right and down.
    ///
    /// # Errors
    ///
    /// As [`done`](Self::done).
    pub async fn scroll(
        &self,
        (x, y): (i32, i32),
        (dx, dy): (i32, i32),
    ) -> Result<v1::ActResponse, CallError> {
        self.one(Action::Scroll(v1::ScrollAction {
            at: Some((x, y).into()),
            dx,
            dy,
            unit: v1::ScrollUnit::Notch.into(),
            modifiers: Vec::new(),
        }))
        .await
    }

    async fn one(&self, action: Action) -> Result<v1::ActResponse, CallError> {
        let action = v1::Action {
            action: Some(action),
        };
        self.done(v1::ActRequest {
            actions: vec![action],
            ..v1::ActRequest::default()
        })
        .await
    }

    /// Returns the pointer and its image.
    ///
    /// # Errors
    ///
    /// When the daemon does not answer in time.
    pub async fn cursor(&self) -> Result<v1::Cursor, CallError> {
        let reply = self
            .call(self.timeout, |connection, timeout| {
                let mut daemon = desktop(connection);
                let request = timed(v1::GetCursorRequest {}, timeout);
                async move { daemon.get_cursor(request).await }
            })
            .await?;
        Ok(reply.cursor.unwrap_or_default())
    }

    /// Returns the daemon, its display, features and limits.
    ///
    /// # Errors
    ///
    /// When the daemon does not answer in time.
    pub async fn info(&self) -> Result<v1::GetInfoResponse, CallError> {
        self.call(self.timeout, |connection, timeout| {
            let mut daemon = desktop(connection);
            let request = timed(v1::GetInfoRequest {}, timeout);
            async move { daemon.get_info(request).await }
        })
        .await
    }

    /// Waits until the desktop is painted, and returns the evidence.
    ///
    /// # Errors
    ///
    /// When the daemon refuses the request or does not answer in time. A desktop that is not
    /// painted in time is not an error; see the verdict.
    pub async fn wait_ready(
        &self,
        request: v1::WaitReadyRequest,
        timeout: Duration,
    ) -> Result<v1::WaitReadyResponse, CallError> {
        self.call(timeout, |connection, timeout| {
            let mut daemon = desktop(connection);
            let request = timed(request.clone(), timeout);
            async move { daemon.wait_ready(request).await }
        })
        .await
    }

    /// Releases every key and button that the daemon holds down.
    ///
    /// # Errors
    ///
    /// When the daemon refuses the request or does not answer in time.
    pub async fn release_all(&self) -> Result<v1::ReleaseAllResponse, CallError> {
        self.call(self.timeout, |connection, timeout| {
            let mut daemon = desktop(connection);
            let request = timed(v1::ReleaseAllRequest {}, timeout);
            async move { daemon.release_all(request).await }
        })
        .await
    }

    /// Makes a call that changes nothing or can be repeated, until it succeeds or its time is over.
    pub(super) async fn call<T, F>(
        &self,
        timeout: Duration,
        call: impl Fn(Connection, Duration) -> F,
    ) -> Result<T, CallError>
    where
        F: Future<Output = Result<tonic::Response<T>, tonic::Status>>,
    {
        let end = Instant::now() + timeout;
        let mut pause = PAUSE;
        loop {
            let error = match self.connection(end).await {
                Ok(connection) => match call(connection, left(end)?).await {
                    Ok(reply) => return Ok(reply.into_inner()),
                    Err(status) => self.failed(status).await,
                },
                Err(error) => error,
            };
            if !error.retryable || Instant::now() + pause >= end {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Returns the connection; connects if there is none.
    pub(super) async fn connection(&self, end: Instant) -> Result<Connection, CallError> {
        let mut state = self.state.lock().await;
        if let Some(connection) = &state.connection {
            return Ok(connection.clone());
        }
        let (token, timeout) = (self.token.as_deref(), left(end)?);
        let connection = match &self.place {
            Place::Address(address) => connect(address, token, self.tls.as_ref(), timeout).await?,
            Place::Program(program, arguments) => {
                connect_by(program, arguments, token, timeout).await?
            }
        };
        state.connection = Some(connection.clone());
        Ok(connection)
    }

    /// Converts a status. After a lost connection, the next attempt connects anew.
    pub(super) async fn failed(&self, status: tonic::Status) -> CallError {
        let error = CallError::from(status);
        if error.kind == CallErrorKind::Unavailable {
            self.state.lock().await.connection = None;
        }
        error
    }
}

pub(super) fn timed<T>(message: T, timeout: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(timeout);
    request
}

/// Returns the time that is left.
pub(super) fn left(end: Instant) -> Result<Duration, CallError> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(CallError::new(
            CallErrorKind::Deadline,
            "the call did not end in time",
        ));
    }
    Ok(left)
}

fn random_id() -> Result<String, CallError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| CallError::new(CallErrorKind::Other, error.to_string()))?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}
