//! Defines how each part is started, and when it counts as up.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use super::{
    child::Start,
    plan::{StackOptions, StackPlan},
    tree::MARK,
};
use crate::{
    files,
    stack::wire::{Component, Problem},
};

/// The VNC server's port, on loopback.
const VNC_PORT: u16 = 5900;
/// The folder of the viewer's page in Debian's noVNC package.
const VIEWER_PAGE: &str = "/usr/share/novnc";

/// The event after which a part counts as up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ready {
    /// It has written a line to standard output.
    Said,
    /// It has ended with code 0.
    Ended,
    /// It has been started.
    Runs,
    /// It listens on that loopback port.
    Listens(u16),
}

/// Returns the component that must be up before a part is started.
pub(super) fn needs(component: Component) -> Option<Component> {
    match component {
        Component::Keymap | Component::X11vnc => Some(Component::Xvfb),
        // It forwards connections to the VNC server's port, so that server must be ours.
        Component::Websockify => Some(Component::X11vnc),
        Component::Dbus => Some(Component::Keymap),
        Component::Session | Component::SessionHelper => Some(Component::Dbus),
        Component::Xvfb | Component::Paint | Component::Lock => None,
    }
}

/// Whether a part depends on another, directly or indirectly, and so ends with it.
pub(super) fn stands_on(component: Component, other: Component) -> bool {
    let mut below = needs(component);
    while let Some(part) = below {
        if part == other {
            return true;
        }
        below = needs(part);
    }
    false
}

/// Returns when a part counts as up, and the time limit for that.
pub(super) fn readiness(component: Component) -> (Ready, Duration) {
    let seconds = Duration::from_secs;
    match component {
        Component::Xvfb => (Ready::Said, seconds(10)),
        Component::Keymap => (Ready::Ended, seconds(10)),
        Component::Dbus | Component::SessionHelper => (Ready::Said, seconds(10)),
        Component::X11vnc => (Ready::Listens(VNC_PORT), seconds(5)),
        Component::Websockify => (Ready::Listens(0), seconds(5)),
        Component::Session | Component::Paint | Component::Lock => (Ready::Runs, seconds(10)),
    }
}

/// Returns a component's program and the Debian package that contains it.
fn program(component: Component, options: &StackOptions) -> (&'static str, &'static str) {
    match component {
        Component::Xvfb => ("Xvfb", "xvfb"),
        Component::Keymap => ("setxkbmap", "x11-xkb-utils"),
        Component::Dbus => ("dbus-daemon", "dbus"),
        Component::X11vnc => ("x11vnc", "x11vnc"),
        Component::Websockify => ("websockify", "websockify"),
        // This program: the desktop's user may not be able to enter the folder of its file.
        Component::SessionHelper => ("/proc/self/exe", "deskd"),
        // It draws the background, and becomes the session.
        Component::Session if options.session.is_some() && options.background.is_some() => {
            ("/proc/self/exe", "deskd")
        }
        Component::Session if options.session.is_some() => ("sh", "dash"),
        Component::Session | Component::Paint | Component::Lock => {
            ("xfce4-session", "xfce4-session")
        }
    }
}

/// Programs that a part starts by itself and cannot work without.
fn companions(
    component: Component,
    options: &StackOptions,
) -> &'static [(&'static str, &'static str)] {
    match component {
        Component::Xvfb | Component::Keymap => &[("xkbcomp", "x11-xkb-utils")],
        Component::Session if options.session.is_none() => &[
            ("xfwm4", "xfwm4"),
            ("xfdesktop", "xfdesktop4"),
            ("xfce4-panel", "xfce4-panel"),
            ("xfsettingsd", "xfce4-settings"),
        ],
        _ => &[],
    }
}

/// Returns a required program that is not installed.
pub(super) fn missing(component: Component, options: &StackOptions) -> Option<Problem> {
    let own = [program(component, options)];
    let all = own.iter().chain(companions(component, options));
    let missing = all
        .into_iter()
        .find(|(program, _)| files::in_path(program).is_none());
    missing.map(|(program, package)| Problem::Missing {
        program: (*program).into(),
        package: (*package).into(),
    })
}

/// Returns how a part is started.
pub(super) fn start(component: Component, plan: &StackPlan) -> Start<'_> {
    let options = &plan.options;
    let display = format!(":{}", options.display);
    let bus = plan.desktop_dir.join("bus");
    let (size, max) = (options.geometry, options.max_geometry);
    // The screen is created at its largest size, because Xvfb cannot grow beyond it.
    let max = if size.width <= max.width && size.height <= max.height {
        max
    } else {
        size
    };
    let arguments: Vec<OsString> = match component {
        Component::Xvfb => {
            let screen = format!("{}x{}x24", max.width, max.height);
            let dpi = options.dpi.to_string();
            let words = [
                &display,
                "-screen",
                "0",
                &screen,
                "-dpi",
                &dpi,
                "-displayfd",
                "1",
                "-noreset",
                "-nolisten",
                "tcp",
                "-s",
                "0",
                // By default the server serves a busy client for 5 ms before it switches to
                // another: docs/design/2026-11-26-stack.md.
                "-schedInterval",
                "1",
                "-auth",
            ];
            let cookie = plan.desktop_cookie.clone().into_os_string();
            words
                .into_iter()
                .map(OsString::from)
                .chain([cookie])
                .collect()
        }
        Component::Keymap => vec!["us".into()],
        Component::Dbus => {
            let address = format!("--address=unix:path={}", bus.display());
            let words = ["--session", "--nofork", "--nopidfile", "--print-address=1"];
            let words = words.into_iter().map(OsString::from);
            words.chain([address.into()]).collect()
        }
        Component::X11vnc => {
            let port = VNC_PORT.to_string();
            let password = plan.desktop_dir.join("vnc-password");
            let words = [
                "-display",
                &display,
                "-localhost",
                "-rfbport",
                &port,
                "-forever",
                "-shared",
                "-noxdamage",
                "-quiet",
                "-passwdfile",
            ];
            let words = words.into_iter().map(OsString::from);
            words.chain([password.into_os_string()]).collect()
        }
        Component::Websockify => vec![
            "--web".into(),
            VIEWER_PAGE.into(),
            format!("127.0.0.1:{}", options.viewer_port).into(),
            format!("127.0.0.1:{VNC_PORT}").into(),
        ],
        Component::SessionHelper => vec!["session-helper".into(), "--inherited".into()],
        Component::Session => session(options),
        Component::Paint | Component::Lock => Vec::new(),
    };
    Start {
        program: program(component, options).0,
        arguments,
        environment: environment(component, plan, &display, &bus),
        account: plan.is_root.then_some(&plan.desktop),
        // Only these start programs that may need privileges, such as sudo.
        no_new_privs: !matches!(component, Component::Session | Component::SessionHelper)
            || plan.options.no_new_privs,
        stdin: None,
        folder: if plan.desktop.home.is_dir() {
            plan.desktop.home.clone()
        } else {
            PathBuf::from("/")
        },
    }
}

/// Returns the arguments of the session's program.
fn session(options: &StackOptions) -> Vec<OsString> {
    let Some(command) = &options.session else {
        return Vec::new();
    };
    let shell = ["-c".into(), command.into()];
    let Some(background) = &options.background else {
        return shell.into();
    };
    let background = background.to_string().into();
    let draw = ["exec-session".into(), "--background".into(), background];
    let program = ["--".into(), "sh".into()];
    draw.into_iter().chain(program).chain(shell).collect()
}

/// Variables of deskd's own environment that reach the desktop: the language, the time zone, and
/// settings of libraries. All others are withheld, because a container's environment often holds
/// secret keys. A name that ends in `*` stands for all names with that prefix.
const PASSED: [&str; 24] = [
    "PATH",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    "TZDIR",
    "TMPDIR",
    "TERM",
    "COLORTERM",
    "XKB_*",
    "XMODIFIERS",
    "GTK_*",
    "GDK_*",
    "QT_*",
    "XCURSOR_*",
    "LIBGL_*",
    "MESA_*",
    "GALLIUM_*",
    "NO_AT_BRIDGE",
    "FONTCONFIG_*",
    "LD_LIBRARY_PATH",
    "PULSE_SERVER",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// Variables of the desktop's programs that deskd sets itself.
pub const SET_BY_DESKD: [&str; 8] = [
    "HOME",
    "USER",
    "LOGNAME",
    "DISPLAY",
    "XAUTHORITY",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    MARK,
];

/// Whether a variable is passed to the desktop.
fn is_passed(name: &str, further: &[String]) -> bool {
    let names = PASSED.into_iter().chain(further.iter().map(String::as_str));
    names
        .into_iter()
        .any(|known| match known.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == known,
        })
}

/// Returns the environment of a component: the passed variables, and those of the session.
fn environment(
    component: Component,
    plan: &StackPlan,
    display: &str,
    bus: &std::path::Path,
) -> Vec<(OsString, OsString)> {
    let passed = |name: &str| is_passed(name, &plan.options.session_env);
    let mut list: Vec<(OsString, OsString)> = std::env::vars_os()
        .filter(|(name, _)| name.to_str().is_some_and(passed))
        .collect();
    let mut set = |name: &str, value: OsString| {
        list.retain(|(known, _)| known != name);
        list.push((name.into(), value));
    };
    let user = &plan.desktop;
    set("HOME", user.home.clone().into());
    set("USER", user.name.clone().into());
    set("LOGNAME", user.name.clone().into());
    set("SHELL", user.shell.clone().into());
    set("DISPLAY", display.into());
    set("XAUTHORITY", plan.desktop_cookie.clone().into());
    set("XDG_RUNTIME_DIR", plan.desktop_dir.clone().into());
    set(
        "DBUS_SESSION_BUS_ADDRESS",
        format!("unix:path={}", bus.display()).into(),
    );
    if plan.options.session.is_none() {
        // Another session sets these itself, and some look elsewhere if they are set.
        set("XDG_CONFIG_DIRS", "/etc/xdg".into());
        set("XDG_DATA_DIRS", "/usr/local/share:/usr/share".into());
        set("XDG_CURRENT_DESKTOP", "XFCE".into());
        set("XDG_MENU_PREFIX", "xfce-".into());
    }
    set("XDG_SESSION_TYPE", "x11".into());
    set(MARK, plan.mark(component.name()).into());
    let given = plan.options.session_env.iter();
    for (name, value) in given.filter_map(|variable| variable.split_once('=')) {
        set(name, value.into());
    }
    if std::env::var_os("PATH").is_none() {
        set("PATH", "/usr/local/bin:/usr/bin:/bin".into());
    }
    list
}

/// Returns the port that a part must listen on; 0 stands for the plan's viewer port.
pub(super) fn port(ready: Ready, plan: &StackPlan) -> Option<u16> {
    match ready {
        Ready::Listens(0) => Some(plan.options.viewer_port),
        Ready::Listens(port) => Some(port),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_variables_reach_the_desktop() {
        let further = ["HTTPS_PROXY".to_owned(), "APP_*".to_owned()];
        for (name, passed) in [
            ("PATH", true),
            ("LC_ALL", true),
            ("QT_SCALE_FACTOR", true),
            ("HTTPS_PROXY", true),
            ("APP_MODE", true),
            ("HTTP_PROXY", false),
            ("OPENAI_API_KEY", false),
            ("DESKD_TOKEN", false),
            ("NOTIFY_SOCKET", false),
            ("PATHS", false),
            ("LD_PRELOAD", false),
        ] {
            assert_eq!(is_passed(name, &further), passed, "{name}");
        }
        assert!(!is_passed("APP_MODE", &[]));
    }
}
