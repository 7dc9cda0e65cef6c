//! Prepares a fresh home so that XFCE paints at once: no screen saver, no lock, no dialog at the
//! first start (R12). Existing files are left unchanged.
//!
//! This runs as the home's user, in a process of its own. That user can change everything below the
//! home at any moment, so root must not follow a path there.

use std::{
    ffi::OsString,
    fs,
    io::{self, Read as _, Write as _},
    os::{
        fd::AsFd as _,
        unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{child::unblock, plan::UserAccount};
use crate::wallpaper::Background;

/// Maximum time of the preparation: a home may be on a file system that does not answer.
const LIMIT: Duration = Duration::from_secs(5);
/// Number of bytes of the process's error output that are read.
const SAID: u64 = 512;

/// Channels of xfconf and their properties.
const CHANNELS: [(&str, &str); 3] = [
    (
        "xfce4-screensaver",
        r#"<property name="saver" type="empty"><property name="enabled" type="bool" value="false"/></property>
  <property name="lock" type="empty"><property name="enabled" type="bool" value="false"/></property>"#,
    ),
    (
        "xfce4-power-manager",
        r#"<property name="xfce4-power-manager" type="empty"><property name="dpms-enabled" type="bool" value="false"/><property name="lock-screen-suspend-hibernate" type="bool" value="false"/></property>"#,
    ),
    (
        "xfce4-session",
        r#"<property name="general" type="empty"><property name="SaveOnExit" type="bool" value="false"/><property name="PromptOnLogout" type="bool" value="false"/></property>
  <property name="shutdown" type="empty"><property name="LockScreen" type="bool" value="false"/></property>"#,
    ),
];

/// Wallpapers of Debian packages, best first.
const WALLPAPERS: [&str; 3] = [
    "/usr/share/images/desktop-base/default",
    "/usr/share/backgrounds/xfce/xfce-shapes.svg",
    "/usr/share/backgrounds/xfce/xfce-blue.jpg",
];

/// Runs `deskd seed-home` as that user; `change_user` if this process runs as another user.
pub(super) fn seed_as(
    user: &UserAccount,
    change_user: bool,
    background: Option<&Background>,
) -> io::Result<()> {
    let mut arguments = vec!["seed-home".to_owned()];
    if let Some(background) = background {
        arguments.extend(["--background".to_owned(), background.to_string()]);
    }
    run_as(user, change_user, &arguments)
}

/// Runs `deskd check-background` as that user, who must be able to read the picture.
pub(super) fn check_background_as(
    user: &UserAccount,
    change_user: bool,
    background: &Background,
) -> io::Result<()> {
    let arguments = ["check-background".to_owned(), background.to_string()];
    run_as(user, change_user, &arguments)
}

/// Runs a command of deskd. The error has what it said.
fn run_as(user: &UserAccount, change_user: bool, arguments: &[String]) -> io::Result<()> {
    let mut command = Command::new("/proc/self/exe");
    let path: (OsString, OsString) = ("PATH".into(), "/usr/bin:/bin".into());
    command
        .args(arguments)
        .env_clear()
        .envs([path, ("HOME".into(), user.home.clone().into())])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if change_user {
        command.arg("--user").arg(user.ids());
    }
    let mut process = command.spawn()?;
    let end = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = process.try_wait()? {
            break status;
        }
        if Instant::now() >= end {
            // It is not waited for, because a tracer can keep it from ending. The init reaps it
            // later.
            process.kill()?;
            let why = format!(
                "its file system did not answer within {} s",
                LIMIT.as_secs()
            );
            return Err(io::Error::new(io::ErrorKind::TimedOut, why));
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    if status.success() {
        return Ok(());
    }
    let mut said = Vec::new();
    if let Some(stderr) = process.stderr.take() {
        // The user may keep the other end of the pipe open.
        unblock(stderr.as_fd())?;
        match stderr.take(SAID).read_to_end(&mut said) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
    let said = String::from_utf8_lossy(&said);
    let said = said.trim().trim_start_matches("deskd: ");
    Err(io::Error::other(said.to_owned()))
}

/// Writes the missing files as the user of this process.
///
/// # Errors
///
/// The first path that cannot be created, and the reason.
pub(super) fn seed(
    home: &Path,
    background: Option<&Background>,
) -> Result<(), (PathBuf, io::Error)> {
    let folder = home.join(".config/xfce4/xfconf/xfce-perchannel-xml");
    make_dirs(&folder)?;
    for (name, properties) in CHANNELS {
        write_new(&folder, name, properties)?;
    }
    let properties = match background {
        Some(Background::Colour(rgb)) => {
            let part = |value: u8| {
                let value = f64::from(value) / 255.0;
                format!(r#"<value type="double" value="{value:.6}"/>"#)
            };
            let [red, green, blue] = rgb.map(part);
            format!(
                r#"<property name="color-style" type="int" value="0"/><property name="image-style" type="int" value="0"/><property name="rgba1" type="array">{red}{green}{blue}<value type="double" value="1.000000"/></property>"#
            )
        }
        Some(Background::File(path)) => picture(&path.to_string_lossy()),
        None => match WALLPAPERS.iter().find(|path| Path::new(path).exists()) {
            Some(path) => picture(path),
            None => return Ok(()),
        },
    };
    let desktop = format!(
        r#"<property name="backdrop" type="empty"><property name="screen0" type="empty"><property name="monitorscreen" type="empty"><property name="workspace0" type="empty">{properties}</property></property></property></property>"#
    );
    write_new(&folder, "xfce4-desktop", &desktop)
}

/// Returns the properties of a picture that fills the screen.
fn picture(path: &str) -> String {
    let path = path
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;");
    format!(
        r#"<property name="last-image" type="string" value="{path}"/><property name="image-style" type="int" value="5"/>"#
    )
}

fn write_new(folder: &Path, channel: &str, properties: &str) -> Result<(), (PathBuf, io::Error)> {
    let path = folder.join(format!("{channel}.xml"));
    write_channel(&path, channel, properties).map_err(|error| (path, error))
}

fn write_channel(path: &Path, channel: &str, properties: &str) -> io::Result<()> {
    let file = fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(path);
    let mut file = match file {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        file => file?,
    };
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<channel name=\"{channel}\" version=\"1.0\">\n  {properties}\n</channel>\n"
    );
    if let Err(error) = file.write_all(text.as_bytes()) {
        // Otherwise an incomplete file would remain.
        drop(fs::remove_file(path));
        return Err(error);
    }
    Ok(())
}

fn make_dirs(folder: &Path) -> Result<(), (PathBuf, io::Error)> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_dirs(parent)?;
    }
    let made = fs::DirBuilder::new().mode(0o700).create(folder);
    made.map_err(|error| (folder.to_owned(), error))
}
