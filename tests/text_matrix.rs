//! `make matrix`, second half: types samples of text into many programs and writes what
//! arrived to docs/reference/text.md. `text_matrix PROGRAM…` prints some of it.

#![allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::text_program::{PROGRAMS, Started, samples};

const INTRODUCTION: &str = "# Text in programs\n\n\
    `type` was sent to each program, and the program's own text compared with what was \
    meant. ✓: all characters arrived, in order, and the answer was DONE. Written by \
    `make matrix`; each cell is a test.\n\n";

#[tokio::main]
async fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    let samples = samples();
    let names: Vec<&str> = samples.iter().map(|sample| sample.name).collect();
    let mut table = format!(
        "| program | {} |\n| --- |{}\n",
        names.join(" | "),
        " --- |".repeat(names.len())
    );
    let mut red = 0;
    for program in PROGRAMS {
        if !chosen.is_empty() && !chosen.iter().any(|name| name == program.name) {
            continue;
        }
        let mut started = Started::new(program).await;
        let mut cells = Vec::new();
        for sample in &samples {
            started.clear().await;
            let cell = match started.check(&sample.text).await {
                Ok(()) => "✓".to_owned(),
                Err(why) => {
                    red += 1;
                    format!("✗ {}", why.replace('|', "\\|"))
                }
            };
            println!("{}, {}: {cell}", program.name, sample.name);
            cells.push(cell);
        }
        table.push_str(&format!("| {} | {} |\n", program.name, cells.join(" | ")));
    }
    if chosen.is_empty() {
        fs::create_dir_all("docs/reference").unwrap();
        fs::write("docs/reference/text.md", format!("{INTRODUCTION}{table}")).unwrap();
    }
    println!("{red} red");
    assert_eq!(red, 0);
}
