//! `make pacing`: batches of several actions × window managers × programs, half of the
//! repetitions under load, and how many of them went wrong: target/pacing/report.txt.
//!
//! `pacing_matrix REPETITIONS [MANAGER [TOOLKIT]]` does fewer; with `DESKD_TEST_UNPACED` in the
//! environment, pacing is off: that shows what it is for. `pacing_matrix cost [N]` prints
//! what pacing costs a batch of five actions on XFCE.

#![allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used)]

mod common;

use std::{fmt::Write as _, fs, time::Instant};

use common::{
    pacing::{CASES, MANAGERS, Stage, cost, load},
    receiver::ALL,
};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|word| word == "cost") {
        let runs = arguments.get(1).map_or(20, |n| n.parse().unwrap());
        println!("{}", cost(runs).await);
        return;
    }
    let unpaced = std::env::var_os("DESKD_TEST_UNPACED").is_some();
    let repetitions: usize = arguments.first().map_or(50, |n| n.parse().unwrap());
    let chosen = |index: usize, name: &str| {
        let word = arguments.get(index);
        word.is_none_or(|word| word.eq_ignore_ascii_case(name))
    };
    fs::create_dir_all("target/pacing").unwrap();
    let (mut report, mut details, mut batches, mut wrong) =
        (String::new(), String::new(), 0_usize, 0_usize);
    for manager in MANAGERS.iter().filter(|manager| chosen(1, manager.name)) {
        for toolkit in ALL.iter().filter(|t| chosen(2, &format!("{t:?}"))) {
            let began = Instant::now();
            let mut stage = Stage::new(manager, *toolkit).await;
            stage.paced = !unpaced;
            let mut row = format!("{:<8} {:<9}", manager.name, format!("{toolkit:?}"));
            for (case, name) in CASES {
                let mut failed = 0;
                for repetition in 0..repetitions {
                    let busy = if repetition % 2 == 1 {
                        load()
                    } else {
                        Vec::new()
                    };
                    if let Err(why) = stage.batch(case, repetition).await {
                        failed += 1;
                        let why: String = why.chars().take(900).collect();
                        writeln!(
                            details,
                            "{} {toolkit:?} {name} {repetition}: {why}",
                            manager.name
                        )
                        .unwrap();
                    }
                    drop(busy);
                }
                batches += repetitions;
                wrong += failed;
                write!(row, " {name} {failed}/{repetitions}").unwrap();
            }
            println!("{row} ({:.0} s)", began.elapsed().as_secs_f64());
            writeln!(report, "{row}").unwrap();
            let total = format!("{wrong} of {batches} batches wrong");
            fs::write(
                "target/pacing/report.txt",
                format!("{report}{total}\n\n{details}"),
            )
            .unwrap();
        }
    }
    println!("{details}{wrong} of {batches} batches wrong");
    assert_eq!(wrong, 0);
}
