//! The viewer, in a real browser: a person watches, takes control, types and gives it back; and whoever
//! has no business there is kept out.

use std::{
    path::PathBuf,
    process::{Command, Output},
    time::Duration,
};

use deskd::{
    client,
    v1::{self, Reason},
};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::{
    client_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

use crate::{
    common::{
        Daemon, Recorder, Witness, XServer,
        browser::Browser,
        daemon::binary,
        receiver::{Receiver, Toolkit},
        step::{bare, click, move_to},
        wait_for,
    },
    keys::set_keymap,
};

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A daemon that serves the viewer.
struct Stage {
    daemon: Daemon,
    folder: tempfile::TempDir,
    host: String,
}

impl Stage {
    fn start(server: &XServer, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("keys");
        std::fs::write(&key, KEY).unwrap();
        let key = key.display().to_string();
        let mut flags = vec!["--http", "127.0.0.1:0", "--viewer-key-file", &key];
        flags.extend(more);
        let daemon = Daemon::with(server, &flags);
        let host = daemon.tcp_address().to_string();
        Self {
            daemon,
            folder,
            host,
        }
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    fn mint(&self, more: &[&str]) -> Output {
        let mut command = Command::new(binary());
        let file = self.key_file();
        command
            .args(["viewer-token", "--viewer-key-file"])
            .arg(file);
        command.args(more).output().unwrap()
    }

    fn token(&self, more: &[&str]) -> String {
        let output = self.mint(more);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A link for a person who may take control.
    fn link(&self, name: &str) -> String {
        let url = format!("http://{}", self.host);
        self.token(&["--control", "--viewer", name, "--url", &url])
    }

    /// A page of this size, whose person is in control.
    async fn in_control(&self, name: &str, (width, height): (u32, u32)) -> Browser {
        let mut browser = Browser::start(width, height).await;
        browser.open(&self.link(name)).await;
        browser
            .until("canvas.width > 100 && !document.getElementById('take').hidden")
            .await;
        browser.click("#take").await;
        browser.until("isMine").await;
        browser
    }

    /// Sends a request, and returns the response's head and body.
    async fn request(&self, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.host).await.unwrap();
        let text = format!(
            "{head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        // The server may refuse before it has read everything.
        drop(stream.write_all(text.as_bytes()).await);
        let mut answer = Vec::new();
        let limit = Duration::from_secs(15);
        let read = tokio::time::timeout(limit, stream.read_to_end(&mut answer));
        drop(read.await.expect("an answer"));
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Exchanges a token, as the page does.
    async fn exchange(&self, token: &str) -> String {
        let (host, path) = (&self.host, "/viewer/session");
        let head = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}");
        self.request(&head, token).await
    }

    /// The cookie and the secret of a new session.
    async fn cookie(&self, more: &[&str]) -> (String, String) {
        let answer = self.exchange(&self.token(more)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let line = answer
            .lines()
            .find_map(|line| line.strip_prefix("set-cookie: "))
            .unwrap();
        let secret = answer.lines().last().unwrap().to_owned();
        (line.split(';').next().unwrap().to_owned(), secret)
    }

    /// Opens the page's WebSocket.
    async fn socket(
        &self,
        (cookie, secret): &(String, String),
    ) -> Result<tokio_tungstenite::WebSocketStream<TcpStream>, u16> {
        let url = format!("ws://{}/viewer/socket", self.host);
        let mut request = url.into_client_request().unwrap();
        let headers = request.headers_mut();
        let origin = format!("http://{}", self.host);
        headers.insert("origin", origin.parse().unwrap());
        headers.insert("cookie", cookie.parse().unwrap());
        let stream = TcpStream::connect(&self.host).await.unwrap();
        match client_async(request, stream).await {
            Ok((mut socket, _)) => {
                let open = json!({"t": "open", "secret": secret});
                socket.send(Message::text(open.to_string())).await.unwrap();
                Ok(socket)
            }
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
                Err(response.status().as_u16())
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// The colour of the canvas at a pixel of the screen.
fn pixel(x: u32, y: u32) -> String {
    format!("[...context.getImageData({x}, {y}, 1, 1).data].slice(0, 3).join()")
}

/// Waits until a rectangle of the page has the colour, and so the screen is shown.
async fn until_colour(browser: &mut Browser, (x, y): (u32, u32), colour: &str) {
    browser
        .until(&format!("{} === '{colour}'", pixel(x, y)))
        .await;
}

/// A person opens a link, sees the screen change, takes control from an agent, clicks and types in three
/// scripts, and gives control back.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_watches_takes_control_types_and_gives_it_back() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let receiver = Receiver::of_text(&server, Toolkit::Gtk);
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs").display().to_string();
    let stage = Stage::start(&server, &["--log-dir", &logs, "--log-typed-text"]);
    let mut agent = stage.daemon.client().await;
    let mut browser = Browser::start(1280, 900).await;
    let token = stage.link("Ada");
    browser.open(&token).await;
    browser.until("document.body.classList.contains('live') || document.getElementById('state').textContent === 'Starting'").await;
    // The token is no longer in the address.
    let address = browser.value("location.href").await;
    assert_eq!(address, json!(format!("http://{}/viewer/", stage.host)));
    assert_eq!(browser.value("document.cookie").await, json!(""));
    browser.until("canvas.width > 100").await;
    // The page's canvas is the screen.
    let witness = Witness::new(&server);
    let window = witness.window((700, 500), (60, 40), 0x0012_7f33);
    witness.round_trip();
    until_colour(&mut browser, (720, 520), "18,127,51").await;
    witness.draw(window, (0, 0), (60, 40), 0x00aa_0102);
    witness.round_trip();
    until_colour(&mut browser, (720, 520), "170,1,2").await;
    // An agent moves the pointer; the page shows it.
    agent.act(bare(vec![move_to(640, 300)])).await.unwrap();
    browser
        .until("!document.getElementById('pointer').hidden")
        .await;

    browser
        .until("!document.getElementById('take').hidden")
        .await;
    browser.click("#take").await;
    browser
        .until("isMine && document.body.classList.contains('mine')")
        .await;
    let refused = agent.act(bare(vec![click(1, 1)])).await.unwrap_err();
    assert_eq!(client::reason(&refused), Reason::HumanInControl);
    assert!(refused.message().contains("Ada"), "{refused:?}");
    // A click at a pixel of the screen.
    let place = browser
        .value("(() => { const r = canvas.getBoundingClientRect(); return [r.left, r.top, r.width / canvas.width]; })()")
        .await;
    let number = |index: usize| place[index].as_f64().unwrap();
    let (x, y) = receiver.in_text(200);
    let at = |x: i32, y: i32| {
        let on = |pixel: i32, start: f64| start + (f64::from(pixel) + 0.5) * number(2);
        (on(x, number(0)), on(y, number(1)))
    };
    for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
        let button = if kind == "mouseMoved" { "none" } else { "left" };
        browser.mouse(kind, at(x, y), button).await;
    }
    receiver.clear();
    for (key, code) in [
        ("A", "KeyA"),
        ("b", "KeyB"),
        ("1", "Digit1"),
        ("ж", "Semicolon"),
        ("Щ", "KeyO"),
        ("ß", "Minus"),
        ("€", "KeyE"),
    ] {
        browser.key(key, code, 0).await;
    }
    receiver.wait_text("Ab1жЩß€");
    // An input method inserts text without keys.
    assert_eq!(
        browser.value("document.activeElement.id").await,
        json!("text")
    );
    browser
        .call("Input.insertText", json!({"text": "你好 γειά"}))
        .await;
    receiver.wait_text("Ab1жЩß€你好 γειά");
    browser.key("Backspace", "Backspace", 0).await;
    receiver.wait_text("Ab1жЩß€你好 γει");
    // Ctrl+A, in a layout without Latin letters; the selection is replaced.
    browser.key("ф", "KeyA", 2).await;
    browser.key("z", "KeyZ", 0).await;
    receiver.wait_text("z");
    // The clipboard, both ways.
    browser.click("#clipboard").await;
    browser
        .value("document.getElementById('cliptext').value = 'from the page\\n你'")
        .await;
    browser.click("#paste").await;
    receiver.wait_text("zfrom the page\n你");
    browser.click("#clipboard").await;
    browser
        .value("document.getElementById('cliptext').value = ''")
        .await;
    browser.click("#fetch").await;
    browser
        .until("document.getElementById('cliptext').value === 'from the page\\n你'")
        .await;
    browser
        .value("document.getElementById('clip').close()")
        .await;

    browser.click("#give").await;
    browser
        .until("!isMine && document.body.innerText.includes('Nobody is in control')")
        .await;
    let old = agent
        .act(bare(vec![move_to(5, 5)]))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(old.outcome(), v1::ActOutcome::Done);
    // What was typed, pasted and used as a token is in no log, also where the text of agents is.
    let log = stage.daemon.log();
    let run = std::fs::read_dir(&logs).unwrap().next().unwrap();
    let run = run.unwrap().path();
    let bytes = std::fs::read(&run).unwrap();
    let is_recorded = |text: &str| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    for secret in [
        "Ab1",
        "ж",
        "γειά",
        "from the page",
        &token[token.len() - 20..],
    ] {
        assert!(!log.contains(secret), "{secret}");
        assert!(!is_recorded(secret), "{secret}");
    }
    // The person's steps are in the log of the run: a click, characters, keys.
    let steps = crate::log::records(&run);
    let steps = steps.iter().map(|record| &record["stepBegan"]);
    let steps: Vec<String> = steps
        .filter(|step| step["inViewer"] == true)
        .map(|step| step["request"]["actions"][0].to_string())
        .collect();
    for part in [
        "buttonDown",
        "buttonUp",
        "\"text\":\"\"",
        "BackSpace",
        "paste",
    ] {
        let is_there = steps.iter().any(|step| step.contains(part));
        assert!(is_there, "{part}: {steps:?}");
    }
    if let Some(folder) = std::env::var_os("DESKD_TEST_PICTURES") {
        let folder = PathBuf::from(folder);
        browser.picture(&folder.join("viewer.png")).await;
        browser.size(390, 780, true).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        browser.picture(&folder.join("viewer-phone.png")).await;
    }
}

/// On a phone, a tap clicks, a long press is the right button, and two fingers turn the wheel.
#[tokio::test(flavor = "multi_thread")]
async fn fingers_give_input_on_a_phone() {
    let server = XServer::start();
    set_keymap(&server, "us");
    let recorder = Recorder::new(&server);
    let stage = Stage::start(&server, &[]);
    let mut browser = Browser::start(390, 780).await;
    browser.size(390, 780, true).await;
    browser.open(&stage.link("Ada")).await;
    browser.until("canvas.width > 100").await;
    browser
        .until("!document.getElementById('take').hidden")
        .await;
    // Nothing is wider than the phone.
    assert_eq!(
        browser.value("document.documentElement.scrollWidth").await,
        json!(390)
    );
    browser.click("#take").await;
    browser.until("isMine").await;
    let place = browser
        .value("(() => { const r = canvas.getBoundingClientRect(); return [r.left + r.width / 2, r.top + r.height / 2]; })()")
        .await;
    let (x, y) = (place[0].as_f64().unwrap(), place[1].as_f64().unwrap());
    let one = |x: f64, y: f64| json!([{"x": x, "y": y, "id": 1}]);
    let touch =
        |kind: &str, points: serde_json::Value| json!({"type": kind, "touchPoints": points});
    recorder.take();
    let seen = std::cell::RefCell::new(Vec::new());
    let count = |number: u8| {
        let mut seen = seen.borrow_mut();
        seen.extend(recorder.take());
        let is_it = |one: &&crate::common::Seen| matches!(one, crate::common::Seen::Button { number: n, .. } if *n == number);
        seen.iter().filter(is_it).count()
    };
    browser
        .call("Input.dispatchTouchEvent", touch("touchStart", one(x, y)))
        .await;
    browser
        .call("Input.dispatchTouchEvent", touch("touchEnd", json!([])))
        .await;
    wait_for("a tap", Duration::from_secs(5), || {
        (count(1) == 2).then_some(())
    });
    browser
        .call("Input.dispatchTouchEvent", touch("touchStart", one(x, y)))
        .await;
    wait_for("a long press", Duration::from_secs(5), || {
        (count(3) == 2).then_some(())
    });
    browser
        .call("Input.dispatchTouchEvent", touch("touchEnd", json!([])))
        .await;
    let two = |y: f64| json!([{"x": x, "y": y, "id": 1}, {"x": x + 40.0, "y": y, "id": 2}]);
    browser
        .call("Input.dispatchTouchEvent", touch("touchStart", two(y)))
        .await;
    for step in 1..8 {
        let moved = two(y - 12.0 * f64::from(step));
        browser
            .call("Input.dispatchTouchEvent", touch("touchMove", moved))
            .await;
    }
    browser
        .call("Input.dispatchTouchEvent", touch("touchEnd", json!([])))
        .await;
    wait_for("the wheel", Duration::from_secs(5), || {
        (count(5) >= 2).then_some(())
    });
    // A second finger ends what the first one drags.
    browser
        .call("Input.dispatchTouchEvent", touch("touchStart", one(x, y)))
        .await;
    for step in 1..4 {
        let moved = one(x, y + 10.0 * f64::from(step));
        browser
            .call("Input.dispatchTouchEvent", touch("touchMove", moved))
            .await;
    }
    wait_for("a drag", Duration::from_secs(5), || {
        (recorder.buttons_down() == 1).then_some(())
    });
    browser
        .call("Input.dispatchTouchEvent", touch("touchStart", two(y)))
        .await;
    browser
        .call("Input.dispatchTouchEvent", touch("touchEnd", json!([])))
        .await;
    wait_for("the release", Duration::from_secs(5), || {
        recorder.nothing_is_down().then_some(())
    });
}

/// Two buttons of the mouse at once are two presses and two releases, and a page that closes holds
/// nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_mouse_with_two_buttons_leaves_none_down() {
    let server = XServer::start();
    let recorder = Recorder::new(&server);
    let stage = Stage::start(&server, &[]);
    let mut browser = stage.in_control("Ada", (1000, 700)).await;
    recorder.take();
    for (kind, button, buttons) in [
        ("mousePressed", "left", 1),
        ("mousePressed", "right", 3),
        ("mouseReleased", "left", 2),
        ("mouseReleased", "right", 0),
        ("mousePressed", "left", 1),
    ] {
        let event = json!({
            "type": kind, "x": 400, "y": 400, "button": button, "buttons": buttons, "clickCount": 1,
        });
        browser.call("Input.dispatchMouseEvent", event).await;
    }
    let seen = std::cell::RefCell::new(Vec::new());
    wait_for("five events of buttons", Duration::from_secs(5), || {
        let mut seen = seen.borrow_mut();
        let buttons = recorder.take().into_iter().filter_map(|one| match one {
            crate::common::Seen::Button { down, number, .. } => Some((down, number)),
            _ => None,
        });
        seen.extend(buttons);
        (seen.len() >= 5).then_some(())
    });
    let wanted = [(true, 1), (true, 3), (false, 1), (false, 3), (true, 1)];
    assert_eq!(seen.into_inner(), wanted);
    browser.open("about:blank").await;
    wait_for("the release", Duration::from_secs(10), || {
        recorder.nothing_is_down().then_some(())
    });
}

/// The page comes back after the daemon's connection broke, with the control that it had; a failed
/// capture is shown as a card.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_returns_with_its_control_and_shows_cards() {
    let mut server = XServer::start();
    let stage = Stage::start(&server, &[]);
    let mut browser = stage.in_control("Ada", (1000, 700)).await;
    browser.value("socket.close()").await;
    browser
        .until("socket.readyState === WebSocket.OPEN && isMine")
        .await;
    server.kill();
    browser
        .until("!document.getElementById('card').hidden")
        .await;
    browser
        .until("document.getElementById('state').textContent === 'No desktop'")
        .await;
    if let Some(folder) = std::env::var_os("DESKD_TEST_PICTURES") {
        browser
            .picture(&PathBuf::from(folder).join("viewer-card.png"))
            .await;
    }
    server.restart();
    browser
        .until("document.getElementById('card').hidden")
        .await;
    // Removing the key ends the session.
    std::fs::write(stage.key_file(), "fedcba9876543210fedcba9876543210").unwrap();
    browser.until("hasEnded").await;
    browser.until("document.body.innerText.includes('ask for a new link') || document.body.innerText.includes('Ask for a new link')").await;
}

/// A link for watching does not act, whatever its page sends.
#[tokio::test(flavor = "multi_thread")]
async fn a_view_only_link_acts_on_nothing() {
    let server = XServer::start();
    let recorder = Recorder::new(&server);
    let stage = Stage::start(&server, &[]);
    let cookie = stage.cookie(&["--viewer", "Bob"]).await;
    let mut socket = stage.socket(&cookie).await.unwrap();
    recorder.take();
    for message in [
        json!({"t": "take"}),
        json!({"t": "down", "button": 0, "x": 5, "y": 5}),
        json!({"t": "type", "text": "x"}),
        json!({"t": "paste", "text": "x"}),
        json!({"t": "copy"}),
    ] {
        socket
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }
    let (mut refusals, mut images) = (0, 0);
    while refusals < 5 || images == 0 {
        let next = tokio::time::timeout(Duration::from_secs(10), socket.next());
        match next.await.unwrap().unwrap().unwrap() {
            Message::Text(text) => {
                assert!(!text.contains("\"is_mine\":true") && !text.contains("clipboard\""));
                refusals += usize::from(text.contains("\"refused\""));
            }
            Message::Binary(_) => images += 1,
            _ => {}
        }
    }
    assert!(recorder.take().is_empty());
    let mut control = {
        let limit = Duration::from_secs(5);
        let connection = client::connect(&stage.daemon.address(), None, None, limit).await;
        client::control(connection.unwrap())
    };
    let state = control.get_control(v1::GetControlRequest {}).await.unwrap();
    assert_eq!(state.into_inner().control.unwrap().control_epoch, 1);
}

/// A daemon that changes nothing lets nobody take control.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_daemon_has_viewers_who_watch() {
    let server = XServer::start();
    let stage = Stage::start(&server, &["--read-only"]);
    let cookie = stage.cookie(&["--control"]).await;
    let mut socket = stage.socket(&cookie).await.unwrap();
    let take = Message::text(json!({"t": "take"}).to_string());
    socket.send(take).await.unwrap();
    loop {
        let next = tokio::time::timeout(Duration::from_secs(10), socket.next());
        let message = next.await.unwrap().unwrap().unwrap();
        let text = message.to_text().unwrap_or_default();
        assert!(!text.contains("\"is_mine\":true"));
        if text.contains("\"refused\"") {
            break;
        }
    }
}

/// Forged, expired, used and foreign tokens; foreign origins and hosts; too many tries.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_kept_out() {
    let server = XServer::start();
    let stage = Stage::start(
        &server,
        &["--viewer-session", "box-7", "--viewer-host", "desk.example"],
    );
    let good = ["--session", "box-7"];
    let host = stage.host.clone();
    let status = |answer: &str| answer.split(' ').nth(1).unwrap_or_default().to_owned();
    // Once, and not again.
    let token = stage.token(&good);
    assert_eq!(status(&stage.exchange(&token).await), "200");
    let again = stage.exchange(&token).await;
    assert_eq!(status(&again), "401");
    assert!(again.contains("used before"), "{again}");
    // Another session's, a foreign key's, a changed and an expired one.
    assert_eq!(
        status(&stage.exchange(&stage.token(&["--session", "box-8"])).await),
        "401"
    );
    assert_eq!(status(&stage.exchange(&stage.token(&[])).await), "401");
    let forged = stage.token(&good).replace("deskd1.e", "deskd1.f");
    assert_eq!(status(&stage.exchange(&forged).await), "401");
    let foreign = {
        let other = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(other.path(), "fedcba9876543210fedcba9876543210").unwrap();
        let mut command = Command::new(binary());
        command
            .args(["viewer-token", "--viewer-key-file"])
            .arg(other.path());
        let output = command.args(good).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(status(&stage.exchange(&foreign).await), "401");
    // Origins and hosts.
    let post =
        |host: &str, origin: &str| format!("POST /viewer/session HTTP/1.1\r\nHost: {host}{origin}");
    let token = stage.token(&good);
    for origin in ["", "\r\nOrigin: http://evil.example", "\r\nOrigin: null"] {
        let answer = stage.request(&post(&host, origin), &token).await;
        assert_eq!(status(&answer), "403", "{origin}");
    }
    for name in [
        "evil.example",
        "evil.example:80",
        "desk.example.evil.example",
        "xdesk.example",
    ] {
        let origin = format!("\r\nOrigin: http://{name}");
        let answer = stage.request(&post(name, &origin), &token).await;
        assert_eq!(status(&answer), "421", "{name}");
    }
    let own = post("desk.example:8080", "\r\nOrigin: https://desk.example:8080");
    assert_eq!(status(&stage.request(&own, &token).await), "200");
    // Without a cookie, with a wrong one, from another page.
    let (name, wrong) = ("deskd-viewer-0=0".to_owned(), "0".repeat(32));
    assert_eq!(stage.socket(&(name, wrong.clone())).await.unwrap_err(), 401);
    let (cookie, _) = stage.cookie(&good).await;
    // The cookie alone, which other ports of the host get, shows nothing.
    let mut stolen = stage.socket(&(cookie.clone(), wrong)).await.unwrap();
    let first = stolen.next().await.unwrap().unwrap();
    assert!(matches!(first, Message::Close(Some(close)) if u16::from(close.code) == 4401));
    let get = format!(
        "GET /viewer/socket HTTP/1.1\r\nHost: {host}\r\nOrigin: http://evil.example\r\nCookie: {cookie}\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    );
    assert_eq!(status(&stage.request(&get, "").await), "403");
    // The headers that keep other pages out.
    let page = stage
        .request(&format!("GET /viewer/ HTTP/1.1\r\nHost: {host}"), "")
        .await;
    for wanted in [
        "content-security-policy: default-src 'none'",
        "frame-ancestors 'none'",
        "referrer-policy: no-referrer",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
    assert!(!page.to_lowercase().contains("access-control"), "{page}");
    for (request, code) in [
        ("GET /viewer/nothing", "404"),
        ("PUT /viewer/session", "405"),
        ("GET /viewer/../../etc/passwd", "404"),
        ("GET /mcp", "404"),
    ] {
        let answer = stage
            .request(&format!("{request} HTTP/1.1\r\nHost: {host}"), "")
            .await;
        assert_eq!(status(&answer), code, "{request}");
    }
    // A flood of wrong tokens is answered shortly, and a right one all the same.
    let mut refused = 0;
    for _ in 0..40 {
        let answer = stage.exchange("deskd1.e30.AAAA").await;
        refused += usize::from(status(&answer) == "429");
    }
    assert!(refused > 5, "{refused}");
    let token = stage.token(&["--session", "box-7", "--ttl", "10m"]);
    assert_eq!(status(&stage.exchange(&token).await), "200");
    assert!(!stage.daemon.log().contains(&token[token.len() - 20..]));
}

/// A daemon that was told its workspace and session lets in only people whose token names both.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_another_desktop_is_refused() {
    let server = XServer::start();
    let own = ["--viewer-workspace", "w-1", "--viewer-session", "s-1"];
    let stage = Stage::start(&server, &own);
    let status = |answer: &str| answer.split(' ').nth(1).unwrap_or_default().to_owned();
    for (workspace, session, code) in [
        ("w-1", "s-1", "200"),
        ("w-2", "s-1", "401"),
        ("w-1", "s-2", "401"),
        ("", "s-1", "401"),
        ("w-1", "", "401"),
    ] {
        let token = stage.token(&["--workspace", workspace, "--session", session]);
        let answer = stage.exchange(&token).await;
        assert_eq!(status(&answer), code, "{workspace} {session}: {answer}");
    }
    // The marks by which a name could look like another one are in no token.
    let output = stage.mint(&["--viewer", "Ada\u{202e}"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

/// A daemon whose viewer cannot be served does not start without it.
#[test]
fn a_wrong_key_file_ends_the_start() {
    let server = XServer::start();
    let folder = tempfile::tempdir().unwrap();
    let (keys, socket) = (folder.path().join("keys"), folder.path().join("s"));
    for content in [None, Some(""), Some("short")] {
        if let Some(content) = content {
            std::fs::write(&keys, content).unwrap();
        }
        let output = Command::new("timeout")
            .arg("10")
            .arg(binary())
            .args(["serve", "--display", &server.display(), "--listen"])
            .arg(format!("unix:{}", socket.display()))
            .args(["--http", "127.0.0.1:0", "--viewer-key-file"])
            .arg(&keys)
            .env("XAUTHORITY", server.xauthority())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(10), "{content:?}: {said}");
        assert!(said.contains("viewer key file"), "{said}");
    }
}

/// A page that finds no room says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_too_many_says_so() {
    let server = XServer::start();
    let stage = Stage::start(&server, &[]);
    let mut browser = Browser::start(900, 600).await;
    let url = format!("http://{}", stage.host);
    browser.open(&stage.token(&["--url", &url])).await;
    browser.until("canvas.width > 100").await;
    let cookies = browser.call("Network.getCookies", json!({})).await;
    let cookie = &cookies["cookies"][0];
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let cookie = format!("{}={}", text(&cookie["name"]), text(&cookie["value"]));
    let secret = text(&browser.value("localStorage.getItem(SECRET)").await);
    let session = (cookie, secret);
    // Other pages of the same session take all places while this one reconnects.
    browser.value("socket.close()").await;
    let mut others = Vec::new();
    // The daemon notices a moment later that the page has closed its connection.
    for _ in 0..200 {
        match stage.socket(&session).await {
            Ok(socket) => others.push(socket),
            Err(_) if others.len() == 4 => break,
            Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
    assert_eq!(others.len(), 4);
    browser
        .until("document.body.innerText.includes('Too many pages')")
        .await;
    // It returns when there is room, and a page that is opened meanwhile does not ask for a link.
    drop(others);
    browser
        .until("document.body.classList.contains('live') || document.getElementById('state').textContent === 'Starting'")
        .await;
}

/// Pages that send nonsense, too much, or nothing at all, and a thousand connections, harm nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn pages_that_misbehave_harm_nobody_else() {
    let server = XServer::start();
    let stage = Stage::start(&server, &[]);
    let cookie = stage.cookie(&["--control"]).await;
    for message in [
        Message::text("x"),
        Message::text("[]"),
        Message::text("{\"t\":\"format_disk\"}"),
        Message::binary(vec![0_u8; 100]),
        Message::text("x".repeat(300 << 10)),
    ] {
        let mut socket = stage.socket(&cookie).await.unwrap();
        socket.send(message).await.unwrap();
        let closed = async {
            while let Some(Ok(message)) = socket.next().await {
                if let Message::Close(close) = message {
                    return close.map(|close| u16::from(close.code));
                }
            }
            None
        };
        let closed = tokio::time::timeout(Duration::from_secs(10), closed).await;
        assert!(matches!(closed, Ok(Some(4400 | 1009))), "{closed:?}");
    }
    // Input that waits without end.
    let mut socket = stage.socket(&cookie).await.unwrap();
    for _ in 0..2000 {
        let text = json!({"t": "wheel", "x": 1, "y": 1, "dx": 0, "dy": 1}).to_string();
        if socket.send(Message::text(text)).await.is_err() {
            break;
        }
    }
    drop(socket);
    // Pages that do not read, while the screen changes.
    let mut idle = Vec::new();
    for _ in 0..4 {
        idle.push(stage.socket(&cookie).await.unwrap());
    }
    assert_eq!(stage.socket(&cookie).await.unwrap_err(), 503);
    let mut strangers = Vec::new();
    for _ in 0..1000 {
        strangers.push(TcpStream::connect(&stage.host).await.unwrap());
    }
    let witness = Witness::new(&server);
    for seed in 0..40 {
        witness.draw_pattern(seed);
        witness.round_trip();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut browser = Browser::start(800, 600).await;
    browser.open(&stage.link("Ada")).await;
    browser.until("canvas.width > 100").await;
    let mut agent = stage.daemon.client().await;
    agent.act(bare(vec![move_to(9, 9)])).await.unwrap();
    assert!(
        stage.daemon.status("VmRSS") < 300_000,
        "{}",
        stage.daemon.status("VmRSS")
    );
}

/// Over TLS the cookie is `Secure`; for an embedded page, which is named in the policy, it goes with the
/// frame of another site.
#[tokio::test(flavor = "multi_thread")]
async fn over_tls_the_cookie_is_secure() {
    let server = XServer::start();
    let folder = tempfile::tempdir().unwrap();
    let names = vec!["localhost".into(), "127.0.0.1".into()];
    let own = rcgen::generate_simple_self_signed(names).unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let certificate = write("cert", &own.cert.pem());
    let key = write("key", &own.signing_key.serialize_pem());
    let tls = ["--tls-cert", &certificate, "--tls-key", &key];
    for (more, wanted) in [
        (&[][..], "SameSite=Strict; Secure"),
        (
            &["--viewer-embed", "https://app.example"][..],
            "SameSite=None; Secure; Partitioned",
        ),
    ] {
        let stage = Stage::start(&server, &[&tls[..], more].concat());
        let url = format!("https://{}/viewer/", stage.host);
        let origin = format!("Origin: https://{}", stage.host);
        let curl = |arguments: &[&str]| {
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--include", "--cacert", &certificate]);
            let output = curl.args(arguments).output().expect("curl is installed");
            String::from_utf8(output.stdout).unwrap()
        };
        let session = format!("{url}session");
        let token = stage.token(&["--view"]);
        let answer = curl(&["--header", &origin, "--data-raw", &token, &session]);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(
            answer.contains(wanted) && answer.contains("HttpOnly"),
            "{answer}"
        );
        let page = curl(&[&url]);
        let ancestors = match more {
            [] => "frame-ancestors 'none'",
            _ => "frame-ancestors https://app.example",
        };
        assert!(page.contains(ancestors), "{page}");
    }
}

/// Several people watch; one is in control, and the others see who.
#[tokio::test(flavor = "multi_thread")]
async fn several_people_watch_and_one_is_in_control() {
    let server = XServer::start();
    let stage = Stage::start(&server, &[]);
    let mut ada = Browser::start(900, 700).await;
    ada.open(&stage.link("Ada")).await;
    let mut bob = Browser::start(900, 700).await;
    bob.open(&stage.link("Bob")).await;
    for page in [&mut ada, &mut bob] {
        page.until("canvas.width > 100 && !document.getElementById('take').hidden")
            .await;
    }
    ada.click("#take").await;
    ada.until("isMine").await;
    bob.until("holder === 'Ada' && document.getElementById('take').disabled")
        .await;
    bob.value("send({ t: 'take' })").await;
    bob.until("!document.getElementById('toast').hidden").await;
    let witness = Witness::new(&server);
    witness.window((300, 300), (60, 40), 0x0012_7f33);
    witness.round_trip();
    for page in [&mut ada, &mut bob] {
        until_colour(page, (320, 320), "18,127,51").await;
    }
    ada.click("#give").await;
    bob.until("holder === null && !document.getElementById('take').disabled")
        .await;
    bob.click("#take").await;
    bob.until("isMine").await;
    ada.until("holder === 'Bob' && !isMine").await;
}
