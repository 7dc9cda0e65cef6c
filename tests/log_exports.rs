//! Exports of logs: the page in a real browser, OSWorld's trajectory, the film; and the replay.

use std::{os::unix::fs::PermissionsExt as _, process::Command};

use deskd::v1::{self, action::Action, log_record::Record};
use prost::Message as _;
use serde_json::{Value, json};

use crate::{
    common::{
        Daemon, Image, Witness, XServer,
        browser::Browser,
        daemon::{binary, frame, raw},
        step::{bare, chord, click, drag, text},
    },
    log::{Recorded, log, log_of},
};

/// A run of five steps on a screen whose windows change colour in between. Returns the log.
async fn run(recorded: &mut Recorded, witness: &Witness) -> std::path::PathBuf {
    let mut client = recorded.daemon.client().await;
    let window = witness.window((100, 80), (200, 150), 0x00ff_0000);
    let step = |actions| v1::ActRequest {
        no_frame: false,
        ..bare(actions)
    };
    let shown = frame(
        &mut client,
        v1::ScreenshotRequest {
            capture: Some(v1::CaptureOptions {
                scale: Some(v1::capture_options::Scale::Size(v1::Size {
                    width: 320,
                    height: 240,
                })),
                ..v1::CaptureOptions::default()
            }),
            ..raw()
        },
    );
    let shown = shown.await;
    let on_frame = v1::ActRequest {
        coordinate_space: Some(v1::CoordinateSpace {
            space: Some(v1::coordinate_space::Space::FrameId(shown.frame_id)),
        }),
        ..step(vec![click(60, 50)])
    };
    client.act(on_frame).await.unwrap();
    witness.draw(window, (0, 0), (200, 150), 0x0000_ff00);
    client
        .act(step(vec![drag(&[(300, 300), (400, 350)], 20)]))
        .await
        .unwrap();
    client
        .act(step(vec![text("it's"), chord(&["ctrl", "s"])]))
        .await
        .unwrap();
    client.act(step(vec![click(7000, 7)])).await.unwrap_err();
    witness.draw(window, (0, 0), (200, 150), 0x0000_00ff);
    client.act(bare(vec![click(20, 30)])).await.unwrap();
    recorded.end()
}

/// The page shows the steps with their reasons, and the screen at each of them.
#[tokio::test]
async fn the_page_plays_a_run() {
    let server = XServer::with_screen("640x480x24", &[]);
    let witness = Witness::new(&server);
    let mut recorded = Recorded::start(&server, &["--log-typed-text"]);
    let file = run(&mut recorded, &witness).await;
    let page = file.with_extension("html");
    log(&["export", file.to_str().unwrap(), "--to", "html"]);
    // An existing file is not overwritten.
    let again = log_of(&["export", file.to_str().unwrap(), "--to", "html"]);
    assert_eq!(again.status.code(), Some(2), "{again:?}");

    let mut browser = Browser::start(1200, 800).await;
    let url = format!("file://{}", page.display());
    // Whether the page has drawn the window in this colour.
    let shows = |colour: &str| {
        let pixel = "Array.from(front.getImageData(200, 150, 1, 1).data).slice(0, 3).join()";
        format!("drawing === null && {pixel} === '{colour}'")
    };
    let (red, green, blue) = ("255,0,0", "0,255,0", "0,0,255");
    browser.open(&format!("{url}#step=1")).await;
    browser.until(&shows(red)).await;
    let shown = browser.page().await;
    for part in [
        "Step 1: click left 60,50",
        "Step 3: type \"it's\"; key ctrl+s",
        "OUT_OF_SCREEN",
        "5 steps, 1 refused",
    ] {
        assert!(shown.contains(part), "{part} not in {shown}");
    }
    // The step is marked where it acted, in pixels of the screen: 60,50 of a frame of half the size.
    assert_eq!(browser.value("steps[0].points").await, json!([[121, 101]]));
    browser
        .until("Array.from(mark.getImageData(121, 87, 1, 1).data)[3] > 0")
        .await;
    // The next step, by the keyboard; back to the first; to the last.
    browser.key("ArrowRight", "ArrowRight", 0).await;
    browser
        .until("document.querySelector('li.on').textContent.includes('Step 2')")
        .await;
    for (step, colour) in [(2, green), (5, blue), (1, red)] {
        let link = format!("location.hash = '#step={step}'");
        browser.value(&link).await;
        browser.until(&shows(colour)).await;
    }
    // It plays to its end.
    let fast = "document.getElementById('speed').value = '20'";
    browser.value(fast).await;
    browser.click("#play").await;
    let ended = format!("!isPlaying() && time >= length && {}", shows(blue));
    browser.until(&ended).await;
    // It asks nothing of the network: the policy forbids it, and the page breaks no rule of its own.
    let loads = "performance.getEntriesByType('resource').length";
    assert_eq!(browser.value(loads).await, json!(0));
}

/// Nothing in a log can break out of the page.
#[tokio::test]
async fn the_page_shows_hostile_text_as_text() {
    let server = XServer::with_screen("320x240x24", &[]);
    let mut recorded = Recorded::start(&server, &["--log-typed-text"]);
    let mut client = recorded.daemon.client().await;
    let hostile = "</script><img src=x onerror=document.title='owned'>";
    client.act(bare(vec![text(hostile)])).await.unwrap();
    let file = recorded.end();
    log(&["export", file.to_str().unwrap(), "--to", "html"]);
    let mut browser = Browser::start(800, 600).await;
    browser
        .open(&format!("file://{}", file.with_extension("html").display()))
        .await;
    browser.until("rows.length > 0").await;
    let shown = browser.page().await;
    assert!(shown.contains("onerror=document.title"), "{shown}");
    assert_eq!(browser.value("document.images.length").await, json!(0));
}

/// OSWorld's trajectory has a line of pyautogui, the result and a screenshot for each step.
#[tokio::test]
async fn osworlds_trajectory_has_every_step() {
    let server = XServer::with_screen("640x480x24", &[]);
    let witness = Witness::new(&server);
    let mut recorded = Recorded::start(&server, &["--log-typed-text"]);
    let file = run(&mut recorded, &witness).await;
    let folder = recorded.folder.path().join("osworld");
    log(&[
        "export",
        file.to_str().unwrap(),
        "--to",
        "osworld",
        "-o",
        folder.to_str().unwrap(),
    ]);
    let lines = std::fs::read_to_string(folder.join("traj.jsonl")).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let actions: Vec<_> = lines
        .iter()
        .map(|line| line["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions,
        [
            "pyautogui.click(121, 101, clicks=1, button='left')",
            "pyautogui.moveTo(300, 300)\npyautogui.mouseDown(button='left')\npyautogui.moveTo(400, 350)\npyautogui.mouseUp(button='left')",
            "pyautogui.write('it\\'s')\npyautogui.hotkey('ctrlleft', 's')",
            "# not done: click left 7000,7",
            "pyautogui.click(20, 30, clicks=1, button='left')",
        ]
    );
    // The lines are Python.
    let check =
        "import ast,json,sys\nfor line in open(sys.argv[1]): ast.parse(json.loads(line)['action'])";
    let parsed = Command::new("python3")
        .args(["-c", check])
        .arg(folder.join("traj.jsonl"))
        .status();
    assert!(parsed.unwrap().success());
    let colours = [
        [255, 0, 0],
        [0, 255, 0],
        [0, 255, 0],
        [0, 255, 0],
        [0, 0, 255],
    ];
    for (index, (line, colour)) in lines.iter().zip(colours).enumerate() {
        assert_eq!(line["step_num"], index + 1);
        let name = line["screenshot_file"].as_str().unwrap();
        assert!(
            name.starts_with(&format!("step_{}_20", index + 1)),
            "{name}"
        );
        let picture = Image::read(&folder.join(name));
        assert_eq!(picture.at(200, 150), colour, "{index}");
    }
    assert!(
        lines[3]["info"]["result"]
            .as_str()
            .unwrap()
            .contains("OUT_OF_SCREEN")
    );
    assert!(folder.join("recording.mp4").is_file());
}

/// The film has a chapter for each step, shows what the screen showed, and can be played when it is cut.
#[tokio::test]
async fn the_film_has_a_chapter_for_each_step() {
    let server = XServer::with_screen("641x479x24", &[]);
    let witness = Witness::new(&server);
    let mut recorded = Recorded::start(&server, &[]);
    let file = run(&mut recorded, &witness).await;
    let film = file.with_extension("mp4");
    log(&[
        "export",
        file.to_str().unwrap(),
        "--to",
        "mp4",
        "--max-pause",
        "300ms",
    ]);
    assert_eq!(std::fs::read_dir(recorded.logs()).unwrap().count(), 2);
    let probe = |film: &std::path::Path| {
        let output = Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-of",
                "json",
                "-show_chapters",
                "-show_streams",
            ])
            .arg(film)
            .output()
            .unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let found = probe(&film);
    let chapters = found["chapters"].as_array().unwrap();
    let titles: Vec<_> = chapters
        .iter()
        .map(|c| c["tags"]["title"].as_str().unwrap())
        .collect();
    assert_eq!(titles.len(), 5, "{titles:?}");
    assert_eq!(titles[0], "1: click left 60,50");
    // Text that is not in the log is not in the film's titles.
    assert!(
        titles[2].contains("4 characters (not in the log)"),
        "{titles:?}"
    );
    assert_eq!(found["streams"][0]["width"], 642);
    let last = |film: &std::path::Path| {
        let picture = film.with_extension("png");
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-y", "-i"])
            .arg(film)
            .args(["-update", "1"])
            .arg(&picture)
            .status();
        assert!(made.unwrap().success());
        Image::read(&picture)
    };
    let [red, green, blue] = last(&film).at(200, 150);
    assert!(blue > 200 && red < 60 && green < 60, "{red} {green} {blue}");
    // Whatever its name, the film is for its owner alone, and nothing beside it is touched.
    let beside = recorded.folder.path().join("a:b.mp4.chapters");
    std::fs::write(&beside, "precious").unwrap();
    let colon = recorded.folder.path().join("a:b.mp4");
    let colon_name = colon.to_str().unwrap();
    log(&[
        "export",
        file.to_str().unwrap(),
        "--to",
        "mp4",
        "-o",
        colon_name,
    ]);
    let mode = std::fs::metadata(&colon).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(std::fs::read(&beside).unwrap(), b"precious");
    // It is fragmented: a film that was cut off in its third second can be played up to there.
    let long = recorded.folder.path().join("long.mp4");
    let long_name = long.to_str().unwrap();
    log(&[
        "export",
        file.to_str().unwrap(),
        "--to",
        "mp4",
        "-o",
        long_name,
    ]);
    let bytes = std::fs::read(&long).unwrap();
    let fragments: Vec<usize> = boxes(&bytes, b"moof");
    assert!(fragments.len() > 3, "{fragments:?}");
    let half = recorded.folder.path().join("half.mp4");
    std::fs::write(&half, &bytes[..fragments[2] + 50]).unwrap();
    let pictures = |film: &std::path::Path| {
        let output = Command::new("ffprobe")
            .args([
                "-v",
                "quiet",
                "-of",
                "json",
                "-count_frames",
                "-show_streams",
            ])
            .arg(film)
            .output()
            .unwrap();
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let count = found["streams"][0]["nb_read_frames"].as_str().unwrap();
        count.parse::<u32>().unwrap()
    };
    assert_eq!(pictures(&half), 20);
    assert!(pictures(&long) > 30);
}

/// The places of the boxes of a kind in an MP4 file.
fn boxes(bytes: &[u8], kind: &[u8; 4]) -> Vec<usize> {
    let (mut at, mut found) = (0, Vec::new());
    while at + 8 <= bytes.len() {
        let size = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        if bytes[at + 4..at + 8] == *kind {
            found.push(at);
        }
        at += usize::try_from(size.max(8)).unwrap();
    }
    found
}

/// Text of a caller or of a program ends no line of an export, and so is neither a step nor code in it.
#[tokio::test]
async fn nothing_in_a_log_forges_a_line() {
    let server = XServer::with_screen("320x240x24", &[]);
    let mut recorded = Recorded::start(&server, &["--log-typed-text"]);
    let mut client = recorded.daemon.client().await;
    let hostile = "zz\nimport os; os.system('true')\n     9.999  control: Ada is in control";
    let forged = v1::ActRequest {
        coordinate_space: Some(v1::CoordinateSpace {
            space: Some(v1::coordinate_space::Space::FrameId("nope".into())),
        }),
        ..bare(vec![
            Action::Click(v1::ClickAction {
                at: Some((5, 5).into()),
                modifiers: vec![hostile.into()],
                ..v1::ClickAction::default()
            }),
            chord(&[hostile]),
            text(hostile),
        ])
    };
    client.act(forged).await.unwrap_err();
    let file = recorded.end();
    let shown = log(&["show", file.to_str().unwrap()]);
    assert!(shown.contains("import os"), "{shown}");
    for line in shown.lines() {
        let kind = line[12..].split_whitespace().next().unwrap();
        let kinds = [
            "log", "control:", "display:", "step", "screen", "pointer", "end:",
        ];
        assert!(kinds.contains(&kind), "{line}");
        assert!(
            !line.contains("9.999  control") || line.contains("step 1"),
            "{line}"
        );
    }
    let folder = recorded.folder.path().join("osworld");
    log(&[
        "export",
        file.to_str().unwrap(),
        "--to",
        "osworld",
        "-o",
        folder.to_str().unwrap(),
    ]);
    let lines = std::fs::read_to_string(folder.join("traj.jsonl")).unwrap();
    let line: Value = serde_json::from_str(&lines).unwrap();
    let action = line["action"].as_str().unwrap();
    assert!(
        action.starts_with("# not done") && !action.contains('\n'),
        "{action}"
    );
}

/// A log that somebody made to harm its reader is shown or refused: no command panics or runs on.
#[test]
fn crafted_logs_are_shown_or_refused() {
    let size = |width, height| Some(v1::Size { width, height });
    let start = |seconds| {
        Record::Start(v1::LogStart {
            began_at: Some(prost_types::Timestamp { seconds, nanos: 0 }),
            ..v1::LogStart::default()
        })
    };
    let screen = |number, width, height| {
        Record::Screen(v1::LogScreen {
            number,
            key: true,
            size: size(width, height),
            ..v1::LogScreen::default()
        })
    };
    let began = |step| {
        Record::StepBegan(v1::LogStepBegan {
            step,
            request: Some(v1::ActRequest {
                coordinate_space: Some(v1::CoordinateSpace {
                    space: Some(v1::coordinate_space::Space::FrameId("f".into())),
                }),
                ..bare(vec![click(i32::MAX, i32::MIN)])
            }),
            ..v1::LogStepBegan::default()
        })
    };
    let ended = |step| {
        Record::StepEnded(v1::LogStepEnded {
            step,
            took: Some(prost_types::Duration {
                seconds: i64::MAX,
                nanos: i32::MIN,
            }),
            response: Some(v1::ActResponse::default()),
            ..v1::LogStepEnded::default()
        })
    };
    let frame = Record::Frame(v1::LogFrame {
        frame_id: "f".into(),
        screen: 1,
        region: Some(v1::Region::new(i32::MIN, i32::MAX, u32::MAX, u32::MAX)),
        size: size(u32::MAX, 1),
        quality: u32::MAX,
        ..v1::LogFrame::default()
    });
    let cases = [
        vec![(0, start(-1)), (1, began(1)), (2, ended(1))],
        vec![(0, start(253_402_300_800)), (1, began(1)), (2, ended(1))],
        vec![
            (0, start(i64::MAX)),
            (i64::MAX, began(1)),
            (i64::MAX, ended(1)),
        ],
        vec![
            (0, start(0)),
            (1, screen(1, u32::MAX, u32::MAX)),
            (2, ended(1)),
        ],
        vec![(0, screen(1, 33_177_600, 1)), (1, screen(2, 1, 33_177_600))],
        vec![
            (0, screen(1, 64, 48)),
            (1 << 40, began(1)),
            (1 << 41, ended(1)),
        ],
        vec![
            (0, screen(1, 64, 48)),
            (1, frame),
            (2, began(1)),
            (3, ended(1)),
        ],
    ];
    let folder = tempfile::tempdir().unwrap();
    for (index, records) in cases.into_iter().enumerate() {
        let file = folder.path().join(format!("{index}.deskdlog"));
        let mut bytes = b"DESKDLOG\x01\0\0\0".to_vec();
        for (seconds, record) in records {
            let at = Some(prost_types::Duration { seconds, nanos: 0 });
            let record = v1::LogRecord {
                at,
                record: Some(record),
            };
            let content = record.encode_to_vec();
            let length = u32::try_from(content.len()).unwrap().to_le_bytes();
            let sum = crc32fast::hash(&[&length, content.as_slice()].concat());
            bytes.extend(length);
            bytes.extend(sum.to_le_bytes());
            bytes.extend(content);
        }
        std::fs::write(&file, bytes).unwrap();
        let file = file.to_str().unwrap();
        for arguments in [
            vec!["show", file],
            vec!["show", "--json", file],
            vec!["export", file, "--to", "html"],
            vec!["export", file, "--to", "frames"],
            vec!["export", file, "--to", "osworld"],
            vec!["export", file, "--to", "mp4"],
            vec!["replay", file],
        ] {
            let mut command = Command::new("timeout");
            command.args(["20", binary().to_str().unwrap(), "log"]);
            let output = command.args(&arguments).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            let code = output.status.code();
            assert!(
                matches!(code, Some(0..=2)),
                "{arguments:?}: {code:?} {said}"
            );
            assert!(!said.contains("panicked"), "{arguments:?}: {said}");
        }
    }
}

/// A replay says first what it would do, does the steps on another desktop, and reports the difference.
#[tokio::test]
async fn a_replay_does_the_steps_again_and_finds_the_difference() {
    let server = XServer::with_screen("640x480x24", &[]);
    let witness = Witness::new(&server);
    let mut recorded = Recorded::start(&server, &["--log-typed-text"]);
    let mut client = recorded.daemon.client().await;
    witness.fill(0x0033_6699);
    let step = |x| v1::ActRequest {
        no_frame: false,
        ..bare(vec![click(x, 40)])
    };
    client.act(step(30)).await.unwrap();
    client.act(step(40)).await.unwrap();
    client.act(bare(vec![click(7000, 7)])).await.unwrap_err();
    client.act(bare(vec![click(50, 40)])).await.unwrap();
    let file = recorded.end();
    let file = file.to_str().unwrap();

    let other = XServer::with_screen("640x480x24", &[]);
    let painter = Witness::new(&other);
    painter.fill(0x0033_6699);
    let daemon = Daemon::start(&other);
    let replay = |more: &[&str]| {
        let mut command = Command::new(binary());
        command.args(["log", "replay", file]).args(more);
        command.env("DESKD_SERVER", daemon.address().to_string());
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (output.status.code(), said.concat())
    };
    let (code, said) = replay(&[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("step 2: click left 40,40\n"), "{said}");
    assert!(
        said.contains("step 3: click left 7000,7: left out, it was refused"),
        "{said}"
    );
    assert!(
        said.contains("3 of 4 steps would be done on a screen of 640x480"),
        "{said}"
    );
    assert_eq!(painter.pointer().0, 320, "the dry run moved the pointer");
    let (code, said) = replay(&["--run", "--max-pause", "0s"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("3 of 4 steps done"), "{said}");
    assert_eq!(
        said.matches("DONE, the screen is the same").count(),
        3,
        "{said}"
    );
    assert_eq!(painter.pointer(), (50, 40));
    // A window that was not there.
    painter.window((100, 200), (64, 48), 0x00ff_0000);
    let (code, said) = replay(&["--run", "--max-pause", "50ms"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        said.matches("1.00 % of the screen differs, within 100,200 64x48")
            .count(),
        3,
        "{said}"
    );
    let limit = [
        "--run",
        "--skip-missing",
        "--max-pause",
        "50ms",
        "--max-difference",
        "0.5",
    ];
    let (code, said) = replay(&limit);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("1 of 4 steps done"), "{said}");
    // Another size is refused.
    let small = XServer::with_screen("320x240x24", &[]);
    let daemon = Daemon::start(&small);
    let output = daemon.cli(&["log", "replay", file, "--run", "--skip-missing"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(
        said.contains("the screen is 320x240, and that of the log 640x480"),
        "{said}"
    );
}
