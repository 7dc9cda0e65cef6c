//! Tests of the services over an in-memory connection, with a display that does not exist.

use std::{sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio_util::sync::CancellationToken;
use tonic::{
    Code, Request,
    transport::{Channel, Endpoint, Server},
};
use tower::util::MapResponseLayer;

use super::{desktop::DesktopService, stack::StackService};
use crate::{
    facts::Profile,
    frame::Size,
    helper::Helper,
    rpc::{
        client::reason,
        recorder::{Recorder, RecorderOptions},
        transport::replies,
        v1::{
            self, desktop_client::DesktopClient, desktop_server::DesktopServer,
            stack_client::StackClient, stack_server::StackServer,
        },
    },
    session::Session,
    x11::{CaptureChoice, Display, ServerOwner, Trust},
};

/// A display that no X server serves.
const NOBODYS: &str = ":64999";

struct Served {
    channel: Channel,
    instance: String,
    stop: CancellationToken,
}

impl Served {
    fn desktop(&self) -> DesktopClient<Channel> {
        DesktopClient::new(self.channel.clone())
    }

    fn stack(&self) -> StackClient<Channel> {
        StackClient::new(self.channel.clone())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn served(read_only: bool) -> Served {
    let stop = CancellationToken::new();
    let display = Display::open(
        NOBODYS.parse().unwrap(),
        CaptureChoice::default(),
        ServerOwner::anybody(),
        Trust::default(),
    );
    let size = Size {
        width: 400,
        height: 300,
    };
    let display = Arc::new(display.unwrap());
    let session = Session::new(
        display,
        Profile::Any,
        (None, Helper::new(None)),
        size,
        None,
        stop.clone(),
    );
    let session = session.unwrap();
    let instance = session.instance_id().to_owned();
    let recorder = Recorder::new(session.clone(), RecorderOptions::default());
    let desktop = DesktopService {
        session: session.clone(),
        recorder: Arc::clone(&recorder),
        read_only,
    };
    let stack = StackService {
        session,
        recorder,
        read_only,
        ends_with_stack: false,
        viewer_port: None,
    };
    let (near, far) = tokio::io::duplex(1 << 20);
    let incoming = tokio_stream::once(Ok::<DuplexStream, std::io::Error>(far));
    tokio::spawn(
        Server::builder()
            .layer(MapResponseLayer::new(replies::tie::<tonic::body::Body>))
            .add_service(DesktopServer::new(desktop))
            .add_service(StackServer::new(stack))
            .serve_with_incoming(incoming),
    );
    let mut near = Some(near);
    let connector = tower::service_fn(move |_| {
        let near = near.take();
        async move {
            near.map(TokioIo::new)
                .ok_or_else(|| std::io::Error::other("one only"))
        }
    });
    let endpoint = Endpoint::from_static("http://in.memory");
    Served {
        channel: endpoint.connect_with_connector(connector).await.unwrap(),
        instance,
        stop,
    }
}

fn within<T>(message: T, time: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(time);
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn info_names_what_cannot_be_done_and_why() {
    let served = served(false).await;
    let info = served.desktop().get_info(v1::GetInfoRequest {}).await;
    let info = info.unwrap().into_inner();
    assert_eq!(info.instance_id, served.instance);
    assert!(!info.connected && info.geometry.is_none());
    assert_eq!(info.failure.unwrap().reason(), v1::Reason::NoDisplay);
    let cells = info.features.iter();
    let screenshot = cells
        .clone()
        .find(|cell| cell.feature() == v1::Feature::Screenshot);
    assert_eq!(screenshot.unwrap().reason(), v1::Reason::NoDisplay);
    // Each feature is named once.
    let mut features: Vec<i32> = cells.map(|cell| cell.feature).collect();
    features.sort_unstable();
    features.dedup();
    assert_eq!(features.len(), info.features.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_display_every_picture_is_a_card_of_the_configured_size() {
    let served = served(false).await;
    let request = v1::ScreenshotRequest {
        unproved: true,
        ..v1::ScreenshotRequest::default()
    };
    let reply = served
        .desktop()
        .screenshot(within(request, Duration::from_secs(1)))
        .await;
    let frame = reply.unwrap().into_inner().frame.unwrap();
    assert_eq!(frame.kind(), v1::FrameKind::FailureCard);
    assert_eq!((frame.width, frame.height), (400, 300));
    assert_eq!(frame.failure.unwrap().reason(), v1::Reason::NoDisplay);
    assert!(frame.image.starts_with(b"\x89PNG"));

    let mut stream = served
        .desktop()
        .watch(v1::WatchRequest {
            unproved: true,
            ..v1::WatchRequest::default()
        })
        .await
        .unwrap()
        .into_inner();
    let first = stream.message().await.unwrap().unwrap();
    let Some(v1::watch_response::Update::Frame(card)) = first.update else {
        panic!("{first:?}");
    };
    assert_eq!(card.kind(), v1::FrameKind::FailureCard);
    // The same failure is not sent again.
    let second = tokio::time::timeout(Duration::from_millis(2500), stream.message()).await;
    assert!(second.is_err(), "{second:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_are_refused_whole_with_their_reason() {
    let served = served(false).await;
    let act = |actions: Vec<v1::Action>| v1::ActRequest {
        actions,
        unproved: true,
        ..v1::ActRequest::default()
    };
    let mut client = served.desktop();
    let wait = v1::Action {
        action: Some(v1::action::Action::Wait(v1::WaitAction::default())),
    };
    let refused = client
        .act(within(act(vec![wait]), Duration::from_secs(1)))
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), v1::Reason::InvalidField, "{refused:?}");
    let none = v1::Action { action: None };
    let refused = client.act(act(vec![none])).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused)),
        (Code::InvalidArgument, v1::Reason::InvalidField)
    );
    let release = v1::Action {
        action: Some(v1::action::Action::ButtonUp(v1::ButtonUpAction::default())),
    };
    let refused = client
        .act(within(act(vec![release]), Duration::from_secs(1)))
        .await;
    let refused = refused.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused)),
        (Code::Unavailable, v1::Reason::NoDisplay)
    );
    let pressed = client
        .get_pressed(v1::GetPressedRequest {})
        .await
        .unwrap()
        .into_inner();
    assert!(pressed.pressed.is_empty());
    let cursor = within(v1::GetCursorRequest {}, Duration::from_millis(500));
    let refused = client.get_cursor(cursor).await.unwrap_err();
    assert_eq!(reason(&refused), v1::Reason::NoDisplay, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_only_looks_changes_nothing() {
    let served = served(true).await;
    let refused = served
        .desktop()
        .act(v1::ActRequest::default())
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), v1::Reason::ReadOnly, "{refused:?}");
    let refused = served
        .desktop()
        .release_all(v1::ReleaseAllRequest {})
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), v1::Reason::ReadOnly, "{refused:?}");
    let refused = served.stack().down(v1::DownRequest {}).await.unwrap_err();
    assert_eq!(reason(&refused), v1::Reason::ReadOnly, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_another_program_manages_is_only_waited_for() {
    let served = served(false).await;
    let mut stack = served.stack();
    let status = stack
        .status(v1::StatusRequest {})
        .await
        .unwrap()
        .into_inner();
    assert!(!status.managed && status.components.is_empty());
    let up = within(v1::UpRequest::default(), Duration::from_millis(1200));
    let up = stack.up(up).await.unwrap().into_inner();
    assert_eq!(up.result(), v1::UpResult::NoXServer);
    let refused = stack.down(v1::DownRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(reason(&refused), v1::Reason::StackNotManaged);
    let refused = stack
        .events(v1::EventsRequest::default())
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), v1::Reason::StackNotManaged);
}
