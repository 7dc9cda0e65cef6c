//! `make bench-links`: the drop-in commands beside the programs that they stand in for, and the
//! time in which `deskd mcp` answers a host. Writes `target/bench/links.json`.

#![allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

mod common;

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use common::{
    Daemon, XServer,
    daemon::binary,
    desktop::{Session, Xfce},
    program::{self, command},
};
use serde_json::json;

const ROUNDS: usize = 21;

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The time of one run, in ms.
fn once(mut command: Command) -> f64 {
    let began = Instant::now();
    program::output(&mut command, "xdotool scrot");
    began.elapsed().as_secs_f64() * 1e3
}

fn main() {
    let server = XServer::start();
    let desktop = Xfce::xfce(&server);
    let daemon = Daemon::with(&server, &[]);
    let ready = daemon.cli(&["ready", "--timeout", "90s", "--profile", "xfce"]);
    assert!(ready.status.success(), "{ready:?}");
    let folder = tempfile::tempdir().unwrap();
    let mut install = command(binary());
    program::output(install.arg("install-links").arg(folder.path()), "deskd");
    let file = folder.path().join("shot.png");
    let file = file.to_str().unwrap();
    let mut report = Vec::new();
    for (name, arguments, promised) in [
        (
            "xdotool",
            vec!["mousemove", "640", "400", "click", "1"],
            8.0,
        ),
        ("xdotool", vec!["key", "shift"], 0.0),
        ("xdotool", vec!["getmouselocation"], 0.0),
        ("scrot", vec!["-o", file], 5.0),
    ] {
        // Each click has a place of its own: deskd keeps clicks at one place apart, so that they do
        // not become a double click.
        let placed = |round: usize| -> Vec<String> {
            let place = |one: &&str| match *one {
                "640" => (100 + 40 * round).to_string(),
                other => other.to_owned(),
            };
            arguments.iter().map(place).collect()
        };
        let real = |round: usize| {
            let mut command = server.program(name);
            command.args(placed(round));
            command
        };
        let linked = |round: usize| {
            let mut linked = command(folder.path().join(name));
            linked
                .args(placed(round))
                .env("DESKD_SERVER", daemon.address().to_string());
            linked
        };
        // In turns, so that both meet the same machine.
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            theirs.push(once(real(round)));
            ours.push(once(linked(round)));
        }
        let (theirs, ours) = (median(theirs), median(ours));
        println!(
            "{name} {}: {theirs:.1} ms, linked {ours:.1} ms: {:.1} × (promised {promised})",
            arguments.join(" "),
            theirs / ours
        );
        report.push(json!({
            "command": format!("{name} {}", arguments[0]), "theirs_ms": theirs, "ours_ms": ours,
            "times": theirs / ours, "promised": promised,
        }));
    }
    let initialize = median((0..ROUNDS).map(|_| initialize(&daemon)).collect());
    println!("deskd mcp answers initialize in {initialize:.1} ms (promised 100)");
    report.push(json!({"command": "mcp initialize", "ours_ms": initialize, "promised_ms": 100}));
    fs::create_dir_all("target/bench").unwrap();
    let text = serde_json::to_vec_pretty(&report).unwrap();
    fs::write("target/bench/links.json", text).unwrap();
    drop(desktop);
}

/// The time from exec to the answer, in ms.
fn initialize(daemon: &Daemon) -> f64 {
    let request = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "bench", "version": "1"},
        },
    });
    let mut host = command(binary());
    host.args(["mcp", "--server", &daemon.address().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let began = Instant::now();
    let mut server = program::spawn(&mut host, "deskd");
    let mut input = server.0.stdin.take().unwrap();
    writeln!(input, "{request}").unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(server.0.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let took = began.elapsed().as_secs_f64() * 1e3;
    assert!(line.contains("\"deskd\""), "{line}");
    took
}
