//! deskd called as xdotool, scrot, gnome-screenshot and import, beside the real programs.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use tempfile::TempDir;

use crate::common::{
    Daemon, Image, Recorder, Seen, XServer,
    daemon::binary,
    program::{self, command},
    receiver::{Toolkit, typing_in},
};

/// A folder with the links.
fn links() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut install = command(binary());
    install.arg("install-links").arg(folder.path());
    program::output(&mut install, "deskd");
    folder
}

/// Runs a line of shell, in which the linked programs come first.
fn shell(links: &Path, daemon: &Daemon, line: &str) -> Output {
    let path = format!("{}:{}", links.display(), std::env::var("PATH").unwrap());
    let mut shell = command("sh");
    shell
        .args(["-c", line])
        .env("PATH", path)
        .env("DESKD_SERVER", daemon.address().to_string())
        // The recorder's window has one colour.
        .env("DESKD_UNPROVED", "1");
    shell.output().unwrap()
}

fn done(links: &Path, daemon: &Daemon, line: &str) -> String {
    let output = shell(links, daemon, line);
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Buttons and pressed keys without motion, and where the pointer is at the end. The order of
/// releases is left out: xdotool releases Ctrl before the key that it modified.
fn effect(seen: Vec<Seen>) -> (Vec<Seen>, Option<Seen>) {
    let is_motion = |seen: &Seen| matches!(seen, Seen::Motion(_));
    let is_release = |seen: &Seen| matches!(seen, Seen::Key { down: false, .. });
    let last = seen.iter().rfind(|seen| is_motion(seen)).copied();
    let mut rest = seen;
    rest.retain(|seen| !is_motion(seen) && !is_release(seen));
    (rest, last)
}

/// The command lines of Anthropic's demo, inspect_ai, E2B, Kernel and opengeni have the same effect
/// as with the real xdotool.
#[test]
fn command_lines_of_published_agents_do_what_xdotool_does() {
    let server = XServer::start();
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let links = links();
    for line in [
        "xdotool mousemove --sync 100 200",
        "xdotool click 1",
        "xdotool click 2",
        "xdotool click 3",
        "xdotool mousemove 300 220 click 1",
        "xdotool click --repeat 2 --delay 10 1",
        "xdotool click --repeat 3 --delay 10 1",
        "xdotool mousemove 320 240 click --repeat 2 --delay 60 1",
        "xdotool mousedown 1 mousemove --sync 400 300 mouseup 1",
        "xdotool mousemove 10 10 mousedown 1; xdotool mousemove 60 70; xdotool mouseup 1",
        "xdotool mousemove --sync 500 300 click --repeat 5 4",
        "xdotool click --repeat 3 5",
        "xdotool click 6",
        "xdotool click 7",
        "xdotool click 8",
        "xdotool click 9",
        "xdotool key -- Return",
        "xdotool key ctrl+s",
        "xdotool key --delay 12 Down Down Tab",
        "xdotool key A",
        "xdotool keydown shift; xdotool click 1; xdotool keyup shift",
        "xdotool mousemove_relative -- -7 9",
        "xdotool mousemove 200 200 sleep 0.01 click 1",
        "xdotool type --delay 12 -- 'plain text, 42!'",
    ] {
        let reset = "xdotool mousemove 640 400";
        let real = |line: &str| {
            let mut shell = server.program("sh");
            program::output(shell.args(["-c", line]), "xdotool");
        };
        real(reset);
        recorder.take();
        real(line);
        std::thread::sleep(Duration::from_millis(50));
        let wanted = effect(recorder.take());
        real(reset);
        recorder.take();
        done(links.path(), &daemon, line);
        assert_eq!(effect(recorder.take()), wanted, "{line}");
    }
    // What a worker reads.
    done(links.path(), &daemon, "xdotool mousemove 12 34");
    for line in [
        "xdotool getmouselocation --shell",
        "xdotool getdisplaygeometry",
    ] {
        let mut real = server.program("sh");
        let real = program::output(real.args(["-c", line]), "xdotool");
        let real = String::from_utf8(real).unwrap();
        let linked = done(links.path(), &daemon, line);
        let without = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| !line.starts_with("WINDOW="));
            lines.map(str::to_owned).collect()
        };
        assert_eq!(without(&linked), without(&real), "{line}");
    }
    let said = done(links.path(), &daemon, "xdotool getmouselocation");
    assert!(said.starts_with("x:12 y:34 screen:0 window:"), "{said}");
}

/// A call that cannot be carried out does nothing at all, also not its first commands.
#[test]
fn a_refused_call_does_nothing() {
    let server = XServer::start();
    let (recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let links = links();
    for line in [
        "xdotool click 1 search --name x",
        "xdotool click 1 mousemove 5000 10",
        "xdotool click 1 key no_such_key",
        "xdotool click --window 5 1",
        "xdotool",
    ] {
        let output = shell(links.path(), &daemon, line);
        assert_eq!(output.status.code(), Some(1), "{line}: {output:?}");
        assert!(!output.stderr.is_empty(), "{line}");
        assert_eq!(effect(recorder.take()).0, [], "{line}");
    }
}

/// Text that xdotool loses arrives.
#[tokio::test(flavor = "multi_thread")]
async fn any_text_arrives() {
    let (_server, receiver, daemon, _client) = typing_in(Toolkit::Gtk, "us").await;
    let links = links();
    let text = "Grüße, 漢字 и emoji 🙂";
    done(
        links.path(),
        &daemon,
        &format!("xdotool type --delay 12 -- '{text}'"),
    );
    receiver.wait_text(text);
}

/// The pictures equal those of the real programs, also in their names.
#[test]
fn screenshots_equal_those_of_scrot() {
    let server = XServer::start();
    let (_recorder, daemon) = (Recorder::new(&server), Daemon::start(&server));
    let links = links();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let path = folder.path().display();
    let mut real = server.program("scrot");
    program::output(real.arg("-o").arg(file("real.png")), "scrot");
    let real = Image::read(&file("real.png"));
    for (name, line) in [
        ("seed.png", format!("scrot --overwrite {path}/seed.png")),
        ("demo.png", format!("gnome-screenshot -f {path}/demo.png")),
        (
            "import.png",
            format!("import -window root {path}/import.png"),
        ),
        ("stream.png", format!("scrot - > {path}/stream.png")),
        (
            "pipe.png",
            format!("import -window root png:- > {path}/pipe.png"),
        ),
    ] {
        done(links.path(), &daemon, &line);
        assert_eq!(Image::read(&file(name)).differing(&real), 0, "{line}");
    }
    done(
        links.path(),
        &daemon,
        &format!("scrot -a 10,20,300,200 {path}/part.png"),
    );
    let part = Image::read(&file("part.png"));
    assert_eq!(part.differing(&real.crop(10, 20, 300, 200)), 0);
    // With the pointer, as both draw it.
    let mut pointed = server.program("scrot");
    program::output(pointed.args(["-p", "-o"]).arg(file("pointed.png")), "scrot");
    done(
        links.path(),
        &daemon,
        &format!("scrot -zpo {path}/linked.png"),
    );
    let linked = Image::read(&file("linked.png"));
    assert!(linked.differing(&real) > 0);
    assert_eq!(linked.differing(&Image::read(&file("pointed.png"))), 0);
    // An existing file is kept.
    for _ in 0..2 {
        done(links.path(), &daemon, &format!("scrot {path}/new.png"));
    }
    assert!(file("new.png").exists() && file("new_000.png").exists());
    done(links.path(), &daemon, &format!("cd {path} && scrot"));
    let named = fs::read_dir(folder.path()).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_str().unwrap().ends_with("_1280x800_scrot.png")
    });
    assert_eq!(named.count(), 1);
    done(
        links.path(),
        &daemon,
        &format!("scrot -q 80 {path}/small.jpg"),
    );
    assert!(
        fs::read(file("small.jpg"))
            .unwrap()
            .starts_with(&[0xff, 0xd8])
    );
    for line in [
        "scrot -u x.png",
        "scrot x.gif",
        "scrot /no/such/folder/x.png",
    ] {
        let output = shell(links.path(), &daemon, line);
        assert_eq!(output.status.code(), Some(1), "{line}: {output:?}");
    }
}

/// Without a screen, the file is a card and the exit code 0; with DESKD_STRICT, there is no file.
#[test]
fn a_failed_capture_is_a_card_or_an_error() {
    let server = XServer::start();
    let daemon = Daemon::start(&server);
    drop(server);
    let links = links();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("card.png");
    let line = format!("DESKD_DEADLINE=1s scrot {}", file.display());
    let output = shell(links.path(), &daemon, &line);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("scrot: a failure card"), "{said}");
    assert_eq!(Image::read(&file).rgb().len(), 1280 * 800 * 3);
    fs::remove_file(&file).unwrap();
    let output = shell(links.path(), &daemon, &format!("DESKD_STRICT=1 {line}"));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!file.exists());
}

/// Another program of that name is not replaced, and then no link is made.
#[test]
fn links_replace_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let install = || {
        let mut install: Command = command(binary());
        install.arg("install-links").arg(folder.path());
        install.output().unwrap()
    };
    let other = folder.path().join("import");
    fs::write(&other, "another program").unwrap();
    let output = install();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!folder.path().join("xdotool").exists());
    fs::remove_file(&other).unwrap();
    symlink("/nowhere", &other).unwrap();
    assert_eq!(install().status.code(), Some(1));
    fs::remove_file(&other).unwrap();
    assert!(install().status.success());
    // Once more, they are there.
    assert!(install().status.success());
    assert_eq!(fs::read_link(other).unwrap(), binary());
    let mut nowhere = command(binary());
    nowhere.args(["install-links", "/no/such/folder"]);
    assert_eq!(nowhere.output().unwrap().status.code(), Some(1));
}
