//! `make matrix`: does every action of OpenAI's and Anthropic's tools in GTK, Qt,
//! Chromium and xterm, and writes the result into docs/reference/conformance.md.

#![allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]

mod common;

use std::fs;

use common::{
    conformance::{MARKS, ROWS, Stage, table},
    receiver::ALL,
};

#[tokio::main]
async fn main() {
    let mut columns = Vec::new();
    for toolkit in ALL {
        let mut stage = Stage::new(toolkit).await;
        let mut column = Vec::new();
        for row in &ROWS {
            let cell = stage.cell(row).await;
            println!("{toolkit:?}: {} {}: {cell:?}", row.openai, row.anthropic);
            column.push(cell);
        }
        columns.push(column);
    }
    let cells: Vec<_> = (0..ROWS.len())
        .map(|row| std::array::from_fn(|column: usize| columns[column][row].clone()))
        .collect();
    let page = fs::read_to_string("docs/reference/conformance.md").unwrap();
    let (before, rest) = page.split_once(MARKS.0).unwrap();
    let (_, after) = rest.split_once(MARKS.1).unwrap();
    let page = format!("{before}{}{}{}{after}", MARKS.0, table(&cells), MARKS.1);
    fs::write("docs/reference/conformance.md", page).unwrap();
    let red = cells.iter().flatten().filter(|cell| cell.is_err()).count();
    println!("{} cells, {red} red", ROWS.len() * ALL.len());
    assert_eq!(red, 0);
}
