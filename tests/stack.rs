//! The stack that deskd manages: brought up, kept up, taken down.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use deskd::{client, v1};
use nix::sys::signal::{Signal, kill};
use tonic::{Code, Request};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::common::{
    XServer,
    daemon::{painted, raw},
    managed::{Managed, path_without, script},
    program, wait_for,
};

async fn health(stack: &Managed, service: &str) -> ServingStatus {
    let mut health = HealthClient::new(stack.connection().await);
    let request = HealthCheckRequest {
        service: service.into(),
    };
    health.check(request).await.unwrap().into_inner().status()
}

fn within<T>(message: T, seconds: u64) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(Duration::from_secs(seconds));
    request
}

/// Up, again, and every kill that a desktop must survive (R27, R30, R32, R33).
#[tokio::test(flavor = "multi_thread")]
async fn r27_r30_r32_what_dies_comes_back() {
    let stack = Managed::new(&[]).started();
    stack.wait_for_socket();
    assert_eq!(health(&stack, "").await, ServingStatus::Serving);
    assert_eq!(
        health(&stack, "deskd.v1.Desktop").await,
        ServingStatus::NotServing
    );
    let said = stack.up();
    assert!(
        said.contains("OPENGENI_DESKTOP_UP geometry=640x480 dpi=96"),
        "{said}"
    );
    assert!(said.contains("stage=paint status=completed"), "{said}");
    assert_eq!(
        health(&stack, "deskd.v1.Desktop").await,
        ServingStatus::Serving
    );
    assert_eq!(
        health(&stack, "deskd.v1.Stack").await,
        ServingStatus::Serving
    );
    let again = stack.cli(&["up", "--json"]);
    let again: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(again["classification"], "CLASSIFICATION_ALREADY_READY");

    let mut client = stack.desktop().await;
    let first = painted(&mut client, raw()).await;

    // A part of XFCE: captures go on, and its session brings it back.
    let desktop = stack.pid("xfdesktop").unwrap();
    kill(desktop, Signal::SIGKILL).unwrap();
    let frame = painted(&mut client, raw()).await;
    assert_eq!(frame.server_generation, first.server_generation);
    wait_for("xfdesktop", Duration::from_secs(15), || {
        stack.pid("xfdesktop").filter(|pid| *pid != desktop)
    });
    let mut events = stack.stack().await;
    let events = events
        .events(within(v1::EventsRequest::default(), 20))
        .await
        .unwrap();
    let mut events = events.into_inner();
    // A window of the session has gone, and then it is whole again.
    let mut seen = None;
    loop {
        let event = events.message().await.unwrap().expect("the stream goes on");
        let event = event.event.unwrap();
        let key = (event.component(), event.status());
        match seen {
            None if key == (v1::Component::Session, v1::StageStatus::Failed) => seen = Some(key),
            Some(_) if key == (v1::Component::Session, v1::StageStatus::Completed) => break,
            _ => {}
        }
    }

    // The daemon: one stack, the same X server, the proof still holds.
    let (daemon, server) = (stack.daemon().unwrap(), stack.pid("Xvfb"));
    kill(daemon, Signal::SIGKILL).unwrap();
    let began = Instant::now();
    wait_for("another daemon", Duration::from_secs(15), || {
        stack.daemon().filter(|pid| *pid != daemon)
    });
    stack.wait_for_socket();
    let mut client = stack.desktop().await;
    let frame = painted(&mut client, raw()).await;
    assert!(began.elapsed() < Duration::from_secs(15));
    assert_eq!(frame.server_generation, first.server_generation);
    assert_eq!(stack.pid("Xvfb"), server);
    assert_eq!(
        health(&stack, "deskd.v1.Desktop").await,
        ServingStatus::Serving
    );

    // The X server: the session goes with it, both come back, and prove anew.
    let session = stack.pid("xfce4-session");
    kill(server.unwrap(), Signal::SIGKILL).unwrap();
    let frame = painted(&mut client, raw()).await;
    assert_ne!(frame.server_generation, first.server_generation);
    assert_ne!(stack.pid("xfce4-session"), session);
    let status = stack.status().await;
    assert!(status.managed);
    let xvfb = status
        .components
        .iter()
        .find(|c| c.component() == v1::Component::Xvfb);
    assert_eq!((xvfb.unwrap().restarts, xvfb.unwrap().up), (1, true));

    // R33: a daemon that hangs is replaced; a hung X server replaces nobody.
    let daemon = stack.daemon().unwrap();
    let server = stack.pid("Xvfb").unwrap();
    kill(server, Signal::SIGSTOP).unwrap();
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!(
        stack.daemon(),
        Some(daemon),
        "a hung X server cost the daemon"
    );
    kill(server, Signal::SIGCONT).unwrap();
    kill(daemon, Signal::SIGSTOP).unwrap();
    wait_for("a daemon that works", Duration::from_secs(36), || {
        stack.daemon().filter(|pid| *pid != daemon)
    });
    stack.wait_for_socket();
    painted(&mut stack.desktop().await, raw()).await;

    // R29: the end takes all with it, also who was stopped.
    kill(stack.pid("xfce4-panel").unwrap(), Signal::SIGSTOP).unwrap();
    let init = stack.init.as_ref().unwrap();
    init.signal("TERM");
    stack.wait_until_gone(Duration::from_secs(6));
}

/// R34: a machine that was suspended takes up where it was: nothing is called
/// late or silent, and nothing is started again.
#[tokio::test(flavor = "multi_thread")]
async fn r34_a_suspended_machine_goes_on() {
    let stack = Managed::new(&[]).started();
    stack.wait_for_socket();
    stack.up();
    let mut client = stack.desktop().await;
    let before = painted(&mut client, raw()).await;
    let (daemon, server) = (stack.daemon().unwrap(), stack.pid("Xvfb"));
    let init = stack.init.as_ref().unwrap();
    let mut all: Vec<_> = stack.processes().into_iter().map(|(pid, _)| pid).collect();
    all.push(daemon);
    init.signal("STOP");
    all.iter()
        .for_each(|pid| kill(*pid, Signal::SIGSTOP).unwrap());
    // Longer than a silent daemon and a silent server are given.
    tokio::time::sleep(Duration::from_secs(17)).await;
    all.iter()
        .for_each(|pid| kill(*pid, Signal::SIGCONT).unwrap());
    init.signal("CONT");
    let began = Instant::now();
    let after = painted(&mut client, raw()).await;
    assert!(began.elapsed() < Duration::from_secs(6));
    assert_eq!(after.server_generation, before.server_generation);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((stack.daemon(), stack.pid("Xvfb")), (Some(daemon), server));
}

/// `kill -9` of the init, and a new one: what was left is ended, and no more.
#[test]
fn a_killed_init_leaves_nothing_to_the_next() {
    let bystander = XServer::start();
    let mut stack = Managed::new(&[]).started();
    stack.wait_for_socket();
    stack.up();
    let before = stack.processes();
    stack.init = None;
    stack.start(&[]);
    stack.wait_for_socket();
    stack.up();
    let after = stack.processes();
    assert!(
        before
            .iter()
            .all(|(pid, _)| !after.iter().any(|(new, _)| new == pid))
    );
    let servers = after.iter().filter(|(_, name)| name == "Xvfb").count();
    assert_eq!(servers, 1, "{after:?}");
    // Down, and up again by the same daemon.
    let down = stack.cli(&["down"]);
    assert!(
        String::from_utf8_lossy(&down.stdout).contains("xvfb"),
        "{down:?}"
    );
    stack.wait_until_gone(Duration::from_secs(6));
    let nothing = stack.cli(&["down"]);
    assert_eq!(String::from_utf8_lossy(&nothing.stdout), "nothing was up\n");
    stack.up();
    assert!(
        bystander
            .program("xprop")
            .arg("-root")
            .output()
            .unwrap()
            .status
            .success()
    );
}

#[test]
fn two_ups_at_once_make_one_desktop() {
    let stack = Managed::new(&[]);
    let spawn = || {
        let mut up = stack.cli_command(&["up"]);
        up.stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        up.spawn().unwrap()
    };
    let both = [spawn(), spawn()];
    for up in both {
        let output = up.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}\n{}", stack.log());
    }
    let servers = stack
        .processes()
        .into_iter()
        .filter(|(_, name)| name == "Xvfb");
    assert_eq!(servers.count(), 1);
}

/// R26: a lock that names a living process which is no X server is nobody's; a
/// living server's is.
#[test]
fn r26_a_stale_lock_is_removed_and_a_living_servers_is_not() {
    let stack = Managed::new(&[]);
    let lock = format!("/tmp/.X{}-lock", stack.number);
    fs::write(&lock, format!("{:>10}\n", std::process::id())).unwrap();
    let stack = stack.started();
    stack.wait_for_socket();
    stack.up();
    drop(stack);

    let server = XServer::start();
    let mut stack = Managed::new(&[]);
    stack.number = server.display()[1..].parse().unwrap();
    let stack = stack.started();
    stack.wait_for_socket();
    let output = stack.cli(&["up", "--timeout", "20s"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(11), "{said}");
    let process = format!("process {}", server.pid());
    assert!(said.contains(&process), "{said}");
    assert!(
        server
            .program("xprop")
            .arg("-root")
            .output()
            .unwrap()
            .status
            .success()
    );
    // Its pixels are not given out as the stack's.
    let output = stack.cli(&[
        "screenshot",
        "--unproved",
        "--deadline",
        "3s",
        "-o",
        "/dev/null",
    ]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

#[test]
fn one_deskd_manages_a_display_and_another_leaves_it_alone() {
    let first = Managed::new(&["--desktop-user", "nobody"]).started();
    first.wait_for_socket();
    first.up();
    let mut second = Managed::new(&[]);
    second.number = first.number;
    let up = second.cli(&["up", "--timeout", "10s"]);
    let said = String::from_utf8_lossy(&up.stderr).into_owned();
    assert_eq!(up.status.code(), Some(15), "{said}");
    second.start(&[]);
    let process = &mut second.init.as_mut().unwrap().0;
    let code = wait_for("its end", Duration::from_secs(15), || {
        process.try_wait().unwrap()
    });
    assert_eq!(code.code(), Some(15), "{}", second.log());
    assert!(
        second.log().contains("waiting for its end"),
        "{}",
        second.log()
    );
    // The first one's X server can still be started again.
    kill(first.pid("Xvfb").unwrap(), Signal::SIGKILL).unwrap();
    wait_for("the X server's end", Duration::from_secs(5), || {
        first.log().contains("xvfb ended by a signal").then_some(())
    });
    first.up();
    // Not the first one's leftovers.
    second.number = 65_000;
}

#[test]
fn a_missing_program_is_named_with_its_package() {
    for (program, package, code) in [("Xvfb", "xvfb", 11), ("xfdesktop", "xfdesktop4", 14)] {
        let stack = Managed::new(&[]);
        let path = path_without(stack.folder.path(), &[program]);
        let stack = stack.set("PATH", &path).started();
        stack.wait_for_socket();
        let output = stack.cli(&["up"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(
            said.contains(&format!(
                "{program} is not installed: install the Debian package {package}"
            )),
            "{said}"
        );
    }
}

/// R28: a server that dies at once is tried again and again, with pauses, and
/// what it said is shown. R31: orphans are reaped.
#[tokio::test]
async fn r28_r31_what_keeps_dying_is_shown_and_orphans_are_reaped() {
    let stack = Managed::new(&[]);
    let path = path_without(stack.folder.path(), &["Xvfb"]);
    let count = stack.folder.path().join("count");
    let text = format!(
        "echo x >>{}; echo 'no screens found' >&2; exit 1",
        count.display()
    );
    script(stack.folder.path(), "Xvfb", &text);
    let stack = stack.set("PATH", &path).started();
    stack.wait_for_socket();
    let output = stack.cli(&["up", "--timeout", "20s"]);
    assert_eq!(output.status.code(), Some(11), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("no screens found"), "{said}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let starts = fs::read_to_string(&count).unwrap().lines().count();
    assert!((3..=12).contains(&starts), "{starts} starts");
    let xvfb = stack.status().await.components.remove(0);
    assert!(
        !xvfb.up && xvfb.last_stderr.contains("no screens found"),
        "{xvfb:?}"
    );
    assert_eq!(xvfb.reason(), v1::Reason::ComponentFailed);
    assert_eq!(
        health(&stack, "deskd.v1.Stack").await,
        ServingStatus::NotServing
    );
    drop(stack);

    let stack = Managed::new(&["--profile", "any"]);
    let path = path_without(stack.folder.path(), &["xfce4-session"]);
    let orphans = "for i in $(seq 1000); do (sleep 0.1 &) ; done; touch $HOME/done; sleep 600";
    script(stack.folder.path(), "xfce4-session", orphans);
    let stack = stack.set("PATH", &path).started();
    let done = stack.folder.path().join("home/done");
    wait_for("1,000 orphans", Duration::from_secs(40), || {
        done.exists().then_some(())
    });
    let init = stack.init.as_ref().unwrap().pid();
    wait_for("no zombie", Duration::from_secs(5), || {
        let children = fs::read_to_string(format!("/proc/{init}/task/{init}/children")).unwrap();
        (children.split_whitespace().count() < 8).then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_screen_is_resized_live_or_by_restart() {
    let stack = Managed::new(&["--max-geometry", "800x600"]).started();
    stack.wait_for_socket();
    stack.up();
    let mut client = stack.desktop().await;
    let first = painted(&mut client, raw()).await;
    assert_eq!((first.width, first.height), (640, 480));
    let mut service = stack.stack().await;
    let size = |width, height| v1::SetGeometryRequest {
        geometry: Some(v1::Size { width, height }),
        dpi: None,
    };
    let live = service
        .set_geometry(within(size(800, 600), 30))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(live.server_generation, first.server_generation);
    assert!(live.geometry_epoch > first.geometry_epoch);
    let frame = painted(&mut client, raw()).await;
    assert_eq!((frame.width, frame.height), (800, 600));

    let larger = service
        .set_geometry(within(size(1024, 768), 30))
        .await
        .unwrap()
        .into_inner();
    assert_ne!(larger.server_generation, first.server_generation);
    let frame = painted(&mut client, raw()).await;
    assert_eq!((frame.width, frame.height), (1024, 768));

    let refused = service
        .set_geometry(within(size(20, 20), 30))
        .await
        .unwrap_err();
    assert_eq!(
        (refused.code(), client::reason(&refused)),
        (Code::FailedPrecondition, v1::Reason::GeometryUnsupported)
    );
    let refused = service
        .set_geometry(within(size(0, 20), 30))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

/// As root the desktop is another user's, and as PID 1 of a container all the
/// same.
#[tokio::test(flavor = "multi_thread")]
async fn the_desktop_is_another_users_and_deskd_may_be_the_first_process() {
    assert!(nix::unistd::geteuid().is_root(), "this test needs root");
    let mut stack = Managed::new(&["--desktop-user", "nobody"]);
    stack.start(&["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]);
    stack.wait_for_socket();
    stack.up();
    let mut client = stack.desktop().await;
    let info = client
        .get_info(v1::GetInfoRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(info.isolation(), v1::Isolation::User, "{info:?}");
    painted(&mut client, raw()).await;
    let server = stack.pid("Xvfb").unwrap();
    let status = fs::read_to_string(format!("/proc/{server}/status")).unwrap();
    assert!(status.contains("Uid:\t65534"), "{status}");
    // R52: no TCP, a cookie, no -ac.
    let words = fs::read(format!("/proc/{server}/cmdline")).unwrap();
    let words = String::from_utf8_lossy(&words);
    assert!(
        words.contains("-nolisten\0tcp") && words.contains("-auth") && !words.contains("-ac\0")
    );
    let cookie = fs::metadata(format!("/run/deskd/desktop-X{}/Xauthority", stack.number)).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&cookie) & 0o777, 0o600);
}

#[test]
fn an_ordinary_user_brings_up_a_desktop_too() {
    let stack = Managed::new(&[]);
    let folder = stack.folder.path();
    program::output(
        std::process::Command::new("chown")
            .args(["-R", "nobody"])
            .arg(folder),
        "coreutils",
    );
    let mut stack = stack;
    stack.start(&[
        "setpriv",
        "--reuid",
        "nobody",
        "--regid",
        "nogroup",
        "--clear-groups",
        "--",
    ]);
    stack.wait_for_socket();
    stack.up();
}

#[test]
fn a_full_disk_is_named() {
    let stack = Managed::new(&[]);
    let home = stack.folder.path().join("home");
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=4k", "tmpfs"])
        .arg(&home)
        .status();
    assert!(
        mount.unwrap().success(),
        "this test mounts a small file system"
    );
    fs::write(home.join("full"), vec![0; 4096]).unwrap();
    let stack = stack.started();
    stack.wait_for_socket();
    let output = stack.cli(&["up", "--timeout", "20s"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    drop(
        std::process::Command::new("umount")
            .args(["-l"])
            .arg(&home)
            .status(),
    );
    assert_eq!(output.status.code(), Some(14), "{said}");
    assert!(
        said.contains(&*home.to_string_lossy()) && said.contains("No space left"),
        "{said}"
    );
}

/// Root writes nothing where the desktop's user points.
#[tokio::test(flavor = "multi_thread")]
async fn root_seeds_the_home_as_its_user() {
    let mut stack = Managed::new(&["--desktop-user", "nobody"]);
    stack.start(&[]);
    stack.wait_for_socket();
    stack.up();
    let secret = stack.folder.path().join("secret");
    fs::create_dir(&secret).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o700)).unwrap();
    let home = format!("/run/deskd/desktop-X{}/home", stack.number);
    let channels = Path::new(&home).join(".config/xfce4/xfconf/xfce-perchannel-xml");
    let owner = fs::symlink_metadata(&channels).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&owner), 65534);
    fs::rename(&channels, channels.with_extension("old")).unwrap();
    std::os::unix::fs::symlink(&secret, &channels).unwrap();
    kill(stack.pid("xfce4-session").unwrap(), Signal::SIGKILL).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let said = loop {
        assert!(Instant::now() < deadline, "{}", stack.log());
        let status = stack.status().await;
        let session = status.components.into_iter();
        let mut session = session.filter(|c| c.component() == v1::Component::Session);
        let session = session.next().unwrap();
        if session.last_stderr.contains(&home) {
            break session.last_stderr;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(said.contains("Permission denied"), "{said}");
    assert_eq!(fs::read_dir(&secret).unwrap().count(), 0);
}

/// Files of the desktop's user in place of deskd's keep no desktop from starting.
#[test]
fn what_the_user_puts_in_the_way_is_moved() {
    let mut stack = Managed::new(&["--desktop-user", "nobody"]).started();
    stack.wait_for_socket();
    stack.up();
    let place = format!("/run/deskd/desktop-X{}", stack.number);
    let place = Path::new(&place);
    stack.cli(&["down"]);
    drop(stack.init.take());
    let home = place.join("home");
    fs::rename(&home, place.join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("/nowhere", &home).unwrap();
    let cookie = place.join("Xauthority");
    drop(fs::remove_file(&cookie));
    fs::create_dir_all(cookie.join("a/b/c")).unwrap();
    stack.start(&[]);
    stack.wait_for_socket();
    stack.up();
    assert!(fs::symlink_metadata(&home).unwrap().is_dir());
    assert!(fs::symlink_metadata(&cookie).unwrap().is_file());
}

/// A process that cleared its environment and left its session ends with the stack. The
/// desktop's programs do not get the variables of deskd's environment.
#[test]
fn a_program_without_a_mark_ends_too_and_none_sees_deskds_secrets() {
    let mut stack = Managed::new(&[])
        .set("SERVICE_API_KEY", "secret")
        .set("APP_MODE", "kiosk")
        .set("DESKD_SESSION_ENV", "APP_*,GIVEN=a value");
    let seconds = format!("{}.5", 86_400 + std::process::id());
    let autostart = stack.folder.path().join("home/.config/autostart");
    fs::create_dir_all(&autostart).unwrap();
    let entry = format!(
        "[Desktop Entry]\nType=Application\nName=left\nExec=sh -c \"setsid env -i sleep {seconds} &\"\n"
    );
    fs::write(autostart.join("left.desktop"), entry).unwrap();
    stack.start(&[]);
    stack.wait_for_socket();
    stack.up();
    let sleeps = || {
        let pgrep = std::process::Command::new("pgrep")
            .args(["-f", &format!("^sleep {seconds}$")])
            .output();
        pgrep.unwrap().status.success()
    };
    wait_for("the program", Duration::from_secs(20), || {
        sleeps().then_some(())
    });
    let environment = |name: &str| {
        let pid = stack.pid(name).unwrap();
        let bytes = fs::read(format!("/proc/{pid}/environ")).unwrap();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        (
            String::from_utf8_lossy(&bytes).replace('\0', "\n"),
            status.contains("NoNewPrivs:\t1"),
        )
    };
    for (name, no_new_privs) in [("Xvfb", true), ("xfce4-session", false)] {
        let (variables, found) = environment(name);
        assert!(
            !variables.contains("SERVICE_API_KEY"),
            "{name}: {variables}"
        );
        assert!(variables.contains("APP_MODE=kiosk"), "{name}: {variables}");
        assert!(variables.contains("GIVEN=a value"), "{name}: {variables}");
        assert_eq!(found, no_new_privs, "{name}");
    }
    let daemon = stack.daemon().unwrap();
    let status = fs::read_to_string(format!("/proc/{daemon}/status")).unwrap();
    assert!(status.contains("NoNewPrivs:\t1"));
    stack.init.as_ref().unwrap().signal("TERM");
    wait_for("the program's end", Duration::from_secs(15), || {
        (!sleeps()).then_some(())
    });
}

/// Programs with a forged mark, programs that look like zombies, and chains of forks end with
/// the desktop, also on `down`.
#[tokio::test(flavor = "multi_thread")]
async fn what_hides_ends_with_the_desktop() {
    let mut stack = Managed::new(&[]);
    let home = stack.folder.path().join("home");
    let autostart = home.join(".config/autostart");
    fs::create_dir_all(&autostart).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/receivers/hiding.py");
    let place = |kind: &str| home.join(kind).display().to_string();
    let kinds = ["ghost", "forks", "forged"];
    for kind in kinds {
        let file = place(kind);
        let program = match kind {
            // Any mark can be carried; this one is of no init.
            "forged" => format!(
                "env -i DESKD_STACK=/run/deskd/X60000.lock:x sh -c 'trap : TERM; echo $$ >{file}; sleep 600; sleep 600'"
            ),
            _ => format!("env -i /usr/bin/python3 {script} {kind} {file}"),
        };
        let start = stack.folder.path().join(format!("{kind}.sh"));
        fs::write(&start, format!("setsid {program} &\n")).unwrap();
        let entry = format!(
            "[Desktop Entry]\nType=Application\nName={kind}\nExec=sh {}\n",
            start.display()
        );
        fs::write(autostart.join(format!("{kind}.desktop")), entry).unwrap();
    }
    stack.start(&[]);
    stack.wait_for_socket();
    stack.up();
    let pid = |kind: &str| -> Option<u32> {
        let text = fs::read_to_string(place(kind)).ok()?;
        text.trim().parse().ok()
    };
    for kind in kinds {
        wait_for(kind, Duration::from_secs(20), || pid(kind));
    }
    stack.cli(&["down"]);
    let lives = |kind: &str| {
        let tasks = fs::read_dir(format!("/proc/{}/task", pid(kind).unwrap()));
        tasks.is_ok_and(|tasks| tasks.count() > 0)
    };
    for kind in ["ghost", "forged"] {
        assert!(!lives(kind), "{kind}");
    }
    let last = pid("forks");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(pid("forks"), last, "the chain goes on");
}

/// Files in /tmp do not prevent a start: not a link to another program's socket, not folders,
/// and not a lock file with the pid of a process other than the display's X server.
#[test]
fn files_alone_keep_no_desktop_down() {
    let mut stack = Managed::new(&[]);
    let other = stack.folder.path().join("other.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&other).unwrap();
    let sleeper = stack.folder.path().join("Xsleep");
    std::os::unix::fs::symlink("/bin/sleep", &sleeper).unwrap();
    let mut sleeping = std::process::Command::new(&sleeper)
        .arg("600")
        .spawn()
        .unwrap();
    let socket = std::path::PathBuf::from(format!("/tmp/.X11-unix/X{}", stack.number));
    let lock = std::path::PathBuf::from(format!("/tmp/.X{}-lock", stack.number));
    fs::create_dir_all("/tmp/.X11-unix").unwrap();
    std::os::unix::fs::symlink(&other, &socket).unwrap();
    fs::write(&lock, format!("{:>10}\n", sleeping.id())).unwrap();
    stack.start(&[]);
    stack.wait_for_socket();
    stack.up();
    stack.cli(&["down"]);
    stack.wait_until_gone(Duration::from_secs(10));
    for place in [&socket, &lock] {
        drop(fs::remove_file(place));
        fs::create_dir_all(place.join("a/b")).unwrap();
    }
    stack.up();
    stack.cli(&["down"]);
    stack.wait_until_gone(Duration::from_secs(10));
    sleeping.kill().unwrap();
    sleeping.wait().unwrap();
    for folder in ["/tmp", "/tmp/.X11-unix"] {
        for entry in fs::read_dir(folder).unwrap().filter_map(Result::ok) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let ours = [
                format!("X{}.", stack.number),
                format!(".X{}-lock.", stack.number),
            ];
            if ours.iter().any(|ours| name.starts_with(ours)) {
                fs::remove_dir_all(entry.path()).unwrap();
            }
        }
    }
}

/// The desktop's user may fill the file system of its runtime folder, and the init may be
/// killed then: the next one removes what is there before it needs room.
#[test]
fn a_runtime_folder_that_is_full_is_emptied_first() {
    let mut stack = Managed::new(&[]);
    let number = stack.number;
    let fill = format!(
        "mount -t tmpfs -o size=256k tmpfs /run/deskd && mkdir /run/deskd/desktop-X{number} && \
         {{ head -c 1M /dev/zero >/run/deskd/desktop-X{number}/fill; true; }} && exec \"$0\" \"$@\""
    );
    fs::create_dir_all("/run/deskd").unwrap();
    stack.start(&["unshare", "--mount", "sh", "-c", &fill]);
    stack.wait_for_socket();
    stack.up();
}

/// Only the init's user can open the lock file: opening it is enough to hold the lock.
#[test]
fn nobody_else_can_take_the_lock() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut stack = Managed::new(&[]);
    let lock = std::path::PathBuf::from(format!("/run/deskd/X{}.lock", stack.number));
    fs::create_dir_all("/run/deskd").unwrap();
    fs::write(&lock, "1").unwrap();
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o644)).unwrap();
    stack.start(&[]);
    stack.wait_for_socket();
    let mode = fs::metadata(&lock).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// The screen has the size that was asked for, and the maximum stays as configured.
#[tokio::test(flavor = "multi_thread")]
async fn a_size_beyond_the_maximum_is_no_new_maximum() {
    let stack = Managed::new(&["--max-geometry", "800x600"]).started();
    stack.wait_for_socket();
    stack.up();
    for (size, server) in [
        ("1000x700", "1000x700x24"),
        ("700x1000", "700x1000x24"),
        ("640x480", "700x1000x24"),
    ] {
        let up = stack.cli(&["up", "--geometry", size]);
        assert!(up.status.success(), "{up:?}");
        let pid = stack.pid("Xvfb").unwrap();
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
        let words = String::from_utf8_lossy(&words).into_owned();
        assert!(words.contains(server), "{size}: {words}");
    }
    stack.cli(&["down"]);
    for size in ["100000x100000", "32x32", "16000x16000"] {
        let (width, height) = size.split_once('x').unwrap();
        let geometry = v1::Size {
            width: width.parse().unwrap(),
            height: height.parse().unwrap(),
        };
        let request = v1::UpRequest {
            geometry: Some(geometry),
            no_wait: true,
        };
        let refused = stack.stack().await.up(request).await.unwrap_err();
        assert_eq!(client::reason(&refused), v1::Reason::GeometryUnsupported);
    }
    assert!(stack.pid("Xvfb").is_none());
}

/// `up` started the daemon, so `down` ends it; the next `up` starts another. A caller whose
/// own time ended gets that reason.
#[test]
fn down_ends_the_daemon_that_up_started() {
    let stack = Managed::new(&[]);
    let late = stack.cli(&["up", "--timeout", "1s"]);
    assert_eq!(late.status.code(), Some(124), "{late:?}");
    stack.up();
    let down = stack.cli(&["down"]);
    assert!(down.status.success(), "{down:?}");
    let gone = stack.cli(&["status", "--deadline", "200ms"]);
    assert_eq!(gone.status.code(), Some(5), "{gone:?}");
    assert!(stack.processes().is_empty(), "{:?}", stack.processes());
    // An init that still ends has the display a little longer than its address.
    let lock = fs::File::options()
        .write(true)
        .open(format!("/run/deskd/X{}.lock", stack.number))
        .unwrap();
    let lock = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusive).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(1500));
            drop(lock);
        });
        let told = stack.up();
        assert!(told.contains("stage=xvfb status=started"), "{told}");
    });
    stack.cli(&["down"]);
    for _ in 0..4 {
        let told = stack.cli(&["up", "--no-wait"]);
        let told = String::from_utf8(told.stdout).unwrap();
        assert!(told.contains("stage=xvfb status=started"), "{told}");
        stack.cli(&["down"]);
    }
    let mut none = stack.cli_command(&["up"]);
    let none = none.env("DESKD_STACK_KIND", "none").output().unwrap();
    assert_eq!(none.status.code(), Some(5), "{none:?}");
}

/// The daemon's log lies on a full disk: the desktop is there all the same.
#[test]
fn a_log_on_a_full_disk_ends_nothing() {
    let stack = Managed::new(&[]);
    let folder = stack.folder.path().to_owned();
    let mount = |arguments: &[&str]| {
        let status = std::process::Command::new(arguments[0])
            .args(&arguments[1..])
            .arg(&folder)
            .status();
        assert!(status.unwrap().success(), "this test mounts a file system");
    };
    mount(&["mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "tmpfs"]);
    // The home lies elsewhere; the log is full from its first line on.
    let home = tempfile::tempdir().unwrap();
    let stack = stack.set("HOME", home.path().to_str().unwrap());
    let room = fs::File::create(folder.join("full")).unwrap();
    let mut room = room;
    let chunk = [0; 4096];
    while std::io::Write::write_all(&mut room, &chunk).is_ok() {}
    let up = stack.cli(&["up"]);
    let works = stack.cli(&["screenshot", "-o", "/dev/null"]);
    let down = stack.cli(&["down"]);
    mount(&["umount", "-l"]);
    assert!(up.status.success(), "{up:?}");
    assert!(works.status.success(), "{works:?}");
    assert!(down.status.success(), "{down:?}");
}

/// A read-only daemon starts no desktop.
#[tokio::test]
async fn a_stack_that_is_only_looked_at_is_not_started() {
    let stack = Managed::new(&["--read-only"]).started();
    stack.wait_for_socket();
    let refused = stack.stack().await.up(v1::UpRequest::default()).await;
    assert_eq!(client::reason(&refused.unwrap_err()), v1::Reason::ReadOnly);
}

#[tokio::test]
async fn without_a_stack_it_is_not_managed() {
    let server = XServer::start();
    crate::common::Witness::new(&server).draw_pattern(3);
    let viewer = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = viewer.local_addr().unwrap().port();
    let variables = [("STREAM_PORT", &*port.to_string())];
    let daemon = crate::common::Daemon::launch(&server, &[], &[], &variables);
    let limit = Duration::from_secs(5);
    let connection = client::connect(&daemon.address(), None, None, limit).await;
    let mut stack = client::stack(connection.unwrap());
    let status = stack
        .status(v1::StatusRequest {})
        .await
        .unwrap()
        .into_inner();
    assert!(!status.managed && status.components.is_empty());
    let refused = stack.down(v1::DownRequest {}).await.unwrap_err();
    assert_eq!(
        (refused.code(), client::reason(&refused)),
        (Code::FailedPrecondition, v1::Reason::StackNotManaged)
    );
    assert!(stack.events(v1::EventsRequest::default()).await.is_err());
    let size = Some(v1::Size {
        width: 640,
        height: 480,
    });
    let size = v1::SetGeometryRequest {
        geometry: size,
        dpi: None,
    };
    assert!(stack.set_geometry(size).await.is_err());
    // Up waits for what somebody else starts.
    let up = stack
        .up(within(v1::UpRequest::default(), 20))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (up.result(), up.paint.unwrap().verdict()),
        (v1::UpResult::Up, v1::PaintVerdict::Ready)
    );
    // So is the viewer: reported while it accepts connections.
    assert_eq!(up.viewer_port, Some(port.into()));
    drop(viewer);
    let request = within(v1::UpRequest::default(), 20);
    let up = stack.up(request).await.unwrap().into_inner();
    assert_eq!(up.viewer_port, None);
}

/// The viewer is off by default; if it is on, it is bound to loopback and requires a
/// password (R53).
#[test]
fn r27_r53_the_viewer_is_on_loopback_wants_a_password_and_comes_back() {
    use std::io::Read;
    // Another program's listener is not the viewer's.
    for (port, code) in [(5900, 12), (6093, 13)] {
        let _other = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
        let stack = Managed::new(&["--vnc"])
            .set("STREAM_PORT", "6093")
            .started();
        stack.wait_for_socket();
        let up = stack.cli(&["up", "--timeout", "25s"]);
        assert_eq!(up.status.code(), Some(code), "{up:?}\n{}", stack.log());
    }
    // Of another user's processes: deskd has not the right to look at their sockets.
    let stack = Managed::new(&["--vnc", "--desktop-user", "nobody"])
        .set("STREAM_PORT", "6093")
        .started();
    stack.wait_for_socket();
    let said = stack.up();
    assert!(said.contains("port=6093"), "{said}");
    // The daemon's port, whatever the caller's environment says.
    let again = stack
        .cli_command(&["up"])
        .env("STREAM_PORT", "7000")
        .output();
    let again = String::from_utf8(again.unwrap().stdout).unwrap();
    assert!(again.contains("OPENGENI_DESKTOP_UP port=6093"), "{again}");
    let mut vnc = std::net::TcpStream::connect("127.0.0.1:5900").unwrap();
    vnc.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut banner = [0; 12];
    vnc.read_exact(&mut banner).unwrap();
    assert_eq!(&banner, b"RFB 003.008\n");
    std::io::Write::write_all(&mut vnc, b"RFB 003.008\n").unwrap();
    let mut kinds = [0; 2];
    vnc.read_exact(&mut kinds).unwrap();
    // One kind of security, and it is not "none" (1).
    assert_eq!(kinds, [1, 2]);
    for port in ["5900", "6093"] {
        let listening = program::output(
            std::process::Command::new("ss").args(["-ltnH", "sport", "=", &format!(":{port}")]),
            "iproute2",
        );
        let listening = String::from_utf8_lossy(&listening).into_owned();
        assert!(
            listening.contains(&format!("127.0.0.1:{port}")),
            "{listening}"
        );
        assert!(!listening.contains("0.0.0.0:") || !listening.contains(&format!("0.0.0.0:{port}")));
    }
    // R27: each comes back by itself, and the desktop does not notice.
    let server = stack.pid("Xvfb");
    for (name, port) in [("x11vnc", 5900), ("websockify", 6093)] {
        // The web socket goes and comes with the VNC server.
        let before = wait_for(name, Duration::from_secs(15), || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
            stack.pid(name)
        });
        kill(before, Signal::SIGKILL).unwrap();
        wait_for(name, Duration::from_secs(15), || {
            stack.pid(name).filter(|pid| *pid != before)?;
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
    }
    assert_eq!(stack.pid("Xvfb"), server);
}

/// python-xlib, on which pyautogui and pynput are built, looks for the cookie of this host and
/// display.
#[test]
fn python_xlib_finds_the_cookie() {
    let stack = Managed::new(&[]).started();
    stack.wait_for_socket();
    stack.up();
    let cookie = format!("/run/deskd/desktop-X{}/Xauthority", stack.number);
    let mut python = std::process::Command::new("/usr/bin/python3");
    python
        .args([
            "-c",
            "from Xlib import display; print(display.Display().screen().width_in_pixels)",
        ])
        .env("DISPLAY", format!(":{}", stack.number))
        .env("XAUTHORITY", &cookie);
    let output = python.output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "640\n",
        "{output:?}"
    );
}
