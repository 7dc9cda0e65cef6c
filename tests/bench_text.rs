//! `make bench-text`: types every script into GTK, Qt, Chromium and xterm until
//! each has had 60,000 characters, compares what arrived with what was meant, and
//! times it beside xdotool. `bench_text 6000` types fewer.
//!
//! A rate counts from the call until the program has the text.

#![allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]

mod common;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    time::{Duration, Instant},
};

use common::{
    Daemon, XServer, corpus, program,
    receiver::{ALL, Receiver, Toolkit},
    step::{Client, chord, click, done, text},
};
use deskd::v1::TextMethod;

/// The program reports its text after it has rested for this time.
const REST: Duration = Duration::from_millis(40);
/// A program that is behind reports nothing until it has read all.
const GIVE_UP: Duration = Duration::from_secs(60);

#[derive(Debug, Default, Clone)]
struct Tally {
    characters: usize,
    wrong: usize,
    /// From the call to its answer: all is sent, and the server has it.
    sent: Duration,
    /// From the call until the program has the text.
    time: Duration,
    methods: BTreeMap<&'static str, u32>,
}

impl Tally {
    fn rate(&self) -> f64 {
        self.characters as f64 / self.time.as_secs_f64()
    }

    fn sending(&self) -> f64 {
        self.characters as f64 / self.sent.as_secs_f64()
    }
}

struct Program {
    receiver: Receiver,
    client: Client,
    server: XServer,
    _daemon: Daemon,
    /// Characters that a terminal had before.
    had: usize,
}

impl Program {
    async fn start(toolkit: Toolkit) -> Self {
        let server = XServer::start();
        program::output(server.program("setxkbmap").arg("us"), "x11-xkb-utils");
        let receiver = Receiver::of_text(&server, toolkit);
        let daemon = Daemon::start(&server);
        let mut client = daemon.client().await;
        let (x, y) = receiver.in_text(200);
        done(&mut client, vec![click(x, y)]).await;
        Self {
            receiver,
            client,
            server,
            _daemon: daemon,
            had: 0,
        }
    }

    /// The present part of the text that was typed last, and its time.
    fn text(&self, began: Instant, length: usize) -> (String, Duration) {
        let mut last = (String::new(), Instant::now());
        loop {
            let told = self.receiver.events("text").pop();
            let told = told.and_then(|line| Some(line["text"].as_str()?.to_owned()));
            let now: String = told.unwrap_or_default().chars().skip(self.had).collect();
            if now != last.0 {
                last = (now, Instant::now());
            }
            // All of it; or nothing more comes.
            let all = last.0.chars().count() >= length;
            if all || last.1.elapsed() > GIVE_UP {
                return (last.0, (last.1 - began).saturating_sub(REST));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    async fn clear(&mut self) {
        if self.receiver.toolkit() == Toolkit::Xterm {
            let told = self.receiver.events("text").pop();
            self.had = told.map_or(0, |line| line["text"].as_str().unwrap().chars().count());
            return;
        }
        done(
            &mut self.client,
            vec![chord(&["ctrl", "a"]), chord(&["BackSpace"])],
        )
        .await;
        self.receiver.until("an empty text", |lines| {
            let last = lines.iter().rfind(|line| line["event"] == "text")?;
            (last["text"] == "").then_some(())
        });
        self.receiver.clear();
    }

    async fn types(&mut self, words: &str, tally: &mut Tally) {
        let (count, began) = (words.chars().count(), Instant::now());
        let reply = done(&mut self.client, vec![text(words)]).await;
        tally.sent += began.elapsed();
        for run in &reply.results[0].runs {
            let method = match run.method() {
                TextMethod::Unspecified => "?",
                TextMethod::Key => "key",
                TextMethod::BoundKey => "bound",
                TextMethod::Selection => "selection",
                TextMethod::Several => "several",
            };
            *tally.methods.entry(method).or_default() += run.characters;
        }
        let (there, time) = self.text(began, count);
        tally.characters += count;
        tally.wrong += wrong(&self.receiver.told(words), &there);
        tally.time += time;
        self.clear().await;
    }
}

/// Characters that are not where they should be, or too many.
fn wrong(meant: &str, there: &str) -> usize {
    let (meant, there): (Vec<char>, Vec<char>) = (meant.chars().collect(), there.chars().collect());
    let same = meant.iter().zip(&there).filter(|(a, b)| a == b).count();
    meant.len().max(there.len()) - same
}

#[tokio::main]
async fn main() {
    let each: usize = std::env::args()
        .nth(1)
        .map_or(60_000, |n| n.parse().unwrap());
    let mut samples = corpus::samples();
    samples.push(corpus::Sample {
        name: "673 distinct characters",
        text: corpus::many_distinct(),
    });
    let (mut report, mut all, mut errors) = (String::new(), 0, 0);
    for toolkit in ALL {
        let mut program = Program::start(toolkit).await;
        let mut tallies = vec![Tally::default(); samples.len()];
        while tallies.iter().map(|tally| tally.characters).sum::<usize>() < each {
            for (sample, tally) in samples.iter().zip(&mut tallies) {
                program.types(&sample.text, tally).await;
            }
        }
        for (sample, tally) in samples.iter().zip(&tallies) {
            let line = format!(
                "{:<9} {:<24} {:>7} characters, {} wrong, {:>6.0} a second, by {:?}",
                format!("{toolkit:?}"),
                sample.name,
                tally.characters,
                tally.wrong,
                tally.rate(),
                tally.methods
            );
            println!("{line}");
            writeln!(report, "{line}").unwrap();
            all += tally.characters;
            errors += tally.wrong;
        }
    }
    // Rates: the same text by deskd and by xdotool into the same program. xdotool
    // ends when it has sent the last key, so that is compared with that, and what
    // the program has with what it has.
    let plain =
        "The quick brown fox (a 7-year-old) jumps over 3 lazy dogs & says \"hi\".\n".repeat(12);
    let cyrillic = "съешь же ещё этих мягких французских булок да выпей чаю\n".repeat(15);
    for toolkit in ALL {
        let mut program = Program::start(toolkit).await;
        let (mut by_key, mut rebound) = (Tally::default(), Tally::default());
        for _ in 0..5 {
            program.types(&plain, &mut by_key).await;
            program.types(&cyrillic, &mut rebound).await;
        }
        let (length, began) = (plain.chars().count(), Instant::now());
        let mut xdotool = program.server.program("xdotool");
        let arguments = ["type", "--delay", "12", &plain];
        program::output(xdotool.args(arguments), "xdotool");
        let theirs = Tally {
            characters: length,
            sent: began.elapsed(),
            time: program.text(began, length).1,
            ..Tally::default()
        };
        for (what, ours) in [("keymap's keys", &by_key), ("bound keys", &rebound)] {
            let line = format!(
                "{:<9} {what:<13} sent {:>6.0} a second, {:>4.0} × xdotool --delay 12 ({:.0}); arrived {:>6.0}, {:>4.0} × ({:.0}); {} wrong",
                format!("{toolkit:?}"),
                ours.sending(),
                ours.sending() / theirs.sending(),
                theirs.sending(),
                ours.rate(),
                ours.rate() / theirs.rate(),
                theirs.rate(),
                ours.wrong,
            );
            println!("{line}");
            writeln!(report, "{line}").unwrap();
            all += ours.characters;
            errors += ours.wrong;
        }
    }
    let line = format!("{all} characters, {errors} wrong");
    println!("{line}");
    writeln!(report, "{line}").unwrap();
    let folder = std::path::Path::new("target/bench-text");
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("report.txt"), report).unwrap();
    assert_eq!(errors, 0);
}
