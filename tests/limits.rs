//! R37 to R43 and R51: what is bounded, for the calls that there are.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use deskd::{client, rpc::v1};
use tonic::{Code, Request};

use crate::common::{
    Daemon, Witness, XServer,
    daemon::{raw, read_to_end, screen},
};

/// R38: calls that are given up leave nothing behind.
#[tokio::test]
async fn r38_cancelled_calls_leave_nothing() {
    let server = XServer::with_screen("640x480x24", &[]);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    screen(&mut client, raw()).await;
    let before = (daemon.descriptors(), daemon.status("Threads"));
    for round in 0..10_000_u64 {
        let mut client = client.clone();
        let call = async move { client.screenshot(raw()).await.map(drop) };
        // From "before it was sent" to "while it is answered".
        drop(tokio::time::timeout(Duration::from_micros(round % 20 * 50), call).await);
    }
    // Threads of the blocking pool end after 10 s without work.
    tokio::time::sleep(Duration::from_secs(11)).await;
    screen(&mut client, raw()).await;
    let (descriptors, threads) = (daemon.descriptors(), daemon.status("Threads"));
    assert!(descriptors <= before.0 + 1, "{before:?} → {descriptors} descriptors");
    assert!(threads <= before.1 + 1, "{before:?} → {threads} threads");
}

/// R39: a reader that stops reading has at most two frames waiting for it, is
/// cut off, and others do not notice.
#[tokio::test]
async fn r39_a_reader_that_stops_is_cut_off() {
    let server = XServer::with_screen("1920x1080x24", &[]);
    Witness::new(&server).draw_pattern(13);
    let daemon = Daemon::start(&server);
    let mut other = daemon.client().await;
    screen(&mut other, raw()).await;
    let before = daemon.status("RssAnon");

    // A connection whose socket nobody reads, with ten calls of 8 MB each.
    let (own, theirs) = tokio::io::duplex(64 * 1024);
    let socket = tokio::net::UnixStream::connect(daemon.socket()).await.unwrap();
    let paused = tokio_util::sync::CancellationToken::new();
    let pump = tokio::spawn(pump(theirs, socket, paused.clone()));
    let mut own = Some(hyper_util::rt::TokioIo::new(own));
    let connector = tower::service_fn(move |_| {
        let own = own.take().ok_or(std::io::ErrorKind::NotConnected);
        async move { own.map_err(std::io::Error::from) }
    });
    let channel = tonic::transport::Endpoint::from_static("http://localhost")
        .initial_stream_window_size(64 << 20)
        .initial_connection_window_size(256 << 20)
        .connect_with_connector(connector)
        .await
        .unwrap();
    let stalled = deskd::client::DesktopClient::new(channel).max_decoding_message_size(64 << 20);
    paused.cancel();
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let mut client = stalled.clone();
            tokio::spawn(async move {
                let mut request = Request::new(raw());
                request.set_timeout(Duration::from_secs(120));
                client.screenshot(request).await
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let grown = daemon.status("RssAnon").saturating_sub(before) / 1024;
    // Two frames of 8 MB, their wire copies, and what is being encoded.
    assert!(grown < 100, "{grown} MiB more for a reader that does not read");
    for _ in 0..5 {
        screen(&mut other, raw()).await;
    }
    let began = Instant::now();
    let log = loop {
        let log = daemon.log();
        if log.contains("cut off") {
            break log;
        }
        assert!(began.elapsed() < Duration::from_secs(90), "{log}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert!(log.contains("does not read its frames"));
    for call in calls {
        call.abort();
    }
    pump.abort();
}

/// Copies both ways until paused; from then on only towards the daemon.
async fn pump(
    client: tokio::io::DuplexStream,
    daemon: tokio::net::UnixStream,
    paused: tokio_util::sync::CancellationToken,
) {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_daemon, mut to_daemon) = tokio::io::split(daemon);
    let up = tokio::io::copy(&mut from_client, &mut to_daemon);
    let down = async {
        tokio::select! {
            () = paused.cancelled() => std::future::pending::<()>().await,
            _ = tokio::io::copy(&mut from_daemon, &mut to_client) => {}
        }
    };
    tokio::join!(async { drop(up.await) }, down);
}

/// R40: neither a large message nor a compressed one costs memory.
#[tokio::test]
async fn r40_oversize_and_compressed_requests_are_refused() {
    let server = XServer::with_screen("320x240x24", &[]);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    screen(&mut client, raw()).await;
    let before = daemon.status("VmHWM");
    let huge = v1::ScreenshotRequest { if_changed_since: "x".repeat(64 << 20), ..raw() };
    let status = client.screenshot(huge).await.unwrap_err();
    assert!(matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted), "{status:?}");
    let grown = daemon.status("VmHWM").saturating_sub(before);
    assert!(grown < 3 * 1024, "{grown} KiB more");
    // A compression bomb announces itself: the encoding is not offered.
    let mut request = Request::new(v1::GetInfoRequest {});
    request.metadata_mut().insert("grpc-encoding", "gzip".parse().unwrap());
    assert_eq!(client.get_info(request).await.unwrap_err().code(), Code::Unimplemented);
}

/// R42: the 17th connection is closed, and a place that is free serves again.
#[tokio::test]
async fn r42_the_seventeenth_connection_is_refused() {
    let server = XServer::with_screen("320x240x24", &[]);
    let daemon = Daemon::start(&server);
    let mut clients = Vec::new();
    // The harness's own probe may hold a place until its silence is noticed.
    tokio::time::sleep(Duration::from_millis(200)).await;
    for _ in 0..16 {
        let mut client = daemon.client().await;
        client.get_info(v1::GetInfoRequest {}).await.unwrap();
        clients.push(client);
    }
    let mut refused = UnixStream::connect(daemon.socket()).unwrap();
    drop(refused.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    assert!(read_to_end(&mut refused).is_empty());
    clients.pop();
    tokio::time::sleep(Duration::from_millis(200)).await;
    daemon.client().await.get_info(v1::GetInfoRequest {}).await.unwrap();
}

/// R42: a connection that says nothing is closed after 5 s.
#[test]
fn r42_a_silent_connection_is_closed() {
    let server = XServer::with_screen("320x240x24", &[]);
    let daemon = Daemon::start(&server);
    let mut silent = UnixStream::connect(daemon.socket()).unwrap();
    let began = Instant::now();
    assert!(read_to_end(&mut silent).is_empty());
    assert!(began.elapsed() > Duration::from_secs(4) && began.elapsed() < Duration::from_secs(15));
}

/// R51: what a browser can send never reaches a service.
#[test]
fn r51_http_1_is_closed_at_once() {
    let server = XServer::with_screen("320x240x24", &[]);
    let daemon = Daemon::start(&server);
    for request in [
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /deskd.v1.Desktop/Screenshot HTTP/1.1\r\nHost: x\r\nContent-Type: application/grpc-web\r\n\r\n",
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nHost: localhost\r\n\r\n",
    ] {
        let mut stream = UnixStream::connect(daemon.socket()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let began = Instant::now();
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        assert!(answer.is_empty() && began.elapsed() < Duration::from_secs(3));
    }
}

/// R42: 64 calls at once on a connection; the others wait at the client.
#[tokio::test]
async fn r42_a_connection_has_64_streams() {
    let server = XServer::with_screen("320x240x24", &[]);
    let daemon = Daemon::start(&server);
    let client = daemon.client().await;
    server.stop();
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move { screen(&mut client, raw()).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.resume();
    for call in calls {
        call.await.unwrap();
    }
}

/// R43: refused before any effect, each field by name.
#[tokio::test]
async fn r43_fields_out_of_range_are_named() {
    let server = XServer::with_screen("320x240x24", &[]);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let jpeg = v1::ScreenshotRequest { format: v1::ImageFormat::Jpeg.into(), ..raw() };
    for (request, field) in [
        (v1::ScreenshotRequest { format: 99, ..raw() }, "format"),
        (v1::ScreenshotRequest { format: -1, ..raw() }, "format"),
        (v1::ScreenshotRequest { quality: Some(0), ..jpeg.clone() }, "quality"),
        (v1::ScreenshotRequest { quality: Some(101), ..jpeg.clone() }, "quality"),
        (v1::ScreenshotRequest { quality: Some(u32::MAX), ..jpeg }, "quality"),
        (v1::ScreenshotRequest { quality: Some(50), ..raw() }, "quality"),
        (v1::ScreenshotRequest { max_image_bytes: Some(0), ..raw() }, "max_image_bytes"),
    ] {
        let status = client.screenshot(request).await.unwrap_err();
        assert_eq!((status.code(), client::reason(&status)), (Code::InvalidArgument, v1::Reason::InvalidField));
        assert!(status.message().starts_with(&format!("{field}: ")), "{}", status.message());
    }
    let webp = v1::ScreenshotRequest { format: v1::ImageFormat::Webp.into(), ..raw() };
    assert_eq!(client.screenshot(webp).await.unwrap_err().code(), Code::Unimplemented);
}
