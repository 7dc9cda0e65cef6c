//! Every action of every vendor in every program: docs/reference/conformance.md.

use crate::common::{
    conformance::{MARKS, ROWS, Stage, table},
    receiver::Toolkit,
};

async fn every_action_works(toolkit: Toolkit) {
    let mut stage = Stage::new(toolkit).await;
    let mut red = Vec::new();
    for row in &ROWS {
        if let Err(why) = stage.cell(row).await {
            red.push(format!("{} {}: {why}", row.openai, row.anthropic));
        }
    }
    assert!(red.is_empty(), "{toolkit:?}: {red:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_action_works_in_gtk() {
    every_action_works(Toolkit::Gtk).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_action_works_in_qt() {
    every_action_works(Toolkit::Qt).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_action_works_in_chromium() {
    every_action_works(Toolkit::Chromium).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_action_works_in_xterm() {
    every_action_works(Toolkit::Xterm).await;
}

/// The table is what the tests above prove: no row is missing, none is red.
#[test]
fn the_page_has_this_matrix() {
    let green = vec![[const { Ok(()) }; 4]; ROWS.len()];
    let page = include_str!("../docs/reference/conformance.md");
    let table = format!("{}{}{}", MARKS.0, table(&green), MARKS.1);
    assert!(page.contains(&table), "run `make matrix`");
}
