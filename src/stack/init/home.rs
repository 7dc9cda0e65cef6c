//! A fresh home, seeded so that XFCE paints at once: no saver, no lock, no
//! question at the first start (R12). What is there is left alone.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown},
    path::Path,
};

use super::plan::Account;

/// Channels of xfconf and what stands in them.
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

/// Wallpapers that Debian's packages bring, best first.
const WALLPAPERS: [&str; 3] = [
    "/usr/share/images/desktop-base/default",
    "/usr/share/backgrounds/xfce/xfce-shapes.svg",
    "/usr/share/backgrounds/xfce/xfce-blue.jpg",
];

/// Writes what is missing. As root, for `owner`.
pub(super) fn seed(owner: &Account, as_root: bool) -> io::Result<()> {
    let folder = owner.home.join(".config/xfce4/xfconf/xfce-perchannel-xml");
    let owner = as_root.then_some(owner);
    make_dirs(&folder, owner)?;
    for (name, properties) in CHANNELS {
        write_new(&folder, name, properties, owner)?;
    }
    let wallpaper = WALLPAPERS.iter().find(|path| Path::new(path).exists());
    let Some(wallpaper) = wallpaper else {
        return Ok(());
    };
    let desktop = format!(
        r#"<property name="backdrop" type="empty"><property name="screen0" type="empty"><property name="monitorscreen" type="empty"><property name="workspace0" type="empty"><property name="last-image" type="string" value="{wallpaper}"/><property name="image-style" type="int" value="5"/></property></property></property></property>"#
    );
    write_new(&folder, "xfce4-desktop", &desktop, owner)
}

fn write_new(
    folder: &Path,
    channel: &str,
    properties: &str,
    owner: Option<&Account>,
) -> io::Result<()> {
    let path = folder.join(format!("{channel}.xml"));
    let file = fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(&path);
    let mut file = match file {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        file => file?,
    };
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<channel name=\"{channel}\" version=\"1.0\">\n  {properties}\n</channel>\n"
    );
    if let Err(error) = file.write_all(text.as_bytes()) {
        // Half a file would stay for ever.
        drop(fs::remove_file(&path));
        return Err(error);
    }
    give(&path, owner)
}

/// Each folder that is new belongs to the owner.
fn make_dirs(folder: &Path, owner: Option<&Account>) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_dirs(parent, owner)?;
    }
    fs::DirBuilder::new().mode(0o700).create(folder)?;
    give(folder, owner)
}

fn give(path: &Path, owner: Option<&Account>) -> io::Result<()> {
    match owner {
        Some(owner) => chown(path, Some(owner.uid), Some(owner.gid)),
        None => Ok(()),
    }
}
