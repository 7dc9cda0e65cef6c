//! Every action of OpenAI's and Anthropic's computer-use tools, done in a real
//! program, which says what it received.

use std::time::Duration;

use deskd::v1::{self, action::Action};
use serde_json::Value;

use super::{
    Daemon, Image, Witness, XServer,
    daemon::raw_image,
    receiver::{Receiver, Toolkit},
    step::{Client, at, bare, chord, click, drag, held, move_to, notches, pause, text},
    wait_for,
};

/// One action of a vendor's tool.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// As OpenAI's tool names it; empty when it has none.
    pub openai: &'static str,
    /// As Anthropic's tool names it; empty when it has none.
    pub anthropic: &'static str,
    /// The action of deskd that it becomes.
    pub deskd: &'static str,
    check: Check,
}

#[derive(Debug, Clone, Copy)]
enum Check {
    Click(v1::Button, u32),
    Drag,
    Move,
    ButtonDownUp,
    Scroll,
    Keys,
    Hold,
    Type,
    Wait,
    Screenshot,
    Zoom,
    CursorPosition,
}

const fn row(
    openai: &'static str,
    anthropic: &'static str,
    deskd: &'static str,
    check: Check,
) -> Row {
    Row {
        openai,
        anthropic,
        deskd,
        check,
    }
}

/// All of them: OpenAI's computer-use actions, and Anthropic's `computer_20241022`,
/// `computer_20250124` and `computer_20251124`.
pub const ROWS: [Row; 18] = [
    row(
        "click left",
        "left_click",
        "`click`",
        Check::Click(v1::Button::Left, 1),
    ),
    row(
        "click right",
        "right_click",
        "`click`, `button` RIGHT",
        Check::Click(v1::Button::Right, 1),
    ),
    row(
        "click wheel",
        "middle_click",
        "`click`, `button` MIDDLE",
        Check::Click(v1::Button::Middle, 1),
    ),
    row(
        "click back",
        "",
        "`click`, `button` BACK",
        Check::Click(v1::Button::Back, 1),
    ),
    row(
        "click forward",
        "",
        "`click`, `button` FORWARD",
        Check::Click(v1::Button::Forward, 1),
    ),
    row(
        "double_click",
        "double_click",
        "`click`, `count` 2",
        Check::Click(v1::Button::Left, 2),
    ),
    row(
        "",
        "triple_click",
        "`click`, `count` 3",
        Check::Click(v1::Button::Left, 3),
    ),
    row("drag", "left_click_drag", "`drag`", Check::Drag),
    row("move", "mouse_move", "`move`", Check::Move),
    row(
        "",
        "left_mouse_down, left_mouse_up",
        "`button_down`, `button_up`",
        Check::ButtonDownUp,
    ),
    row(
        "scroll (pixels)",
        "scroll (notches)",
        "`scroll`, `unit`",
        Check::Scroll,
    ),
    row("keypress", "key", "`key`", Check::Keys),
    row("", "hold_key", "`key`, `hold`", Check::Hold),
    row("type", "type", "`type`", Check::Type),
    row("wait", "wait", "`wait`", Check::Wait),
    row(
        "screenshot",
        "screenshot",
        "the step's frame, or `Screenshot`",
        Check::Screenshot,
    ),
    row("", "zoom", "`Screenshot`, `region`", Check::Zoom),
    row("", "cursor_position", "`GetCursor`", Check::CursorPosition),
];

/// A program, and what is needed to act on it.
pub struct Stage {
    receiver: Receiver,
    witness: Witness,
    client: Client,
    _daemon: Daemon,
    _server: XServer,
}

type Told = Result<(), String>;

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, wanted: &T) -> Told {
    if found == wanted {
        return Ok(());
    }
    Err(format!("{what}: {found:?}, not {wanted:?}"))
}

impl Stage {
    /// Starts the program on a server of its own.
    pub async fn new(toolkit: Toolkit) -> Self {
        let server = XServer::start();
        super::program::output(server.program("setxkbmap").arg("us"), "x11-xkb-utils");
        let receiver = Receiver::start(&server, toolkit);
        let daemon = Daemon::start(&server);
        Self {
            client: daemon.client().await,
            witness: Witness::new(&server),
            receiver,
            _daemon: daemon,
            _server: server,
        }
    }

    /// Does what the row says; what was not as it should be.
    ///
    /// # Errors
    ///
    /// Does a cell; the difference if the program received anything else.
    pub async fn cell(&mut self, row: &Row) -> Told {
        self.receiver.clear();
        match row.check {
            Check::Click(button, count) => self.click(button, count).await,
            Check::Drag => self.drag().await,
            Check::Move => self.moved().await,
            Check::ButtonDownUp => self.button_down_up().await,
            Check::Scroll => self.scroll().await,
            Check::Keys => self.keys().await,
            Check::Hold => self.hold().await,
            Check::Type => self.types().await,
            Check::Wait => self.wait().await,
            Check::Screenshot => self.screenshot(None).await,
            Check::Zoom => {
                let region = v1::Region::new(20, 30, 200, 100);
                self.screenshot(Some(region)).await
            }
            Check::CursorPosition => self.cursor().await,
        }
    }

    async fn act(&mut self, actions: Vec<Action>) -> Result<v1::ActResponse, String> {
        let reply = self.client.act(bare(actions)).await;
        let reply = reply.map_err(|status| status.to_string())?.into_inner();
        match reply.outcome() {
            v1::ActOutcome::Done => Ok(reply),
            other => Err(format!("{other:?}: {:?}", reply.results)),
        }
    }

    fn is_terminal(&self) -> bool {
        self.receiver.toolkit() == Toolkit::Xterm
    }

    /// Where the program saw the pointer, in screen pixels; a terminal knows cells.
    fn place(&self, event: &Value) -> (f64, f64) {
        if self.is_terminal() {
            return (
                event["col"].as_f64().unwrap(),
                event["row"].as_f64().unwrap(),
            );
        }
        let side = |name: &str| event[name].as_f64().unwrap().round();
        (side("root_x"), side("root_y"))
    }

    /// The same of a point.
    fn as_seen(&self, (x, y): (i32, i32)) -> (f64, f64) {
        if self.is_terminal() {
            // Its cells have 6 × 13 pixels and count from 1.
            let origin = self.receiver.in_text(0);
            let (x, y) = (x - origin.0, y - (origin.1 - 20));
            return ((x / 6 + 1).into(), (y / 13 + 1).into());
        }
        (x.into(), y.into())
    }

    fn wait_for(&self, what: &str, kind: &str, count: usize) -> Result<Vec<Value>, String> {
        let limit = std::time::Instant::now() + Duration::from_secs(10);
        loop {
            let events = self.receiver.events(kind);
            if events.len() >= count {
                return Ok(events);
            }
            if std::time::Instant::now() > limit {
                return Err(format!("{what}: {} of {count} × {kind}", events.len()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    async fn click(&mut self, button: v1::Button, count: u32) -> Told {
        let point = self.receiver.in_target(60);
        let action = Action::Click(v1::ClickAction {
            at: Some(at(point.0, point.1)),
            button: button.into(),
            count: Some(count),
            ..v1::ClickAction::default()
        });
        self.act(vec![action]).await?;
        let presses = self.wait_for("click", "press", count as usize)?;
        self.wait_for("click", "release", count as usize)?;
        let number = match button {
            v1::Button::Left | v1::Button::Unspecified => 1,
            v1::Button::Middle => 2,
            v1::Button::Right => 3,
            v1::Button::Back => 8,
            v1::Button::Forward => 9,
        };
        for (index, press) in presses.iter().enumerate() {
            same("button", &press["button"].as_i64(), &Some(number))?;
            same("place", &self.place(press), &self.as_seen(point))?;
            if !self.is_terminal() {
                // What a program makes of it: single, double, triple.
                let count = press["count"].as_u64();
                same(
                    &format!("count of {presses:?}"),
                    &count,
                    &Some(index as u64 + 1),
                )?;
            }
        }
        same("presses", &presses.len(), &(count as usize))
    }

    async fn drag(&mut self) -> Told {
        let (from, to) = (self.receiver.in_source(60), self.receiver.in_target(90));
        self.act(vec![drag(&[from, to], 250)]).await?;
        if self.is_terminal() {
            let press = self.wait_for("drag", "press", 1)?;
            let release = self.wait_for("drag", "release", 1)?;
            same("from", &self.place(&press[0]), &self.as_seen(from))?;
            same("to", &self.place(&release[0]), &self.as_seen(to))?;
            return self.wait_for("drag", "motion", 1).map(drop);
        }
        let dropped = self.wait_for("drag", "drop", 1)?;
        same("dropped", &dropped[0]["text"].as_str(), &Some("dragged"))?;
        self.wait_for("drag", "drag-end", 1).map(drop)
    }

    async fn moved(&mut self) -> Told {
        // A turn of the wheel tells where the program has the pointer.
        let point = self.receiver.in_target(120);
        let wheel = Action::Scroll(v1::ScrollAction {
            dy: 1,
            unit: v1::ScrollUnit::Notch.into(),
            ..v1::ScrollAction::default()
        });
        let reply = self.act(vec![move_to(point.0, point.1), wheel]).await?;
        same("read back", &reply.results[0].pointer, &Some(point.into()))?;
        let turns = self.wait_for("move", "scroll", 1)?;
        same("place", &self.place(&turns[0]), &self.as_seen(point))
    }

    async fn button_down_up(&mut self) -> Told {
        let (from, to) = (self.receiver.in_target(40), self.receiver.in_target(100));
        let down = Action::ButtonDown(v1::ButtonDownAction {
            at: Some(at(from.0, from.1)),
            ..v1::ButtonDownAction::default()
        });
        self.act(vec![down]).await?;
        self.wait_for("button_down", "press", 1)?;
        self.act(vec![move_to(to.0, to.1)]).await?;
        self.wait_for("move", "motion", 1)?;
        same(
            "releases so far",
            &self.receiver.events("release").len(),
            &0,
        )?;
        let up = Action::ButtonUp(v1::ButtonUpAction::default());
        self.act(vec![up]).await?;
        let release = self.wait_for("button_up", "release", 1)?;
        same("place", &self.place(&release[0]), &self.as_seen(to))
    }

    async fn scroll(&mut self) -> Told {
        let (x, y) = self.receiver.in_target(60);
        let pixels = Action::Scroll(v1::ScrollAction {
            at: Some(at(x, y)),
            dy: 300,
            ..v1::ScrollAction::default()
        });
        for (action, (dx, dy)) in [
            (notches(x, y, 0, 3), (0, 3)),
            (notches(x, y, 0, -2), (0, -2)),
            (notches(x, y, 2, 0), (2, 0)),
            (notches(x, y, -4, 0), (-4, 0)),
            // 100 pixels are a notch.
            (pixels, (0, 3)),
        ] {
            self.receiver.clear();
            self.act(vec![action]).await?;
            let turned = |name: &str| -> f64 {
                let turns = self.receiver.events("scroll");
                turns.iter().map(|turn| turn[name].as_f64().unwrap()).sum()
            };
            let limit = std::time::Instant::now() + Duration::from_secs(10);
            let near = |a: f64, b: i32| (a - f64::from(b)).abs() < 0.01;
            while !(near(turned("dx"), dx) && near(turned("dy"), dy)) {
                if std::time::Instant::now() > limit {
                    return Err(format!(
                        "scrolled by {},{}, not by {dx},{dy}",
                        turned("dx"),
                        turned("dy")
                    ));
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(())
    }

    /// The caret at the end of the text.
    async fn focus_text(&mut self) -> Told {
        let (x, y) = self.receiver.in_text(200);
        let mut actions = vec![click(x, y)];
        if !self.is_terminal() {
            actions.push(chord(&["ctrl", "End"]));
        }
        self.act(actions).await.map(drop)
    }

    /// The text now ends so.
    fn ends(&self, wanted: &str) -> Told {
        let wanted = self.receiver.told(wanted);
        let limit = std::time::Instant::now() + Duration::from_secs(10);
        loop {
            let last = self.receiver.events("text").pop();
            let now = last.and_then(|line| Some(line["text"].as_str()?.to_owned()));
            let now = now.unwrap_or_default();
            if now.ends_with(&wanted) {
                return Ok(());
            }
            if std::time::Instant::now() > limit {
                return Err(format!("the text is {now:?}, not …{wanted:?}"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    async fn keys(&mut self) -> Told {
        self.focus_text().await?;
        if self.is_terminal() {
            // What those keys are to a terminal.
            self.act(vec![chord(&["CTRL", "A"]), chord(&["ArrowLeft"])])
                .await?;
            return self
                .ends("\u{1}\u{1b}[D")
                .or_else(|_| self.ends("\u{1}\u{1b}OD"));
        }
        self.act(vec![text("ab"), chord(&["ArrowLeft"]), text("c")])
            .await?;
        self.ends("acb")?;
        self.act(vec![
            chord(&["CTRL", "A"]),
            chord(&["BackSpace"]),
            text("d"),
        ])
        .await?;
        self.ends("d")?;
        let presses = self.receiver.events("key-press");
        let with_control = presses.iter().any(|press| {
            press["state"] == serde_json::json!(["ctrl"])
                && press["name"]
                    .as_str()
                    .is_some_and(|name| name.eq_ignore_ascii_case("a"))
        });
        same("ctrl+a seen as such", &with_control, &true)
    }

    async fn hold(&mut self) -> Told {
        self.focus_text().await?;
        let hold = Action::Key(v1::KeyAction {
            keys: vec!["h".into()],
            repeat: Some(1),
            hold: held(1500),
        });
        let reply = self.act(vec![text("."), hold, text(".")]).await?;
        let took = Duration::try_from(reply.results[1].elapsed.unwrap()).unwrap();
        if took < Duration::from_millis(1500) {
            return Err(format!("held for {took:?}"));
        }
        // It repeats as a key does that a person holds.
        self.ends("hhh.")
    }

    async fn types(&mut self) -> Told {
        self.focus_text().await?;
        let words = "Hello, Wörld! Привет 日本 😀👍🏽\nline two";
        self.act(vec![text(words)]).await?;
        self.ends(words)
    }

    async fn wait(&mut self) -> Told {
        self.focus_text().await?;
        let reply = self.act(vec![text("a"), pause(700), text("b")]).await?;
        let took = Duration::try_from(reply.results[1].elapsed.unwrap()).unwrap();
        if !(Duration::from_millis(700)..Duration::from_millis(2100)).contains(&took) {
            return Err(format!("waited for {took:?}"));
        }
        self.ends("ab")
    }

    async fn screenshot(&mut self, region: Option<v1::Region>) -> Told {
        self.focus_text().await?;
        // What the program draws for it is on the picture.
        let (before, words) = (self.witness.digest(), "seen ");
        let mut request = bare(vec![text(words)]);
        request.settle = None;
        request.no_frame = false;
        request.capture = Some(v1::CaptureOptions {
            region,
            ..raw_image()
        });
        let reply = self.client.act(request).await;
        let reply = reply.map_err(|status| status.to_string())?.into_inner();
        self.ends(words)?;
        let frame = reply.frame.unwrap_or_default();
        same("kind", &frame.kind(), &v1::FrameKind::Screen)?;
        if !self.is_terminal() {
            // The program in the terminal echoes nothing.
            same("drawn", &(self.witness.digest() != before), &true)?;
        }
        let image = Image::from_frame(&frame);
        // The caret blinks: at some moment the screen is the picture.
        let whole = v1::Region::new(0, 0, frame.screen_width, frame.screen_height);
        let area = region.unwrap_or(whole);
        wait_for(
            "the screen is as the picture",
            Duration::from_secs(5),
            || {
                let screen = self.witness.capture();
                let corner = (area.x().cast_unsigned(), area.y().cast_unsigned());
                let screen = screen.crop(corner.0, corner.1, area.width, area.height);
                (screen == image).then_some(())
            },
        );
        Ok(())
    }

    async fn cursor(&mut self) -> Told {
        let point = self.receiver.in_target(70);
        self.act(vec![move_to(point.0, point.1)]).await?;
        let reply = self
            .client
            .get_cursor(v1::GetCursorRequest::default())
            .await;
        let cursor = reply
            .map_err(|status| status.to_string())?
            .into_inner()
            .cursor;
        let cursor = cursor.unwrap_or_default();
        same("pointer", &cursor.position, &Some(point.into()))
    }
}

/// The table of docs/reference/conformance.md, with a cell for each program.
pub fn table(cells: &[[Told; 4]]) -> String {
    let mut text = String::from(
        "| OpenAI | Anthropic | deskd | GTK 3 | Qt 5 | Chromium | xterm |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for (row, cells) in ROWS.iter().zip(cells) {
        let cells = cells.each_ref().map(|cell| match cell {
            Ok(()) => "✓".to_owned(),
            Err(why) => format!("✗ {}", why.replace('|', "\\|")),
        });
        text.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            row.openai,
            row.anthropic,
            row.deskd,
            cells.join(" | ")
        ));
    }
    text
}

/// Before and after the table.
pub const MARKS: (&str, &str) = ("<!-- matrix: by `make matrix` -->\n", "<!-- /matrix -->");
