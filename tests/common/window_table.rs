//! What window managers make of changes of a window, as deskd reports it and as xprop and xwininfo
//! see it.

use std::time::Duration;

use deskd::{
    client::{self, WindowsClient},
    v1::{
        self, WindowOperation, WindowOutcome, change_window_request::Change, window_target::Target,
    },
};

use super::{
    Daemon, XServer,
    pacing::Manager,
    program::{self, Running},
};

/// A client of the service `Windows`.
pub type Windows = WindowsClient<client::Connection>;

/// A client of the daemon's service `Windows`.
pub async fn windows(daemon: &Daemon) -> Windows {
    let limit = Duration::from_secs(5);
    let connection = client::connect(&daemon.address(), None, None, limit).await;
    client::windows(connection.unwrap())
}

/// Starts openbox in a session's script and waits until it manages windows: one that is mapped while
/// openbox starts may stay unmapped.
pub const OPENBOX: &str = "openbox & until xprop -root _NET_SUPPORTING_WM_CHECK | grep -q window; \
    do sleep 0.05; done; sleep 0.3";

/// All windows.
pub async fn list(windows: &mut Windows) -> v1::ListWindowsResponse {
    let request = v1::ListWindowsRequest::default();
    windows.list_windows(request).await.unwrap().into_inner()
}

/// The window with that title.
pub fn titled(title: &str) -> v1::WindowTarget {
    let wanted = v1::WindowMatch {
        title: title.into(),
        ..v1::WindowMatch::default()
    };
    v1::WindowTarget {
        target: Some(Target::Match(wanted)),
    }
}

/// The number that the X server has for a window: tests hold deskd against other programs.
pub fn number(window: &v1::Window) -> String {
    let hex = window.id.trim_start_matches('w').split('-').next().unwrap();
    format!("0x{hex}")
}

/// Starts xterm with a title.
pub fn xterm(server: &XServer, title: &str, geometry: &str) -> Running {
    let mut xterm = server.program("xterm");
    xterm.args(["-T", title, "-geometry", geometry, "-e", "sleep 1000"]);
    program::spawn(&mut xterm, "xterm")
}

/// What xprop and xwininfo see of a window; `None`: it has gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    states: String,
    /// Position and size of its content.
    client: [i32; 4],
    is_viewable: bool,
    is_active: bool,
}

/// Reads a window with other programs.
pub fn seen(server: &XServer, number: &str) -> Option<Seen> {
    let run = |name: &str, arguments: &[&str]| {
        let output = server.program(name).args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then_some(text)
    };
    let info = run("xwininfo", &["-id", number])?;
    let value = |name: &str| -> i32 {
        let line = info
            .lines()
            .find(|line| line.trim().starts_with(name))
            .unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let states = run("xprop", &["-id", number, "_NET_WM_STATE", "WM_STATE"])?;
    let active = run("xprop", &["-root", "_NET_ACTIVE_WINDOW"])?;
    let focus = run("xdotool", &["getwindowfocus"]).unwrap_or_default();
    let decimal = i64::from_str_radix(number.trim_start_matches("0x"), 16).unwrap();
    Some(Seen {
        states,
        client: [
            // xwininfo counts the border.
            value("Absolute upper-left X:") + value("Border width:"),
            value("Absolute upper-left Y:") + value("Border width:"),
            value("Width:"),
            value("Height:"),
        ],
        is_viewable: info.contains("Map State: IsViewable"),
        is_active: active.trim().ends_with(&format!("# {number}"))
            || focus.trim() == decimal.to_string(),
    })
}

/// The changes of the table, in order.
pub const CHANGES: [&str; 9] = [
    "activate",
    "place",
    "maximize",
    "restore",
    "fullscreen",
    "restore ",
    "minimize",
    "restore  ",
    "close",
];

fn change(name: &str) -> Change {
    Change::Operation(i32::from(match name.trim() {
        "activate" => WindowOperation::Activate,
        "maximize" => WindowOperation::Maximize,
        "restore" => WindowOperation::Restore,
        "fullscreen" => WindowOperation::Fullscreen,
        "minimize" => WindowOperation::Minimize,
        "close" => WindowOperation::Close,
        _ => {
            return Change::Place(v1::WindowPlacement {
                x: Some(140),
                y: Some(120),
                width: Some(480),
                height: Some(320),
            });
        }
    }))
}

/// Whether other programs see the window as requested.
fn is_so(name: &str, seen: Option<&Seen>, reported: Option<&v1::Window>) -> bool {
    let Some(seen) = seen else {
        return name == "close";
    };
    let has = |state: &str| seen.states.contains(state);
    let is_maximized = has("_NET_WM_STATE_MAXIMIZED_VERT") && has("_NET_WM_STATE_MAXIMIZED_HORZ");
    let is_minimized = has("window state: Iconic");
    match name.trim() {
        "activate" => seen.is_active && seen.is_viewable,
        "maximize" => is_maximized,
        "fullscreen" => has("_NET_WM_STATE_FULLSCREEN"),
        "minimize" => is_minimized,
        "restore" => {
            seen.is_viewable && !is_maximized && !is_minimized && !has("_NET_WM_STATE_FULLSCREEN")
        }
        "place" => {
            // xwininfo does not see the frame: the content lies in it, as deskd reports.
            let client = reported.and_then(|window| window.client).unwrap();
            let [x, y, width, height] = seen.client;
            (x, y) == (client.x(), client.y())
                && (width, height) == (client.width as i32, client.height as i32)
        }
        _ => false,
    }
}

/// Changes a window in all ways under a window manager. Returns the name that the window manager
/// gives itself, and the outcomes. Fails if deskd says that something was done that other programs
/// do not see.
pub async fn outcomes(manager: &Manager) -> (String, Vec<WindowOutcome>) {
    let server = XServer::start();
    let session = manager.start(&server);
    let _first = xterm(&server, "Behind", "60x20+0+0");
    let _second = xterm(&server, "The one", "40x10+30+30");
    let daemon = Daemon::start(&server);
    let mut windows = windows(&daemon).await;
    let limit = Duration::from_secs(20);
    for title in ["Behind", "The one"] {
        let condition = appears(title);
        let request = v1::WaitForRequest {
            condition: Some(condition),
            timeout: limit.try_into().ok(),
            coordinate_space: None,
        };
        let reply = daemon.client().await.wait_for(request).await.unwrap();
        assert!(
            reply.into_inner().report.unwrap().met,
            "{}: {title}",
            manager.name
        );
    }
    let all = list(&mut windows).await;
    let one = all.windows.iter().find(|window| window.title == "The one");
    let number = number(one.unwrap_or_else(|| panic!("{}: {all:?}", manager.name)));
    let mut found = Vec::new();
    for name in CHANGES {
        let request = v1::ChangeWindowRequest {
            window: Some(titled("The one")),
            change: Some(change(name)),
            timeout: Duration::from_millis(1500).try_into().ok(),
        };
        let reply = windows.change_window(request).await.unwrap().into_inner();
        let seen = seen(&server, &number);
        let is_so = is_so(name, seen.as_ref(), reply.window.as_ref());
        let outcome = reply.outcome();
        let says_so = matches!(outcome, WindowOutcome::Done | WindowOutcome::Already);
        let what = format!("{} {name}: {reply:?} {seen:?}", manager.name);
        match outcome {
            WindowOutcome::Adjusted if name == "activate" => {}
            // What was adjusted differs from the request, so nothing else can be held against it.
            WindowOutcome::Adjusted => assert!(!is_so || name == "place", "{what}"),
            _ => assert!(is_so == says_so || name == "place" && is_so, "{what}"),
        }
        assert!(!reply.message.is_empty(), "{what}");
        found.push(outcome);
    }
    drop(session);
    (all.window_manager, found)
}

/// The condition that a window with this title is on the screen.
pub fn appears(title: &str) -> v1::Condition {
    window_event(title, v1::WindowEvent::Appears)
}

/// A condition of the window with this title.
pub fn window_event(title: &str, event: v1::WindowEvent) -> v1::Condition {
    let wanted = v1::WindowMatch {
        title: title.into(),
        ..v1::WindowMatch::default()
    };
    v1::Condition {
        condition: Some(v1::condition::Condition::Window(v1::WindowCondition {
            r#match: Some(wanted),
            event: event.into(),
        })),
    }
}
