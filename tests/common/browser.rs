//! A headless Chromium, driven over the Chrome DevTools Protocol.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use super::{program, wait_for};

/// A browser with one page.
pub struct Browser {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: String,
    calls: u64,
    _process: program::Running,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts a browser whose page has this size.
    pub async fn start(width: u32, height: u32) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::new("chromium");
        command
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--remote-debugging-port=0",
            ])
            .args([
                "--no-first-run",
                "--disable-extensions",
                "--disable-background-networking",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("--window-size={width},{height}"))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = program::spawn(&mut command, "chromium");
        let file = profile.path().join("DevToolsActivePort");
        let address = wait_for("the browser's port", Duration::from_secs(30), || {
            let text = std::fs::read_to_string(&file).ok()?;
            let (port, path) = text.split_once('\n')?;
            (!path.is_empty()).then(|| format!("ws://127.0.0.1:{port}{path}"))
        });
        let (socket, _) = connect_async(&address).await.unwrap();
        let mut browser = Self {
            socket,
            session: String::new(),
            calls: 0,
            _process: process,
            _profile: profile,
        };
        let page = json!({"url": "about:blank"});
        let page = browser.call("Target.createTarget", page).await;
        let attach = json!({"targetId": page["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", attach).await;
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        browser.call("Page.enable", json!({})).await;
        browser.call("Runtime.enable", json!({})).await;
        browser.size(width, height, false).await;
        browser
    }

    /// Makes a call of the protocol, and returns its result.
    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut message = json!({"id": self.calls, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let text = Message::text(message.to_string());
        self.socket.send(text).await.unwrap();
        loop {
            let answer = tokio::time::timeout(Duration::from_secs(30), self.socket.next());
            let answer = answer.await.expect("the browser answers").unwrap().unwrap();
            let answer: Value = serde_json::from_str(answer.to_text().unwrap()).unwrap();
            if answer["id"] == self.calls {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    /// Sets the size of the page, and whether it is that of a phone.
    pub async fn size(&mut self, width: u32, height: u32, is_phone: bool) {
        let metrics = json!({
            "width": width, "height": height, "mobile": is_phone,
            "deviceScaleFactor": if is_phone { 2 } else { 1 },
        });
        self.call("Emulation.setDeviceMetricsOverride", metrics)
            .await;
        let touch = json!({"enabled": is_phone, "maxTouchPoints": if is_phone { 5 } else { 1 }});
        self.call("Emulation.setTouchEmulationEnabled", touch).await;
    }

    /// Opens an address.
    pub async fn open(&mut self, url: &str) {
        // A change of the fragment alone would not load the page again.
        self.call("Page.navigate", json!({"url": "about:blank"}))
            .await;
        self.call("Page.navigate", json!({"url": url})).await;
    }

    /// Evaluates an expression, and returns its value.
    pub async fn value(&mut self, expression: &str) -> Value {
        let params = json!({
            "expression": expression, "returnByValue": true, "awaitPromise": true,
        });
        let result = self.call("Runtime.evaluate", params).await;
        assert!(
            result["exceptionDetails"].is_null(),
            "{expression}: {result}"
        );
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub async fn until(&mut self, expression: &str) {
        let start = Instant::now();
        // While the page loads, its names are not there.
        let tried =
            format!("(() => {{ try {{ return !!({expression}); }} catch {{ return false; }} }})()");
        while self.value(&tried).await != json!(true) {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "{expression}: {}",
                self.page().await
            );
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// The text that the page shows.
    pub async fn page(&mut self) -> String {
        let text = self
            .value("document.body ? document.body.innerText : ''")
            .await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Clicks an element of the page.
    pub async fn click(&mut self, selector: &str) {
        let expression = format!("document.querySelector({}).click()", json!(selector));
        self.value(&expression).await;
    }

    /// Sends an event of the mouse.
    pub async fn mouse(&mut self, kind: &str, (x, y): (f64, f64), button: &str) {
        let params = json!({
            "type": kind, "x": x, "y": y, "button": button, "clickCount": 1,
            "buttons": i32::from(kind == "mousePressed"),
        });
        self.call("Input.dispatchMouseEvent", params).await;
    }

    /// Presses a key that makes this text, if it makes one.
    pub async fn key(&mut self, key: &str, code: &str, modifiers: u32) {
        let has_text = key.chars().count() == 1 && modifiers == 0;
        let text = if has_text { key } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let params = json!({
                "type": kind, "key": key, "code": code, "modifiers": modifiers,
                "text": if kind == "keyDown" { text } else { "" },
            });
            self.call("Input.dispatchKeyEvent", params).await;
        }
    }

    /// Takes a picture of the page.
    pub async fn picture(&mut self, path: &Path) {
        let result = self
            .call("Page.captureScreenshot", json!({"format": "png"}))
            .await;
        let png = BASE64_STANDARD
            .decode(result["data"].as_str().unwrap())
            .unwrap();
        std::fs::write(path, png).unwrap();
    }
}
