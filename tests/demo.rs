//! `make demo`: a desktop, deskd on it, and a picture of it, with timings and
//! scrot's beside them. Leaves nothing running.

// The harness is shared with the tests; this is a program that fails loudly.
#![allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

mod common;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use common::{Daemon, Image, XServer, desktop::Xfce, program};

fn main() {
    let folder = Path::new("target/demo");
    fs::create_dir_all(folder).expect("target/demo can be made");
    let file = folder.join("desktop.png");

    let began = Instant::now();
    let server = XServer::start();
    say(&format!("Xvfb on {} at 1280x800", server.display()), began);

    let began = Instant::now();
    let daemon = Daemon::with(&server, &["--profile", "xfce"]);
    say("deskd serve, listening on a Unix socket", began);

    let began = Instant::now();
    println!("demo: XFCE is starting, which takes some seconds");
    let desktop = Xfce::xfce(&server);
    let ready = daemon.cli(&["ready", "--timeout", "60s"]);
    assert!(
        ready.status.success(),
        "{}",
        String::from_utf8_lossy(&ready.stdout)
    );
    say("deskd ready: XFCE is painted and at rest", began);
    for line in String::from_utf8_lossy(&ready.stdout).lines() {
        println!("demo:   {line}");
    }

    let began = Instant::now();
    let taken = daemon.cli(&["screenshot", "-o", &file.to_string_lossy()]);
    assert!(
        taken.status.success(),
        "{}",
        String::from_utf8_lossy(&taken.stderr)
    );
    say(&format!("deskd screenshot -o {}", file.display()), began);
    print!("demo:   {}", String::from_utf8_lossy(&taken.stderr));

    // Both lossless, both with the pointer, both of the same screen.
    let calls = daemon.cli(&["screenshot", "--count", "50"]);
    let line: serde_json::Value =
        serde_json::from_slice(&calls.stdout).expect("a line of percentiles");
    let deskd = line["p50_us"].as_f64().expect("p50_us") / 1e3;
    let scratch = folder.join("scrot.png");
    let mut times: Vec<Duration> = (0..10)
        .map(|_| {
            let began = Instant::now();
            program::output(
                server
                    .program("scrot")
                    .args(["--pointer", "--overwrite"])
                    .arg(&scratch),
                "scrot",
            );
            began.elapsed()
        })
        .collect();
    times.sort();
    let scrot = times[times.len() / 2].as_secs_f64() * 1e3;
    let size = |path: &Path| fs::metadata(path).expect("the file is there").len();
    println!(
        "demo: median of a screenshot  deskd (one RPC) {deskd:>6.1} ms  {:>7} bytes",
        size(&file)
    );
    println!(
        "demo:                         scrot (process) {scrot:>6.1} ms  {:>7} bytes",
        size(&scratch)
    );
    println!(
        "demo:                         deskd is {:.1} times faster",
        scrot / deskd
    );
    fs::remove_file(&scratch).expect("scrot.png is ours");

    let began = Instant::now();
    drop((daemon, desktop, server));
    say("all ended", began);
    println!("demo: look at {}", file.display());
}

fn say(what: &str, since: Instant) {
    println!(
        "demo: {what} ({:.0} ms)",
        since.elapsed().as_secs_f64() * 1e3
    );
}
