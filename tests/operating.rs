//! The operator's view: metrics, and reports to a service manager.

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixDatagram,
    time::{Duration, Instant},
};

use deskd::{Address, client, v1};

use crate::common::{
    Daemon, Recorder, XServer,
    daemon::{binary, screen},
    program::{self, command},
    step::{Client, bare, click, done, key_down, text},
    wait_for,
};

fn png() -> v1::ScreenshotRequest {
    v1::ScreenshotRequest::default()
}

/// A request over HTTP/1.1; the whole answer.
fn http(address: &str, head: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    write!(stream, "{head}\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The address in the line of the log that reports where metrics are.
fn metrics_address(daemon: &Daemon) -> String {
    wait_for("the metrics' address", Duration::from_secs(5), || {
        let log = daemon.log();
        let line = log.lines().find(|line| line.contains(": metrics "))?;
        Some(line.split("address=").nth(1)?.trim().to_owned())
    })
}

/// The value of a series.
fn value(metrics: &str, series: &str) -> Option<f64> {
    let line = metrics.lines().find(|line| {
        line.strip_prefix(series)
            .is_some_and(|rest| rest.starts_with(' '))
    })?;
    line.rsplit(' ').next()?.parse().ok()
}

#[tokio::test]
async fn metrics_tell_what_happened_and_nothing_secret() {
    let server = XServer::with_screen("640x480x24", &[]);
    let recorder = Recorder::new(&server);
    let daemon = Daemon::with(&server, &["--metrics", "127.0.0.1:0"]);
    let address = metrics_address(&daemon);
    let mut client: Client = daemon.client().await;
    let before = http(&address, "GET /metrics HTTP/1.1");
    assert!(before.starts_with("HTTP/1.1 200"), "{before}");
    assert!(before.contains("content-type: application/openmetrics-text"));
    assert!(before.trim_end().ends_with("# EOF"));
    screen(&mut client, png()).await;
    screen(&mut client, png()).await;
    done(&mut client, vec![text("canary")]).await;
    recorder.within(Duration::from_millis(50));
    let refused = client.act(bare(vec![click(-1, 0)])).await;
    assert!(refused.is_err());
    let told = http(&address, "GET /metrics HTTP/1.1");
    let is = |series: &str| value(&told, series).unwrap_or_else(|| panic!("no {series}: {told}"));
    let screens = is(r#"deskd_frames_total{kind="screen",stage="",reason=""}"#);
    assert!(screens >= 2.0);
    assert!(is(r#"deskd_image_bytes_total{format="png"}"#) > 0.0);
    assert!(is("deskd_capture_seconds_count") >= 2.0);
    assert!(is("deskd_capture_seconds_sum") > 0.0);
    assert!(is(r#"deskd_act_seconds_count{outcome="DONE"}"#) >= 1.0);
    assert!(is(r#"deskd_refusals_total{reason="OUT_OF_SCREEN"}"#) >= 1.0);
    assert!((is("deskd_x_connected") - 1.0).abs() < f64::EPSILON);
    assert!(told.contains(r#"deskd_build_info{version=""#), "{told}");
    assert!(told.contains("deskd_display_info{"), "{told}");
    assert!(told.contains(r#"capture_mode="shm_fd"} 1"#), "{told}");
    assert!(!told.contains("canary"));
    // A card is counted by its reason, and the display has gone.
    drop(recorder);
    drop(server);
    let lost = wait_for("the lost display", Duration::from_secs(10), || {
        let told = http(&address, "GET /metrics HTTP/1.1");
        (value(&told, "deskd_x_connected") == Some(0.0)).then_some(told)
    });
    assert!(!lost.contains("deskd_display_info{"), "{lost}");
    let mut request = tonic::Request::new(png());
    request.set_timeout(Duration::from_secs(2));
    client.screenshot(request).await.unwrap();
    let told = http(&address, "GET /metrics HTTP/1.1");
    assert!(
        told.contains(r#"deskd_frames_total{kind="card",stage="#),
        "{told}"
    );
}

#[test]
fn only_metrics_are_served_and_silent_peers_cost_nothing() {
    let server = XServer::with_screen("320x240x24", &[]);
    let daemon = Daemon::with(&server, &["--metrics", "127.0.0.1:0"]);
    let address = metrics_address(&daemon);
    assert!(http(&address, "GET / HTTP/1.1").starts_with("HTTP/1.1 404"));
    assert!(http(&address, "POST /metrics HTTP/1.1").starts_with("HTTP/1.1 405"));
    assert!(http(&address, "NONSENSE").starts_with("HTTP/1.1 400"));
    // As many as are served at once, who say nothing: the oldest makes room.
    let silent: Vec<TcpStream> = (0..8)
        .map(|_| TcpStream::connect(&address).unwrap())
        .collect();
    assert!(http(&address, "GET /metrics HTTP/1.1").starts_with("HTTP/1.1 200"));
    let mut last = silent.last().unwrap();
    last.set_nonblocking(true).unwrap();
    let still_open = last.read(&mut [0]).unwrap_err();
    assert_eq!(still_open.kind(), std::io::ErrorKind::WouldBlock);
    drop(silent);
    let unix = Address::Unix("/tmp/x".into()).to_string();
    let refused = daemon.cli(&["serve", "--metrics", &unix]);
    assert_eq!(refused.status.code(), Some(2));
}

/// Messages to a service manager's socket.
fn heard(socket: &UnixDatagram, limit: Duration) -> Vec<String> {
    let until = Instant::now() + limit;
    let mut words = Vec::new();
    let mut buffer = [0; 4096];
    while let left = until.saturating_duration_since(Instant::now())
        && !left.is_zero()
    {
        socket.set_read_timeout(Some(left)).unwrap();
        let Ok(count) = socket.recv(&mut buffer) else {
            break;
        };
        let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
        words.extend(text.lines().map(str::to_owned));
    }
    words
}

/// A log that cannot be written costs lines, and nothing else.
#[tokio::test]
async fn a_log_on_a_full_disk_ends_nothing() {
    let server = XServer::with_screen("320x240x24", &[]);
    let full = ["sh", "-c", "exec \"$0\" \"$@\" 2>/dev/full"];
    let mut daemon = Daemon::launch(&server, &full, &[], &[("DESKD_LOG", "deskd=trace")]);
    let mut client = daemon.client().await;
    done(&mut client, vec![click(10, 10)]).await;
    screen(
        &mut client,
        v1::ScreenshotRequest {
            unproved: true,
            ..v1::ScreenshotRequest::default()
        },
    )
    .await;
    daemon.signal("TERM");
    assert_eq!(daemon.wait(Duration::from_secs(5)), Some(0));
}

#[test]
fn r33_a_service_manager_hears_of_readiness_state_life_and_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let server = XServer::with_screen("320x240x24", &[]);
    let mut daemon = Daemon::launch(
        &server,
        &[],
        &[],
        &[
            ("NOTIFY_SOCKET", path.to_str().unwrap()),
            ("WATCHDOG_USEC", "1000000"),
        ],
    );
    let is_alive = |words: &[String]| words.iter().filter(|word| *word == "WATCHDOG=1").count();
    let words = heard(&socket, Duration::from_secs(3));
    assert!(words.contains(&"READY=1".to_owned()), "{words:?}");
    let size = |word: &String| word.starts_with("STATUS=display :") && word.contains("320x240");
    assert!(words.iter().any(size), "{words:?}");
    assert!(is_alive(&words) >= 3, "{words:?}");
    // A hung X server is no reason for a restart, also with work that waits for it.
    server.stop();
    let waiting = daemon.cli(&["screenshot", "--deadline", "3s", "-o", "/dev/null"]);
    assert_eq!(waiting.status.code(), Some(3));
    assert!(is_alive(&heard(&socket, Duration::from_secs(2))) >= 4);
    server.resume();
    daemon.signal("TERM");
    assert_eq!(daemon.wait(Duration::from_secs(10)), Some(0));
    let words = heard(&socket, Duration::from_secs(1));
    assert!(words.contains(&"STOPPING=1".to_owned()), "{words:?}");
}

#[tokio::test]
async fn lines_of_a_step_carry_its_operation_id() {
    let server = XServer::with_screen("640x480x24", &[]);
    let _recorder = Recorder::new(&server);
    let daemon = Daemon::start(&server);
    let mut client: Client = daemon.client().await;
    let info = client.get_info(v1::GetInfoRequest {}).await.unwrap();
    screen(&mut client, png()).await;
    let mut request = bare(vec![click(5, 5)]);
    request.operation_id = "step-\"7\"\n".into();
    request.instance_id = info.into_inner().instance_id;
    let refused = client.act(request.clone()).await;
    if refused.is_err() {
        request.operation_id = "step-7".into();
        client.act(request).await.unwrap();
    }
    let log = daemon.log();
    let line = log
        .lines()
        .find(|line| line.contains("act{operation="))
        .unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains("step-"), "{line}");
    assert!(
        !log.lines().any(|line| line == "\""),
        "an id breaks no line: {log}"
    );
}

/// A log that cannot be written costs lines of the log and nothing else: calls are
/// answered, and what is held is let go at the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_written_costs_nothing_else() {
    let server = XServer::with_screen("640x480x24", &[]);
    let recorder = Recorder::new(&server);
    let full = std::fs::File::options().write(true).open("/dev/full");
    let (unread, stuck) = std::io::pipe().unwrap();
    let (reader, ended) = std::io::pipe().unwrap();
    drop(reader);
    let kinds: [(&str, std::process::Stdio); 3] = [
        ("a full disk", full.unwrap().into()),
        ("a pipe that nobody reads", stuck.into()),
        ("a pipe whose reader ended", ended.into()),
    ];
    for (kind, log) in kinds {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("deskd.sock");
        let address = Address::Unix(socket.clone());
        let mut serve = command(binary());
        serve
            .args(["serve", "--display", &server.display(), "--listen"])
            .arg(address.to_string())
            .env("XAUTHORITY", server.xauthority())
            .env("DESKD_LOG", "trace")
            .stderr(log);
        let mut serve = program::spawn(&mut serve, "");
        wait_for("the daemon", Duration::from_secs(10), || {
            std::os::unix::net::UnixStream::connect(&socket).ok()
        });
        let connection = client::connect(&address, None, None, Duration::from_secs(5)).await;
        let mut client = client::desktop(connection.unwrap());
        // More than a pipe takes.
        for round in 0..60 {
            screen(&mut client, png()).await;
            done(&mut client, vec![click(round, 9)]).await;
        }
        done(&mut client, vec![key_down("a", 60_000)]).await;
        serve.signal("TERM");
        let code = wait_for(kind, Duration::from_secs(10), || {
            serve.0.try_wait().unwrap()
        });
        assert_eq!(code.code(), Some(0), "{kind}");
        assert!(recorder.nothing_is_down(), "{kind}");
    }
    drop(unread);
}
