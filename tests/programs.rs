//! Programs: launched once, as the desktop's user, found by their windows, and ended with all of
//! their processes.

use std::{
    fs,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use deskd::{
    client::{self, ProgramsClient},
    v1::{self, LaunchOutcome, Reason, launch_request::Program as Target},
};
use tonic::Code;

use crate::common::{
    Daemon, XServer,
    daemon::{binary, cli},
    managed::Managed,
    program::{self, Running, command},
    wait_for,
};

type Programs = ProgramsClient<client::Connection>;

/// An X server, a session helper, and a daemon that uses it.
struct Stage {
    server: XServer,
    helper: Option<Running>,
    daemon: Daemon,
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let server = XServer::start();
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("helper.sock");
        let daemon = Daemon::with(&server, &["--session-helper", socket.to_str().unwrap()]);
        let mut stage = Self {
            server,
            helper: None,
            daemon,
            folder,
        };
        stage.start_helper();
        stage
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("helper.sock")
    }

    fn start_helper(&mut self) {
        // A background job of a shell ignores these; the programs must not.
        let mut helper = self.server.program("env");
        helper
            .arg("--ignore-signal=INT,QUIT,HUP")
            .arg(binary())
            .args(["session-helper", "--socket"])
            .arg(self.socket())
            .env("HOME", self.folder.path())
            .env("SECRET_OF_THE_SESSION", "visible here")
            .stdout(Stdio::null());
        self.helper = Some(program::spawn(&mut helper, ""));
        wait_for("the helper", Duration::from_secs(10), || {
            std::os::unix::net::UnixStream::connect(self.socket()).ok()
        });
    }

    async fn programs(&self) -> Programs {
        let limit = Duration::from_secs(5);
        let connection = client::connect(&self.daemon.address(), None, None, limit).await;
        client::programs(connection.unwrap())
    }
}

fn of_words(words: &[&str]) -> v1::LaunchRequest {
    v1::LaunchRequest {
        program: Some(Target::Arguments(v1::Arguments {
            words: words.iter().map(|word| (*word).into()).collect(),
        })),
        ..v1::LaunchRequest::default()
    }
}

fn waiting(request: v1::LaunchRequest, seconds: i64) -> v1::LaunchRequest {
    v1::LaunchRequest {
        wait_window: Some(prost_types::Duration { seconds, nanos: 0 }),
        ..request
    }
}

async fn launch(programs: &mut Programs, request: v1::LaunchRequest) -> v1::LaunchResponse {
    programs.launch(request).await.unwrap().into_inner()
}

async fn output(programs: &mut Programs, id: &str) -> v1::ReadOutputResponse {
    let request = v1::ReadOutputRequest { id: id.into() };
    programs.read_output(request).await.unwrap().into_inner()
}

/// The output of a program that has ended.
async fn finished(programs: &mut Programs, id: &str) -> v1::ReadOutputResponse {
    for _ in 0..250 {
        let reply = output(programs, id).await;
        if reply.program.as_ref().unwrap().end.is_some() {
            return reply;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the program does not end");
}

fn exit_code(program: &v1::Program) -> Option<i32> {
    match program.end?.how? {
        v1::program_end::How::ExitCode(code) => Some(code),
        v1::program_end::How::Signal(_) => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_arrive_as_they_are() {
    let stage = Stage::new();
    let mut programs = stage.programs().await;
    let words = [
        "sh",
        "-c",
        "printf '%s|' \"$0\" \"$@\"; pwd; printf '%s' \"$ONE\"",
    ];
    let given = ["a b", "$(touch x)", "`id`", "", "ä€😀", "-rf", "*"];
    let mut request = of_words(&[&words[..], &given].concat());
    request.folder = "/usr".into();
    request.environment = [("ONE".to_owned(), "1 'x'".to_owned())].into();
    let reply = launch(&mut programs, request).await;
    assert_eq!(reply.outcome(), LaunchOutcome::Started);
    let program = reply.program.unwrap();
    let reply = finished(&mut programs, &program.id).await;
    let wanted = format!("{}|/usr\n1 'x'", given.join("|"));
    assert_eq!(reply.output, wanted);
    assert_eq!(usize::try_from(reply.total_bytes), Ok(wanted.len()));
    assert_eq!(exit_code(&reply.program.unwrap()), Some(0));
    assert_eq!(program.name, "sh");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_painted_window_is_waited_for() {
    let stage = Stage::new();
    let mut programs = stage.programs().await;
    let reply = launch(&mut programs, waiting(of_words(&["xterm"]), 30)).await;
    assert_eq!(reply.outcome(), LaunchOutcome::WindowPainted, "{reply:?}");
    assert!(reply.painted_after.is_some());
    let window = reply.window.unwrap();
    assert_eq!(window.program, "xterm");
    let program = reply.program.unwrap();
    // It is listed with its window.
    let list = programs.list_programs(v1::ListProgramsRequest {}).await;
    let list = list.unwrap().into_inner().programs;
    assert_eq!(list[0].id, program.id);
    assert_eq!(list[0].windows[0].id, window.id);
    // All of its processes end.
    let request = v1::SignalProgramRequest {
        id: program.id.clone(),
        signal: v1::ProgramSignal::Terminate.into(),
        timeout: Some(prost_types::Duration {
            seconds: 10,
            nanos: 0,
        }),
    };
    let reply = programs.signal_program(request).await.unwrap().into_inner();
    assert!(reply.ended && reply.signalled >= 1, "{reply:?}");
    let list = programs.list_programs(v1::ListProgramsRequest {}).await;
    let list = list.unwrap().into_inner().programs;
    assert!(list[0].end.is_some() && list[0].windows.is_empty());
}

/// A program may fork away, in a session of its own, without the environment of its parent's window.
#[tokio::test(flavor = "multi_thread")]
async fn the_window_of_a_forked_process_is_the_programs() {
    let stage = Stage::new();
    let mut programs = stage.programs().await;
    let script = "setsid -f sh -c 'sleep 0.5; exec xterm -T forked'";
    let reply = launch(&mut programs, waiting(of_words(&["sh", "-c", script]), 30)).await;
    assert_eq!(reply.outcome(), LaunchOutcome::WindowPainted, "{reply:?}");
    assert_eq!(reply.window.unwrap().title, "forked");
    let program = reply.program.unwrap();
    assert_eq!(exit_code(&program), Some(0));
    let request = v1::SignalProgramRequest {
        id: program.id,
        signal: v1::ProgramSignal::Kill.into(),
        timeout: None,
    };
    let reply = programs.signal_program(request).await.unwrap().into_inner();
    assert!(reply.ended && reply.signalled >= 1, "{reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_shows_no_window_is_reported() {
    let stage = Stage::new();
    let mut programs = stage.programs().await;
    // It ends at once: the wait ends with it.
    let began = Instant::now();
    let script = "echo broken >&2; exit 7";
    let reply = launch(&mut programs, waiting(of_words(&["sh", "-c", script]), 60)).await;
    assert_eq!(reply.outcome(), LaunchOutcome::Ended, "{reply:?}");
    assert_eq!(reply.output, "broken\n");
    assert_eq!(exit_code(&reply.program.unwrap()), Some(7));
    assert!(began.elapsed() < Duration::from_secs(30));
    // It is ended by a signal.
    let reply = launch(
        &mut programs,
        waiting(of_words(&["sh", "-c", "kill -9 $$"]), 60),
    )
    .await;
    assert_eq!(reply.outcome(), LaunchOutcome::Ended);
    assert!(reply.message.contains("signal 9"), "{}", reply.message);
    // It runs without a window.
    let reply = launch(&mut programs, waiting(of_words(&["sleep", "60"]), 1)).await;
    assert_eq!(reply.outcome(), LaunchOutcome::NoWindow);
    assert!(reply.window.is_none());
    // Its window stays empty.
    let code = "import tkinter; t = tkinter.Tk(); t.title('blank'); t.mainloop()";
    let blank = waiting(of_words(&["python3", "-c", code]), 3);
    let reply = launch(&mut programs, blank).await;
    assert_eq!(reply.outcome(), LaunchOutcome::WindowBlank, "{reply:?}");
    assert_eq!(reply.window.unwrap().title, "blank");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_started_says_why() {
    let stage = Stage::new();
    let mut programs = stage.programs().await;
    let folder = stage.folder.path();
    let file = |name: &str, text: &str, mode: u32| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let plain = file("plain", "#!/bin/sh\n", 0o644);
    let orphan = file("orphan", "#!/no/such/interpreter\n", 0o755);
    let entry = |name: &str| v1::LaunchRequest {
        program: Some(Target::DesktopEntry(v1::DesktopEntry {
            entry: name.into(),
            uris: vec![],
        })),
        ..v1::LaunchRequest::default()
    };
    let uri = |uri: &str| v1::LaunchRequest {
        program: Some(Target::Uri(uri.into())),
        ..v1::LaunchRequest::default()
    };
    let in_folder = v1::LaunchRequest {
        folder: "/no/such".into(),
        ..of_words(&["true"])
    };
    let relative = v1::LaunchRequest {
        folder: "relative".into(),
        ..of_words(&["true"])
    };
    let long = "x".repeat(70_000);
    for (request, reason, part) in [
        (
            of_words(&["no-such-program"]),
            Reason::ProgramNotFound,
            "PATH",
        ),
        (of_words(&["/no/such"]), Reason::ProgramNotFound, "path"),
        (of_words(&[&plain]), Reason::ProgramNotFound, "executed"),
        (
            of_words(&[&orphan]),
            Reason::ProgramNotStarted,
            "interpreter",
        ),
        (of_words(&["./x"]), Reason::InvalidField, "absolute"),
        (of_words(&[]), Reason::InvalidField, "program"),
        (of_words(&["true", "a\0b"]), Reason::InvalidField, "NUL"),
        (of_words(&["true", &long]), Reason::LimitExceeded, "65536"),
        (in_folder, Reason::ProgramNotStarted, "/no/such"),
        (relative, Reason::InvalidField, "absolute"),
        (
            entry("no-such-entry"),
            Reason::ProgramNotFound,
            "applications",
        ),
        (uri("--help"), Reason::InvalidField, "scheme"),
        (
            v1::LaunchRequest::default(),
            Reason::InvalidField,
            "arguments",
        ),
        (
            waiting(of_words(&["true"]), 1000),
            Reason::LimitExceeded,
            "2m",
        ),
    ] {
        let error = programs.launch(request).await.unwrap_err();
        assert_eq!(client::reason(&error), reason, "{error:?}");
        assert!(error.message().contains(part), "{}", error.message());
    }
    let unknown = v1::ReadOutputRequest { id: "p1".into() };
    let error = programs.read_output(unknown).await.unwrap_err();
    assert_eq!(client::reason(&error), Reason::UnknownProgram);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_happens_once() {
    let mut stage = Stage::new();
    let mut programs = stage.programs().await;
    let marker = stage.folder.path().join("marker");
    let script = format!("echo x >> {}; exec xterm", marker.display());
    let request = v1::LaunchRequest {
        operation_id: "one".into(),
        ..waiting(of_words(&["sh", "-c", &script]), 30)
    };
    let first = launch(&mut programs, request.clone()).await;
    // Also after the daemon was replaced, and with a window that was there before.
    stage.daemon.restart_after(Duration::from_millis(100));
    let mut programs = stage.programs().await;
    let again = launch(&mut programs, request).await;
    assert_eq!(again.outcome(), LaunchOutcome::WindowPainted);
    assert_eq!(first.program.unwrap().id, again.program.unwrap().id);
    assert_eq!(first.window.unwrap().xid(), again.window.unwrap().xid());
    assert_eq!(fs::read_to_string(&marker).unwrap(), "x\n");
    let other = v1::LaunchRequest {
        operation_id: "one".into(),
        ..of_words(&["true"])
    };
    let error = programs.launch(other).await.unwrap_err();
    assert_eq!(client::reason(&error), Reason::OperationIdReused);
}

/// Operation ids are remembered longer than programs are listed.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_launch_is_not_repeated() {
    let stage = Stage::new();
    let mut programs = stage.programs().await;
    let marker = stage.folder.path().join("marker");
    let script = format!("echo x >> {}", marker.display());
    let request = v1::LaunchRequest {
        operation_id: "first".into(),
        ..of_words(&["sh", "-c", &script])
    };
    let first = launch(&mut programs, request.clone()).await;
    let mut last = String::new();
    for _ in 0..70 {
        let reply = launch(&mut programs, of_words(&["true"])).await;
        last = reply.program.unwrap().id;
    }
    finished(&mut programs, &last).await;
    let list = programs.list_programs(v1::ListProgramsRequest {}).await;
    assert!(list.unwrap().into_inner().programs.len() <= 64);
    let again = launch(&mut programs, request).await;
    assert_eq!(first.program.unwrap().id, again.program.unwrap().id);
    assert_eq!(fs::read_to_string(&marker).unwrap(), "x\n");
}

/// What the caller was told was not done is not done later.
#[tokio::test(flavor = "multi_thread")]
async fn a_helper_that_was_stopped_starts_nothing_late() {
    use nix::sys::signal::{Signal, kill};

    let stage = Stage::new();
    let mut programs = stage.programs().await;
    let running = launch(&mut programs, of_words(&["sleep", "60"])).await;
    let running = running.program.unwrap().id;
    let helper = nix::unistd::Pid::from_raw(stage.helper.as_ref().unwrap().pid().cast_signed());
    kill(helper, Signal::SIGSTOP).unwrap();
    let marker = stage.folder.path().join("late");
    let mut request = tonic::Request::new(of_words(&["touch", marker.to_str().unwrap()]));
    request.set_timeout(Duration::from_secs(2));
    let error = programs.launch(request).await.unwrap_err();
    assert_eq!(client::reason(&error), Reason::NoSessionHelper, "{error:?}");
    let mut request = tonic::Request::new(v1::ListProgramsRequest {});
    request.set_timeout(Duration::from_secs(2));
    let error = programs.list_programs(request).await.unwrap_err();
    assert_eq!(client::reason(&error), Reason::NoSessionHelper, "{error:?}");
    let mut request = tonic::Request::new(v1::SignalProgramRequest {
        id: running.clone(),
        signal: v1::ProgramSignal::Kill.into(),
        timeout: None,
    });
    request.set_timeout(Duration::from_secs(2));
    let error = programs.signal_program(request).await.unwrap_err();
    assert_eq!(client::reason(&error), Reason::NoSessionHelper, "{error:?}");
    kill(helper, Signal::SIGCONT).unwrap();
    launch(&mut programs, of_words(&["true"])).await;
    assert!(!marker.exists());
    let reply = output(&mut programs, &running).await;
    assert!(reply.program.unwrap().end.is_none());
}

/// A helper that stops during the wait for a window does not change its result.
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_goes_on_without_the_helper() {
    let mut stage = Stage::new();
    let mut programs = stage.programs().await;
    let script = "sleep 1; exec xterm -T later";
    let wait = waiting(of_words(&["sh", "-c", script]), 20);
    let mut waiter = stage.programs().await;
    let waiter = tokio::spawn(async move { launch(&mut waiter, wait).await });
    tokio::time::sleep(Duration::from_millis(400)).await;
    let id = programs.list_programs(v1::ListProgramsRequest {}).await;
    let id = id.unwrap().into_inner().programs[0].id.clone();
    // The window is there before a helper can say to whom it belongs.
    stage.helper = None;
    let listed = Instant::now();
    loop {
        let list = programs.list_programs(v1::ListProgramsRequest {}).await;
        let list = list.unwrap().into_inner().programs;
        if list.iter().any(|program| !program.windows.is_empty()) {
            break;
        }
        assert!(listed.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    // Another helper knows nothing of the launch, but the processes say to which they belong.
    stage.start_helper();
    let reply = waiter.await.unwrap();
    assert_eq!(reply.outcome(), LaunchOutcome::WindowPainted, "{reply:?}");
    assert_eq!(reply.program.unwrap().id, id);
}

/// A process that clears its environment, and leaves its parents and their session, belongs to the
/// program.
#[tokio::test(flavor = "multi_thread")]
async fn what_hides_belongs_to_its_program() {
    let stage = Stage::new();
    let mut programs = stage.programs().await;
    let display = format!("DISPLAY={}", stage.server.display());
    let file = format!("XAUTHORITY={}", stage.server.xauthority().display());
    let script = format!(
        "env -i {display} {file} /usr/bin/setsid -f /bin/sh -c '/usr/bin/xterm -T hidden -e /bin/sleep 300 & exit 0'"
    );
    let reply = launch(&mut programs, waiting(of_words(&["sh", "-c", &script]), 30)).await;
    assert_eq!(reply.outcome(), LaunchOutcome::WindowPainted, "{reply:?}");
    let window = reply.window.unwrap();
    assert_eq!(window.title, "hidden");
    let id = reply.program.unwrap().id;
    let list = programs.list_programs(v1::ListProgramsRequest {}).await;
    let list = list.unwrap().into_inner().programs;
    assert_eq!(list[0].id, id);
    assert_eq!(list[0].windows.len(), 1);
    let request = v1::SignalProgramRequest {
        id,
        signal: v1::ProgramSignal::Kill.into(),
        timeout: Some(prost_types::Duration {
            seconds: 10,
            nanos: 0,
        }),
    };
    let reply = programs.signal_program(request).await.unwrap().into_inner();
    // The window can be painted before xterm has started its program.
    assert!(reply.ended && reply.signalled >= 1, "{reply:?}");
    let pid = i32::try_from(window.pid.unwrap()).unwrap();
    assert!(nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_err());
}

/// The first window of another launch is not taken for the one that is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn another_launchs_window_is_not_the_programs() {
    let stage = Stage::new();
    let mut programs = stage.programs().await;
    let script = "sleep 1; exec xterm -T other";
    launch(&mut programs, of_words(&["sh", "-c", script])).await;
    let ends = waiting(of_words(&["xterm", "-e", "true"]), 4);
    let reply = launch(&mut programs, ends).await;
    let title = reply.window.as_ref().map(|window| window.title.as_str());
    assert_ne!(title, Some("other"), "{reply:?}");
}

/// The part of a window's id that names the window on the X server.
trait Xid {
    fn xid(&self) -> &str;
}

impl Xid for v1::Window {
    fn xid(&self) -> &str {
        self.id.split('-').next().unwrap()
    }
}

/// A program that writes without end is bounded, and does not stop the helper.
#[tokio::test(flavor = "multi_thread")]
async fn output_is_kept_up_to_a_bound() {
    let stage = Stage::new();
    let mut programs = stage.programs().await;
    let reply = launch(&mut programs, of_words(&["yes"])).await;
    let endless = reply.program.unwrap();
    let script = "head -c 300000 /dev/zero | tr '\\0' '\\1'; printf '\\377end'";
    let reply = launch(&mut programs, of_words(&["sh", "-c", script])).await;
    let reply = finished(&mut programs, &reply.program.unwrap().id).await;
    assert_eq!(reply.total_bytes, 300_004);
    assert!(reply.output.ends_with("\u{1}\u{fffd}end"));
    assert!(reply.output.len() < 66_000);
    let reply = loop {
        let reply = output(&mut programs, &endless.id).await;
        if reply.total_bytes > 4 << 20 {
            break reply;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(reply.output.len(), 64 << 10);
    let helper = stage.helper.as_ref().unwrap().pid();
    let kib = crate::common::daemon::status(helper, "RssAnon");
    assert!(kib < 32 << 10, "{kib} KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_helper_the_call_says_so() {
    let mut stage = Stage::new();
    let mut programs = stage.programs().await;
    stage.helper = None;
    let error = programs.launch(of_words(&["true"])).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert_eq!(client::reason(&error), Reason::NoSessionHelper);
    // Windows can still be listed.
    let list = programs.list_programs(v1::ListProgramsRequest {}).await;
    assert!(list.unwrap().into_inner().programs.is_empty());
    // Its socket file was left behind; the next one takes its place.
    stage.start_helper();
    launch(&mut programs, of_words(&["true"])).await;
    // A second one is refused.
    let mut second = stage.server.program(binary().to_str().unwrap());
    second
        .args(["session-helper", "--socket"])
        .arg(stage.socket());
    let second = second.output().unwrap();
    assert_eq!(second.status.code(), Some(8), "{second:?}");
    let mode = fs::metadata(stage.socket()).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&mode.permissions());
    assert_eq!(mode & 0o777, 0o600);
}

/// The helper belongs to the desktop's user: what it answers is bounded in size and time.
#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_helper_is_survived() {
    let stage = Stage::new();
    let mut programs = stage.programs().await;
    for (answer, part) in [
        ("b'x' * 100_000_000", "cannot be read"),
        ("b'{\"Owners\":[]}'", "another question"),
        (
            r#"b'{"Refused":{"reason":"Full","message":"a\\nb"}}'"#,
            "a b",
        ),
        ("b'not json'", "cannot be read"),
        ("b''", "cannot be read"),
    ] {
        drop(fs::remove_file(stage.socket()));
        let code = format!(
            "import socket\ns = socket.socket(socket.AF_UNIX)\ns.bind({:?})\ns.listen()\n\
             while True:\n c = s.accept()[0]\n c.recv(4096)\n try: c.sendall({answer})\n except OSError: pass\n c.close()\n",
            stage.socket().display().to_string()
        );
        let mut fake = command("python3");
        let fake = program::spawn(fake.args(["-c", &code]), "python3");
        wait_for("the fake", Duration::from_secs(10), || {
            stage.socket().exists().then_some(())
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        let began = Instant::now();
        let error = programs.launch(of_words(&["true"])).await.unwrap_err();
        assert!(error.message().contains(part), "{}", error.message());
        assert!(!error.message().contains('\n'));
        assert!(began.elapsed() < Duration::from_secs(10));
        drop(fake);
    }
    assert!(stage.daemon.anonymous_kib() < 64 << 10);
}

/// On a managed desktop, programs run as its user, without the container's secrets, and end with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_managed_desktop_starts_programs() {
    let arguments = [
        "--desktop-user",
        "nobody",
        "--session-env",
        "GREETING=hello",
    ];
    let stack = Managed::new(&arguments)
        .set("OPENAI_API_KEY", "secret")
        .started();
    stack.wait_for_socket();
    stack.up();
    let mut programs = client::programs(stack.connection().await);
    let script = "id -un; echo \"$GREETING,$OPENAI_API_KEY,$DISPLAY\"; test -S \"${DBUS_SESSION_BUS_ADDRESS#unix:path=}\" && echo bus; exec xterm -e sleep 600";
    let reply = launch(&mut programs, waiting(of_words(&["sh", "-c", script]), 30)).await;
    assert_eq!(reply.outcome(), LaunchOutcome::WindowPainted, "{reply:?}");
    let program = reply.program.unwrap();
    let text = output(&mut programs, &program.id).await.output;
    assert_eq!(text, format!("nobody\nhello,,:{}\nbus\n", stack.number));
    // A desktop entry whose program hands the window to a process that runs already.
    let entry = v1::LaunchRequest {
        program: Some(Target::DesktopEntry(v1::DesktopEntry {
            entry: "thunar".into(),
            uris: vec!["file:///usr/share".into()],
        })),
        ..v1::LaunchRequest::default()
    };
    let reply = launch(&mut programs, waiting(entry, 30)).await;
    assert_eq!(reply.outcome(), LaunchOutcome::WindowPainted, "{reply:?}");
    let title = reply.window.unwrap().title;
    assert!(title.starts_with("share"), "{title}");
    // A URI is opened by a program that deskd does not know.
    let uri = v1::LaunchRequest {
        program: Some(Target::Uri("file:///usr/lib".into())),
        ..v1::LaunchRequest::default()
    };
    let reply = launch(&mut programs, waiting(uri, 30)).await;
    assert_eq!(reply.outcome(), LaunchOutcome::WindowPainted, "{reply:?}");
    let title = reply.window.unwrap().title;
    assert!(title.starts_with("lib"), "{title}");
    // A program outlives the daemon, and its launch is still known.
    let daemon = stack.daemon().unwrap();
    nix::sys::signal::kill(daemon, nix::sys::signal::Signal::SIGKILL).unwrap();
    wait_for("the next daemon", Duration::from_secs(20), || {
        stack.daemon().filter(|pid| *pid != daemon)
    });
    stack.wait_for_socket();
    let list = cli(&stack.address(), &["programs"]);
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let line = list.lines().find(|line| line.starts_with(&program.id));
    assert!(line.unwrap().contains(" runs "), "{list}");
    // It ends with the desktop.
    let pid = nix::unistd::Pid::from_raw(i32::try_from(program.pid).unwrap());
    assert!(nix::sys::signal::kill(pid, None).is_ok());
    assert!(stack.cli(&["down"]).status.success());
    assert!(nix::sys::signal::kill(pid, None).is_err());
}

/// A program gets the signals that deskd was started to ignore.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_ignores_no_signal_that_its_helper_ignores() {
    let stage = Stage::new();
    let mut programs = stage.programs().await;
    for (signal, number) in [
        (v1::ProgramSignal::Interrupt, 2),
        (v1::ProgramSignal::HangUp, 1),
    ] {
        let reply = launch(&mut programs, of_words(&["sleep", "60"])).await;
        let request = v1::SignalProgramRequest {
            id: reply.program.unwrap().id,
            signal: signal.into(),
            timeout: Some(prost_types::Duration {
                seconds: 5,
                nanos: 0,
            }),
        };
        let reply = programs.signal_program(request).await.unwrap().into_inner();
        let how = reply.program.unwrap().end.and_then(|end| end.how);
        assert_eq!(
            how,
            Some(v1::program_end::How::Signal(number)),
            "{signal:?}"
        );
    }
}
