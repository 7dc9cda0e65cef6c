//! The clipboard: content of other programs, content for them, and owners that misbehave.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use deskd::{
    client::{self, ClipboardClient},
    v1::{self, ClipboardSelection, Reason},
};
use tonic::{Code, Request, Status};

use crate::common::{
    Daemon, XServer,
    daemon::cli,
    program, receiver,
    step::{bare, paste},
    wait_for,
};

type Clipboard = ClipboardClient<client::Connection>;

async fn clipboard(daemon: &Daemon) -> Clipboard {
    let limit = Duration::from_secs(5);
    let connection = client::connect(&daemon.address(), None, None, limit).await;
    client::clipboard(connection.unwrap())
}

async fn read(clipboard: &mut Clipboard, format: &str) -> Result<Vec<u8>, Status> {
    read_of(clipboard, format, ClipboardSelection::Clipboard).await
}

async fn read_of(
    clipboard: &mut Clipboard,
    format: &str,
    selection: ClipboardSelection,
) -> Result<Vec<u8>, Status> {
    let request = v1::ReadClipboardRequest {
        selection: selection.into(),
        format: format.into(),
    };
    let mut stream = clipboard.read_clipboard(request).await?.into_inner();
    let mut data = Vec::new();
    while let Some(piece) = stream.message().await? {
        assert!(piece.data.len() <= 256 << 10);
        data.extend_from_slice(&piece.data);
        assert!(data.len() as u64 <= piece.total);
    }
    Ok(data)
}

/// Reads HTML with a deadline.
async fn read_within(clipboard: &mut Clipboard, limit: Duration) -> Result<Vec<u8>, Status> {
    let mut request = Request::new(v1::ReadClipboardRequest {
        format: "text/html".into(),
        ..v1::ReadClipboardRequest::default()
    });
    request.set_timeout(limit);
    let mut stream = clipboard.read_clipboard(request).await?.into_inner();
    let mut data = Vec::new();
    while let Some(piece) = stream.message().await? {
        data.extend_from_slice(&piece.data);
    }
    Ok(data)
}

async fn write(clipboard: &mut Clipboard, items: &[(&str, &[u8])]) -> Result<u64, Status> {
    let mut pieces = Vec::new();
    for (format, data) in items {
        let mut chunks = data.chunks(200 << 10);
        let first = chunks.next().unwrap_or_default();
        let piece = |format: &str, data: &[u8]| v1::WriteClipboardRequest {
            format: format.into(),
            data: data.into(),
            ..v1::WriteClipboardRequest::default()
        };
        pieces.push(piece(format, first));
        pieces.extend(chunks.map(|chunk| piece("", chunk)));
    }
    let reply = clipboard
        .write_clipboard(tokio_stream::iter(pieces))
        .await?;
    Ok(reply.into_inner().total)
}

fn xclip(server: &XServer, arguments: &[&str]) -> Command {
    let mut xclip = server.program("xclip");
    xclip.args(["-selection", "clipboard"]).args(arguments);
    xclip
}

fn copied(server: &XServer, format: &str, data: &[u8]) {
    let mut xclip = xclip(server, &["-t", format, "-i"]);
    xclip
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut process = xclip.spawn().unwrap();
    process.stdin.take().unwrap().write_all(data).unwrap();
    assert!(process.wait().unwrap().success());
    // Its child becomes the owner a moment later.
    wait_for("the copy", Duration::from_secs(10), || {
        let output = self::xclip(server, &["-o", "-t", format]).output().unwrap();
        (output.stdout == data).then_some(())
    });
}

fn pasted(server: &XServer, format: &str) -> Vec<u8> {
    let output = xclip(server, &["-o", "-t", format]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// Text, HTML, PNG and file lists go both ways, exactly, also those that X sends in pieces.
#[tokio::test]
async fn content_goes_both_ways_exactly() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let mut clipboard = clipboard(&daemon).await;
    let empty = read(&mut clipboard, "").await.unwrap_err();
    assert_eq!(client::reason(&empty), Reason::FormatNotOffered);
    let text = "é漢🙂 \n\ttext".repeat(1000);
    let large = noise(16 << 20);
    for (format, data) in [
        ("UTF8_STRING", text.as_bytes()),
        ("text/html", b"<b>bold</b>".as_slice()),
        ("text/uri-list", b"file:///a%20b\r\n"),
        ("image/png", &noise(3 << 20)),
        ("application/octet-stream", &large),
    ] {
        copied(&server, format, data);
        let asked = if format == "UTF8_STRING" { "" } else { format };
        assert!(
            read(&mut clipboard, asked).await.unwrap() == data,
            "{format}"
        );
        let total = write(&mut clipboard, &[(asked, data)]).await.unwrap();
        assert_eq!(total, data.len() as u64);
        assert!(pasted(&server, format) == data, "{format}");
        assert!(
            read(&mut clipboard, asked).await.unwrap() == data,
            "{format}: own"
        );
    }
    // Several formats at once, and nothing.
    let both: [(&str, &[u8]); 2] = [("", b"plain"), ("text/html", b"<i>plain</i>")];
    write(&mut clipboard, &both).await.unwrap();
    assert_eq!(pasted(&server, "STRING"), b"plain");
    assert_eq!(pasted(&server, "text/html"), b"<i>plain</i>");
    let formats = clipboard
        .list_formats(v1::ListFormatsRequest::default())
        .await;
    let formats = formats.unwrap().into_inner().formats;
    assert!(
        formats.iter().any(|format| format == "text/html"),
        "{formats:?}"
    );
    let missing = read(&mut clipboard, "image/png").await.unwrap_err();
    assert!(missing.message().contains("text/html"), "{missing:?}");
    write(&mut clipboard, &[("", b"")]).await.unwrap();
    assert_eq!(read(&mut clipboard, "").await.unwrap(), b"");
    // The other selection is another one.
    let primary = read_of(&mut clipboard, "", ClipboardSelection::Primary).await;
    assert_eq!(
        client::reason(&primary.unwrap_err()),
        Reason::FormatNotOffered
    );
}

/// What is written is not in the log, and a paste gives it back.
#[tokio::test]
async fn a_paste_gives_back_what_was_written() {
    let server = XServer::start();
    let receiver = receiver::Receiver::start(&server, receiver::Toolkit::Gtk);
    let daemon = Daemon::start(&server);
    let mut clipboard = clipboard(&daemon).await;
    write(&mut clipboard, &[("", b"kept-secret")])
        .await
        .unwrap();
    let step = bare(vec![
        crate::common::step::click(receiver.in_text(5).0, receiver.in_text(5).1),
        paste("pasted"),
    ]);
    let reply = daemon.client().await.act(step).await.unwrap().into_inner();
    assert_eq!(reply.outcome(), v1::ActOutcome::Done, "{reply:?}");
    wait_for("what was written", Duration::from_secs(10), || {
        (pasted(&server, "UTF8_STRING") == b"kept-secret").then_some(())
    });
    assert_eq!(read(&mut clipboard, "").await.unwrap(), b"kept-secret");
    assert!(!daemon.log().contains("kept-secret"));
}

/// Owners that stall, send without end, or end in the middle cost a bounded time and memory.
#[tokio::test]
async fn owners_that_misbehave_are_reported() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let mut clipboard = clipboard(&daemon).await;
    for (kind, code, reason) in [
        (
            "stalls",
            Code::DeadlineExceeded,
            Reason::ProgramUnresponsive,
        ),
        ("stops", Code::DeadlineExceeded, Reason::ProgramUnresponsive),
        ("endless", Code::FailedPrecondition, Reason::TooLarge),
    ] {
        let _owner = bad_owner(&server, kind);
        let before = daemon.anonymous_kib();
        let status = read(&mut clipboard, "text/html").await.unwrap_err();
        assert_eq!(
            (status.code(), client::reason(&status)),
            (code, reason),
            "{kind}: {status:?}"
        );
        assert!(daemon.anonymous_kib() < before + 64 * 1024, "{kind}");
    }
    // And goes on.
    write(&mut clipboard, &[("", b"after")]).await.unwrap();
    assert_eq!(pasted(&server, "UTF8_STRING"), b"after");
}

fn bad_owner(server: &XServer, kind: &str) -> program::Running {
    let mut owner = receiver::python(server, "bad_owner.py");
    let mut owner = program::spawn(owner.arg(kind), "python3-xlib");
    let lines = receiver::lines(&mut owner);
    wait_for(kind, Duration::from_secs(10), || {
        lines.lock().unwrap().first().cloned()
    });
    owner
}

/// An owner may need a while for its content.
#[tokio::test]
async fn a_slow_owner_is_waited_for() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let mut clipboard = clipboard(&daemon).await;
    let _owner = bad_owner(&server, "slow");
    assert_eq!(read(&mut clipboard, "text/html").await.unwrap(), b"slow");
}

/// A call ends with its caller: it holds up nobody else, and what was refused is not done later.
#[tokio::test]
async fn what_nobody_waits_for_is_not_done() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let mut clipboard = clipboard(&daemon).await;
    let owner = bad_owner(&server, "drips");
    let mut readers = Vec::new();
    for _ in 0..3 {
        let mut reader = self::clipboard(&daemon).await;
        readers.push(tokio::spawn(async move {
            let read = read_within(&mut reader, Duration::from_secs(1)).await;
            read.unwrap_err().code()
        }));
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let piece = v1::WriteClipboardRequest {
        data: b"late".as_slice().into(),
        ..v1::WriteClipboardRequest::default()
    };
    let mut request = Request::new(tokio_stream::iter([piece]));
    request.set_timeout(Duration::from_millis(500));
    let refused = clipboard.write_clipboard(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::DeadlineExceeded, "{refused:?}");
    for reader in readers {
        assert_eq!(reader.await.unwrap(), Code::DeadlineExceeded);
    }
    // The next call is served at once, and nothing was written meanwhile.
    let mut request = Request::new(v1::ListFormatsRequest::default());
    request.set_timeout(Duration::from_secs(2));
    let formats = clipboard.list_formats(request).await.unwrap().into_inner();
    assert_eq!(formats.formats, ["text/html"]);
    drop(owner);
}

/// What a former owner still sends is not taken for the content of the present one.
#[tokio::test]
async fn a_former_owner_adds_nothing() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let mut clipboard = clipboard(&daemon).await;
    let late = bad_owner(&server, "late");
    let status = read(&mut clipboard, "text/html").await.unwrap_err();
    assert_eq!(client::reason(&status), Reason::ProgramUnresponsive);
    // Its next piece comes while this transfer runs.
    let _owner = bad_owner(&server, "pieces");
    let read = read(&mut clipboard, "text/html").await.unwrap();
    assert_eq!(String::from_utf8(read).unwrap(), "B".repeat(5000));
    drop(late);
}

/// Names of formats are bounded in messages.
#[tokio::test]
async fn long_names_of_formats_are_left_out() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let mut clipboard = clipboard(&daemon).await;
    let _owner = bad_owner(&server, "names");
    let status = read(&mut clipboard, "").await.unwrap_err();
    assert_eq!(client::reason(&status), Reason::FormatNotOffered);
    assert!(status.message().len() < 1000);
    let formats = clipboard.list_formats(v1::ListFormatsRequest::default());
    assert_eq!(formats.await.unwrap().into_inner().formats, ["text/html"]);
}

#[tokio::test]
async fn wrong_requests_are_refused_by_name() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let mut clipboard = clipboard(&daemon).await;
    let over = vec![0_u8; (16 << 20) + 1];
    for (items, reason) in [
        (vec![("", b"\xff\xfe".as_slice())], Reason::InvalidField),
        (vec![("text/html\n", b"x".as_slice())], Reason::InvalidField),
        (
            vec![("a", b"x".as_slice()), ("b", b"x"), ("a", b"x")],
            Reason::InvalidField,
        ),
        (vec![("a", over.as_slice())], Reason::LimitExceeded),
        (vec![], Reason::InvalidField),
    ] {
        let status = write(&mut clipboard, &items).await.unwrap_err();
        assert_eq!(client::reason(&status), reason, "{status:?}");
    }
    let unknown = v1::ListFormatsRequest { selection: 9 };
    let status = clipboard.list_formats(unknown).await.unwrap_err();
    assert_eq!(client::reason(&status), Reason::InvalidField);
    let read_only = Daemon::with(&server, &["--read-only"]);
    let mut clipboard = self::clipboard(&read_only).await;
    let status = write(&mut clipboard, &[("", b"x")]).await.unwrap_err();
    assert_eq!(client::reason(&status), Reason::ReadOnly);
    // A sender that stops in the middle.
    let mut slow = Request::new(tokio_stream::pending());
    slow.set_timeout(Duration::from_millis(800));
    let mut other = self::clipboard(&daemon).await;
    let status = other.write_clipboard(slow).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

/// A write is refused when the client has sent everything: some clients report their own failed write
/// in place of an answer that comes earlier.
#[tokio::test]
async fn a_write_is_refused_when_it_is_sent() {
    let server = XServer::start();
    for option in ["--read-only", "--profile=any"] {
        let daemon = Daemon::with(&server, &[option]);
        let mut clipboard = clipboard(&daemon).await;
        let (sender, pieces) = tokio::sync::mpsc::channel(1);
        let pieces = tokio_stream::wrappers::ReceiverStream::new(pieces);
        let mut call = tokio::spawn(async move { clipboard.write_clipboard(pieces).await });
        let piece = |format: &str| v1::WriteClipboardRequest {
            format: format.into(),
            ..v1::WriteClipboardRequest::default()
        };
        // The second piece is wrong.
        for format in ["a", "a", "b"] {
            sender.send(piece(format)).await.unwrap();
        }
        let answer = tokio::time::timeout(Duration::from_millis(200), &mut call).await;
        assert!(answer.is_err(), "it was refused before its end: {answer:?}");
        drop(sender);
        let status = call.await.unwrap().unwrap_err();
        let expected = match option {
            "--read-only" => Reason::ReadOnly,
            _ => Reason::InvalidField,
        };
        assert_eq!(client::reason(&status), expected, "{status:?}");
    }
}

/// `deskd clipboard set` reads standard input, `get` adds nothing.
#[test]
fn the_command_copies_and_pastes() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let mut set = Command::new(crate::common::daemon::binary());
    set.args([
        "clipboard",
        "set",
        "--server",
        &daemon.address().to_string(),
    ]);
    let mut set = set.stdin(Stdio::piped()).spawn().unwrap();
    set.stdin
        .take()
        .unwrap()
        .write_all("one\ntwo é".as_bytes())
        .unwrap();
    assert!(set.wait().unwrap().success());
    assert_eq!(pasted(&server, "UTF8_STRING"), "one\ntwo é".as_bytes());
    let get = cli(&daemon.address(), &["clipboard", "get"]);
    assert_eq!(get.stdout, "one\ntwo é".as_bytes());
    let formats = cli(&daemon.address(), &["clipboard", "formats"]);
    assert!(String::from_utf8_lossy(&formats.stdout).contains("UTF8_STRING\n"));
    let missing = cli(
        &daemon.address(),
        &["clipboard", "get", "--format", "image/png"],
    );
    assert_eq!(missing.status.code(), Some(4));
}

/// A link named xclip does what xclip does: each reads what the other has copied.
#[test]
fn a_linked_xclip_is_one() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("xclip");
    std::os::unix::fs::symlink(crate::common::daemon::binary(), &link).unwrap();
    let linked = |arguments: &[&str], input: Option<&[u8]>| {
        let mut xclip = Command::new(&link);
        xclip
            .args(arguments)
            .env("DESKD_SERVER", daemon.address().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = xclip.spawn().unwrap();
        let mut stdin = process.stdin.take().unwrap();
        stdin.write_all(input.unwrap_or_default()).unwrap();
        drop(stdin);
        process.wait_with_output().unwrap()
    };
    let empty = linked(&["-selection", "clipboard", "-o"], None);
    assert_eq!(empty.status.code(), Some(1), "{empty:?}");
    for (format, data) in [("UTF8_STRING", "text é\n"), ("text/html", "<b>x</b>")] {
        let arguments = ["-selection", "clipboard", "-t", format];
        assert!(linked(&arguments, Some(data.as_bytes())).status.success());
        assert_eq!(pasted(&server, format), data.as_bytes());
        copied(&server, format, b"from xclip");
        let printed = linked(&["-sel", "c", "-t", format, "-o"], None);
        assert_eq!(printed.stdout, b"from xclip", "{printed:?}");
    }
    // Without options: PRIMARY.
    assert!(linked(&[], Some(b"marked")).status.success());
    let mut primary = server.program("xclip");
    assert_eq!(primary.args(["-o"]).output().unwrap().stdout, b"marked");
    let targets = linked(&["-o", "-t", "TARGETS"], None);
    assert!(String::from_utf8_lossy(&targets.stdout).contains("UTF8_STRING"));
}

/// A clipboard manager reads each new content at once, and takes the clipboard when its owner ends.
#[tokio::test]
async fn a_clipboard_manager_changes_nothing() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    let mut clipboard = clipboard(&daemon).await;
    let home = tempfile::tempdir().unwrap();
    let mut manager = server.program("dbus-run-session");
    manager
        .args(["--", "parcellite"])
        .env("HOME", home.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _manager = program::spawn(&mut manager, "dbus");
    let pause = Duration::from_millis(100);
    for round in 0..20 {
        let text = format!("text {round} {}", "x".repeat(round * 5000));
        write(&mut clipboard, &[("", text.as_bytes())])
            .await
            .unwrap();
        if round % 2 == 0 {
            tokio::time::sleep(pause).await;
        }
        assert!(pasted(&server, "UTF8_STRING") == text.as_bytes(), "{round}");
        assert!(
            read(&mut clipboard, "").await.unwrap() == text.as_bytes(),
            "{round}"
        );
        let html = format!("<b>{round}</b>");
        write(&mut clipboard, &[("text/html", html.as_bytes())])
            .await
            .unwrap();
        tokio::time::sleep(pause).await;
        assert_eq!(pasted(&server, "text/html"), html.as_bytes());
        let copied = format!("copied {round}");
        self::copied(&server, "UTF8_STRING", copied.as_bytes());
        assert_eq!(
            read(&mut clipboard, "").await.unwrap(),
            copied.as_bytes(),
            "{round}"
        );
    }
    // It runs: it keeps what deskd owned when that ends.
    write(&mut clipboard, &[("", b"kept")]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(daemon);
    wait_for("the manager's copy", Duration::from_secs(10), || {
        let output = xclip(&server, &["-o", "-t", "UTF8_STRING"])
            .output()
            .unwrap();
        (output.stdout == b"kept").then_some(())
    });
}
