//! Strangers who reach the port, readers that are slow, tokens that are replaced.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use deskd::{Address, Token, client, v1};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::Code;

use crate::common::{
    Daemon, XServer,
    daemon::{raw, raw_image, token_file},
    step::Client,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// SETTINGS without any, on stream 0 (RFC 9113, 6.5).
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
/// PING (RFC 9113, 6.7).
const PING: [u8; 17] = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];

/// A daemon with a port that a token opens, and a client that has it.
async fn behind_a_token(folder: &std::path::Path) -> (XServer, Daemon, Token) {
    let server = XServer::with_screen("640x480x24", &[]);
    let (file, text) = token_file(folder);
    let file = file.to_str().unwrap();
    let daemon = Daemon::with(&server, &["--listen", "127.0.0.1:0", "--token-file", file]);
    let given = folder.join("given");
    std::fs::write(&given, text).unwrap();
    (server, daemon, Token::read(&given).unwrap())
}

async fn over_tcp(daemon: &Daemon, token: &Token) -> Client {
    let limit = Duration::from_secs(5);
    let connection = client::connect(&daemon.tcp_address(), Some(token), None, limit).await;
    client::desktop(connection.unwrap())
}

/// A connection that says HTTP/2, and no more.
fn stranger(daemon: &Daemon) -> TcpStream {
    let mut stream = TcpStream::connect(daemon.tcp_address().to_string()).unwrap();
    stream.write_all(PREFACE).unwrap();
    stream.write_all(&SETTINGS).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

/// Whether the other side ended the connection within the time that it may be read.
fn is_ended(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

/// More connections than there are places, all without a token: who has it is served.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_keep_nobody_out_and_do_not_stay() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, daemon, token) = behind_a_token(folder.path()).await;
    let began = Instant::now();
    let mut strangers: Vec<_> = (0..64).map(|_| stranger(&daemon)).collect();
    for _ in 0..40 {
        let mut client = over_tcp(&daemon, &token).await;
        client.get_info(v1::GetInfoRequest {}).await.unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(9));
    // The first went when there were too many, the last when their time was up.
    assert!(is_ended(&mut strangers[0]));
    assert!(began.elapsed() < Duration::from_secs(9));
    assert!(is_ended(strangers.last_mut().unwrap()));
    assert!(began.elapsed() > Duration::from_secs(9));
    // One whose call was let in stays.
    let mut client = over_tcp(&daemon, &token).await;
    client.get_info(v1::GetInfoRequest {}).await.unwrap();
    tokio::time::sleep(Duration::from_secs(11)).await;
    let newer: Vec<_> = (0..20).map(|_| stranger(&daemon)).collect();
    client.get_info(v1::GetInfoRequest {}).await.unwrap();
    assert_eq!(daemon.log().matches("connections are refused").count(), 0);
    drop(newer);
}

/// Frames without end, and without a token.
#[test]
fn a_stranger_that_floods_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_server, daemon, token) = runtime.block_on(behind_a_token(folder.path()));
    let priority = [[0, 0, 5, 2, 0, 0, 0, 0, 3].as_slice(), &[0; 5]].concat();
    for frame in [PING.as_slice(), &SETTINGS, &priority] {
        let mut stream = stranger(&daemon);
        let began = Instant::now();
        let flood = frame.repeat(50_000);
        // The daemon may end it in the middle of this.
        let written = stream.write_all(&flood);
        assert!(written.is_err() || is_ended(&mut stream), "{frame:?}");
        // Before its time as a stranger is up, which is 10 s.
        assert!(began.elapsed() < Duration::from_secs(8), "{frame:?}");
    }
    runtime.block_on(async {
        let mut client = over_tcp(&daemon, &token).await;
        client.get_info(v1::GetInfoRequest {}).await.unwrap();
    });
}

/// A reader that takes 40 s for a frame, and goes on all the time, gets it whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_that_goes_on_is_served() {
    let server = XServer::with_screen("1600x1200x24", &[]);
    let daemon = Daemon::start(&server);
    // Between them: 192 KB/s.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let socket = daemon.socket();
    tokio::spawn(async move {
        let (caller, _) = listener.accept().await.unwrap();
        let daemon = tokio::net::UnixStream::connect(socket).await.unwrap();
        let (mut from_caller, mut to_caller) = caller.into_split();
        let (mut from_daemon, mut to_daemon) = daemon.into_split();
        tokio::spawn(async move {
            drop(tokio::io::copy(&mut from_caller, &mut to_daemon).await);
        });
        let mut buffer = vec![0; 9600];
        while let Ok(count @ 1..) = from_daemon.read(&mut buffer).await {
            if to_caller.write_all(&buffer[..count]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let address = Address::Tcp {
        host: "127.0.0.1".into(),
        port,
    };
    let limit = Duration::from_secs(5);
    let connection = client::connect(&address, None, None, limit).await.unwrap();
    let mut client = client::desktop(connection).max_decoding_message_size(64 << 20);
    let request = v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            max_image_bytes: Some(64 << 20),
            ..raw_image()
        }),
        ..raw()
    };
    let mut request = tonic::Request::new(request);
    request.set_timeout(Duration::from_secs(100));
    let began = Instant::now();
    let frame = client.screenshot(request).await.unwrap().into_inner().frame;
    assert_eq!(frame.unwrap().image.len(), 1600 * 1200 * 4);
    assert!(
        began.elapsed() > Duration::from_secs(31),
        "{:?}",
        began.elapsed()
    );
}

/// A stream ends with the token that it was begun with.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_token() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, daemon, token) = behind_a_token(folder.path()).await;
    let mut client = over_tcp(&daemon, &token).await;
    let request = v1::WatchRequest {
        capture: Some(raw_image()),
        unproved: true,
        ..v1::WatchRequest::default()
    };
    let mut stream = client.watch(request).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    std::fs::write(folder.path().join("token"), "a-new-token-0123456789").unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(3), async {
        loop {
            if let Err(status) = stream.message().await {
                return status;
            }
        }
    });
    let status = ended.await.unwrap();
    assert_eq!(
        (status.code(), client::reason(&status)),
        (Code::Unauthenticated, v1::Reason::TokenInvalid)
    );
}

/// Bytes that are no message.
#[derive(Debug, Default)]
struct Bytes;

impl tonic::codec::Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl tonic::codec::Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = tonic::Status;

    fn encode(
        &mut self,
        bytes: Vec<u8>,
        buffer: &mut tonic::codec::EncodeBuf<'_>,
    ) -> Result<(), tonic::Status> {
        bytes::BufMut::put_slice(buffer, &bytes);
        Ok(())
    }
}

impl tonic::codec::Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = tonic::Status;

    fn decode(
        &mut self,
        buffer: &mut tonic::codec::DecodeBuf<'_>,
    ) -> Result<Option<Vec<u8>>, tonic::Status> {
        let length = bytes::Buf::remaining(buffer);
        Ok(Some(bytes::Buf::copy_to_bytes(buffer, length).to_vec()))
    }
}

/// A message that cannot be decoded is the caller's fault, and the status says so.
#[tokio::test]
async fn a_message_that_cannot_be_decoded_is_the_callers() {
    let server = XServer::with_screen("320x240x24", &[]);
    let daemon = Daemon::start(&server);
    let limit = Duration::from_secs(5);
    let connection = client::connect(&daemon.address(), None, None, limit).await;
    let mut grpc = tonic::client::Grpc::new(connection.unwrap());
    for call in ["Desktop/Screenshot", "Desktop/Act", "Stack/Up"] {
        grpc.ready().await.unwrap();
        let path = format!("/deskd.v1.{call}").parse().unwrap();
        let request = tonic::Request::new(vec![0x0a, 0xff, 0xff]);
        let status = grpc.unary(request, path, Bytes).await.unwrap_err();
        assert_eq!(
            (status.code(), client::reason(&status)),
            (Code::InvalidArgument, v1::Reason::InvalidField),
            "{call}: {status:?}"
        );
    }
}
