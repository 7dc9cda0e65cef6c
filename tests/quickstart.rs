//! `make quickstart`: a desktop, deskd on it, and the first frame in Python, TypeScript,
//! Go and Rust, by the examples as they stand. Leaves nothing running.

// The harness is shared with the tests; this is a program that fails loudly.
#![allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

mod common;

use std::{fs, path::Path, process::Command};

use common::{Daemon, XServer, desktop::Xfce, program};

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rust = std::env::current_exe()
        .unwrap()
        .with_file_name("first_frame");
    let server = XServer::start();
    let daemon = Daemon::with(&server, &["--profile", "xfce"]);
    // The first call waits for its paint.
    let desktop = Xfce::xfce(&server);
    for (language, words) in [
        ("python", ["python3", "examples/python/first_frame.py"]),
        (
            "typescript",
            [
                "examples/typescript/node_modules/.bin/tsx",
                "examples/typescript/first_frame.ts",
            ],
        ),
        ("go", ["target/examples/go/first_frame", ""]),
        ("rust", [rust.to_str().unwrap(), ""]),
    ] {
        let folder = root.join("target/quickstart").join(language);
        fs::create_dir_all(&folder).expect("target/quickstart can be made");
        let [name, script] = words;
        // A name without a folder is looked up.
        let path = root.join(name);
        let mut example = Command::new(if path.exists() { path } else { name.into() });
        if !script.is_empty() {
            example.arg(root.join(script));
        }
        example
            .arg(daemon.address().to_string())
            .env("PYTHONPATH", root.join("target/examples/python"))
            .current_dir(&folder);
        let said = program::output(&mut example, name);
        let file = folder.join("frame.png");
        assert!(file.exists(), "{language} left no frame");
        print!("quickstart: {language}: {}", String::from_utf8_lossy(&said));
    }
    drop((daemon, desktop, server));
    println!("quickstart: times of a development build; `make bench` measures a release");
    println!("quickstart: look at target/quickstart/python/frame.png");
}
