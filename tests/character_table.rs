//! `make characters`: every assigned character of the BMP and of the emoji blocks once
//! into each toolkit; what does not arrive is written to docs/reference/characters.md.
//!
//! `character_table PROGRAM…` does some of the programs, and writes nothing.

#![allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used)]

mod common;

use std::{fs, process::Command};

use common::{
    program,
    text_program::{Started, named},
};

const PROGRAMS: [&str; 9] = [
    "GTK 3",
    "GTK 4",
    "Qt 5",
    "Qt 6",
    "Chromium",
    "xterm",
    "VTE",
    "Java Swing",
    "Tk",
];

/// Characters in one text. Each text is typed into an empty field.
const PART: usize = 600;

const INTRODUCTION: &str = "# Every character, once\n\n\
    Every assigned character of the Basic Multilingual Plane and of the emoji blocks \
    (Unicode 14) was typed once into each program by one `type` action for 600 of them. Written by \
    `make characters`.\n\n\
    | program | characters | did not arrive |\n| --- | --- | --- |\n";

/// Assigned code points without controls, surrogates and private use.
fn assigned() -> Vec<char> {
    let script = "import unicodedata as u\n\
        for c in [*range(0x20, 0x10000), *range(0x1f000, 0x1fb00)]:\n \
        if u.category(chr(c)) not in ('Cc', 'Cn', 'Cs', 'Co'): print(c)";
    let output = program::output(
        Command::new("/usr/bin/python3").args(["-c", script]),
        "python3",
    );
    let text = String::from_utf8(output).unwrap();
    let numbers = text.lines().map(|line| line.parse().unwrap());
    numbers.map(|code| char::from_u32(code).unwrap()).collect()
}

#[tokio::main]
async fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    let characters = assigned();
    let mut table = String::from(INTRODUCTION);
    for name in PROGRAMS {
        if !chosen.is_empty() && !chosen.iter().any(|one| one == name) {
            continue;
        }
        let mut started = Started::new(named(name)).await;
        let mut wrong = Vec::new();
        for part in characters.chunks(PART) {
            started.clear().await;
            let mut suspects = started.wrong_of(part).await;
            if suspects.len() > 20 {
                // One that is lost may take others along.
                let mut lost = Vec::new();
                for few in suspects.chunks(20) {
                    started.clear().await;
                    lost.extend(started.wrong_of(few).await);
                }
                suspects = lost;
            }
            wrong.extend(suspects);
        }
        let list: Vec<String> = wrong
            .iter()
            .take(400)
            .map(|one| format!("U+{:04X}", u32::from(*one)))
            .collect();
        println!(
            "{name}: {} of {}: {}",
            wrong.len(),
            characters.len(),
            list.join(" ")
        );
        let list = if list.is_empty() {
            "none".into()
        } else {
            list.join(" ")
        };
        table.push_str(&format!("| {name} | {} | {list} |\n", characters.len()));
    }
    if chosen.is_empty() {
        fs::create_dir_all("docs/reference").unwrap();
        fs::write("docs/reference/characters.md", table).unwrap();
    }
}
