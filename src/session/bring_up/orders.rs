//! Tests bring-ups with a fake init and a display that does not exist.

use std::{os::unix::net::UnixStream, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::unix::{OwnedReadHalf, OwnedWriteHalf},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{BringUp, Classification, StackError, UpResult};
use crate::{
    facts::Profile,
    frame::Size,
    session::capture::Capture,
    stack::{
        Stack,
        wire::{Component, ComponentState, Problem, ToDaemon, ToInit},
    },
    x11::{CaptureChoice, Display, ServerOwner, Trust},
};

const SIZE: Size = Size {
    width: 800,
    height: 600,
};

/// The init's end of the socket pair.
struct Init {
    orders: tokio::io::Lines<BufReader<OwnedReadHalf>>,
    states: OwnedWriteHalf,
}

impl Init {
    /// Returns the next order that is not a heartbeat (`ToInit::Alive`).
    async fn order(&mut self) -> ToInit {
        loop {
            let line = tokio::time::timeout(Duration::from_secs(10), self.orders.next_line());
            let line = line.await.expect("an order").unwrap().unwrap();
            let order = serde_json::from_str(&line).unwrap();
            if order != ToInit::Alive {
                return order;
            }
        }
    }

    async fn state(&mut self, wanted: bool, components: &[(Component, bool, u32)]) {
        let component = |&(component, up, restarts): &(Component, bool, u32)| ComponentState {
            component,
            enabled: true,
            up,
            pid: if up { 1 } else { 0 },
            since_ms: 0,
            restarts,
            last_output: String::new(),
            problem: (restarts > 0).then_some(Problem::Failed),
            no_new_privs: false,
        };
        let state = ToDaemon::State {
            wanted,
            components: components.iter().map(component).collect(),
            viewer_port: 0,
        };
        let line = format!("{}\n", serde_json::to_string(&state).unwrap());
        self.states.write_all(line.as_bytes()).await.unwrap();
    }
}

fn managed() -> (Arc<BringUp>, Init) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (stack, _) = Stack::connect(ours, || true, |_| {}).unwrap();
    theirs.set_nonblocking(true).unwrap();
    let (orders, states) = tokio::net::UnixStream::from_std(theirs)
        .unwrap()
        .into_split();
    let display = Display::open(
        ":64998".parse().unwrap(),
        CaptureChoice::default(),
        ServerOwner::anybody(),
        Trust::default(),
    );
    let shutdown = CancellationToken::new();
    let display = Arc::new(display.unwrap());
    let capture = Capture::new(
        display,
        Profile::Any,
        SIZE,
        ("test", 7),
        Arc::default(),
        shutdown.clone(),
    );
    let bring_up = BringUp::new(Some(stack), SIZE, Arc::new(capture), shutdown);
    let init = Init {
        orders: BufReader::new(orders).lines(),
        states,
    };
    (Arc::new(bring_up), init)
}

fn soon(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

#[tokio::test]
async fn up_orders_and_reports_what_failed() {
    for (component, result) in [
        (Component::Xvfb, UpResult::NoXServer),
        (Component::Keymap, UpResult::NoXServer),
        (Component::Session, UpResult::NotPainted),
        (Component::X11vnc, UpResult::VncFailed),
        (Component::Websockify, UpResult::ViewerFailed),
    ] {
        let (bring_up, mut init) = managed();
        let caller = Arc::clone(&bring_up);
        let call = tokio::spawn(async move { caller.up(None, true, soon(20)).await });
        assert_eq!(init.order().await, ToInit::Up);
        // After a first failure, the next start may succeed, so the call still waits.
        init.state(true, &[(component, false, 1)]).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(!call.is_finished());
        init.state(true, &[(component, false, 3)]).await;
        let done = call.await.unwrap().unwrap();
        assert_eq!(
            (done.result, done.classification),
            (result, Classification::Cold)
        );
    }
}

#[tokio::test]
async fn up_is_up_when_all_is_and_times_out_when_nothing_comes() {
    let (bring_up, mut init) = managed();
    let caller = Arc::clone(&bring_up);
    let first = tokio::spawn(async move { caller.up(None, true, soon(20)).await });
    assert_eq!(init.order().await, ToInit::Up);
    // A second caller joins.
    let caller = Arc::clone(&bring_up);
    let second = tokio::spawn(async move { caller.up(None, true, soon(20)).await });
    assert_eq!(init.order().await, ToInit::Up);
    init.state(
        true,
        &[(Component::Xvfb, true, 0), (Component::Session, true, 0)],
    )
    .await;
    let (first, second) = (
        first.await.unwrap().unwrap(),
        second.await.unwrap().unwrap(),
    );
    assert_eq!(
        (first.result, first.classification),
        (UpResult::Up, Classification::Cold)
    );
    assert_eq!(
        (second.result, second.classification),
        (UpResult::Up, Classification::Contention)
    );

    let (bring_up, mut init) = managed();
    let caller = Arc::clone(&bring_up);
    let late = tokio::spawn(async move { caller.up(None, true, soon(1)).await });
    assert_eq!(init.order().await, ToInit::Up);
    assert_eq!(late.await.unwrap().unwrap().result, UpResult::TimedOut);
}

#[tokio::test]
async fn down_waits_for_the_end_of_all() {
    let (bring_up, mut init) = managed();
    init.state(
        true,
        &[(Component::Xvfb, true, 0), (Component::Session, true, 0)],
    )
    .await;
    let mut state = bring_up.state().unwrap();
    state.wait_for(|state| state.wanted).await.unwrap();
    let caller = Arc::clone(&bring_up);
    let call = tokio::spawn(async move { caller.down(soon(20)).await });
    assert_eq!(init.order().await, ToInit::Down);
    init.state(
        false,
        &[(Component::Xvfb, true, 0), (Component::Session, false, 0)],
    )
    .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!call.is_finished());
    init.state(
        false,
        &[(Component::Xvfb, false, 0), (Component::Session, false, 0)],
    )
    .await;
    assert_eq!(
        call.await.unwrap().unwrap(),
        [Component::Xvfb, Component::Session]
    );

    init.state(true, &[(Component::Xvfb, true, 0)]).await;
    state.wait_for(|state| state.wanted).await.unwrap();
    let late = bring_up.down(soon(1)).await;
    assert!(matches!(late, Err(StackError::Late(_))), "{late:?}");
}

#[tokio::test]
async fn a_size_that_no_server_takes_orders_nothing() {
    let (bring_up, mut init) = managed();
    let wrong = Size {
        width: 10,
        height: 10,
    };
    let refused = bring_up.up(Some(wrong), true, soon(5)).await;
    assert!(matches!(refused, Err(StackError::Unsupported(_))));
    let refused = bring_up.set_geometry(wrong, 0, soon(5)).await;
    assert!(matches!(refused, Err(StackError::Unsupported(_))));
    let caller = Arc::clone(&bring_up);
    let call = tokio::spawn(async move { caller.up(Some(SIZE), true, soon(1)).await });
    // The size comes before the order to start.
    let (width, height) = (SIZE.width, SIZE.height);
    assert_eq!(
        init.order().await,
        ToInit::Geometry {
            width,
            height,
            dpi: 0
        }
    );
    assert_eq!(init.order().await, ToInit::Up);
    drop(call.await);
}
