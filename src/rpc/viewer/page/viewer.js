// The viewer's page: draws the screen on a canvas, and sends the person's input.
"use strict";

const byId = (id) => document.getElementById(id);
const canvas = byId("canvas");
const context = canvas.getContext("2d", { alpha: false });
const field = byId("text");

const PART = 1;
const SCREEN = 2;
const CARD = 3;

let socket;
let mayControl = false;
let isMine = false;
let holder = null;
let isFitted = true;
let hasPointer = false;
let retry = 500;
let hasEnded = false;

// --- The link: a token behind #, which is exchanged for a cookie ---

// What the daemon returned for the token. Other ports of the host get the cookie, but not this.
const SECRET = "deskd-viewer";

async function enter() {
  const token = location.hash.slice(1);
  if (token !== "") {
    history.replaceState(null, "", location.pathname);
    const refused = await exchange(token);
    if (refused !== null && !(await isKnown())) return end(refused);
    if (refused !== null) toast(`${refused} The earlier session goes on.`);
  } else if (!(await isKnown())) {
    return end("Ask for a link to this desktop.");
  }
  connect();
}

// Exchanges the token for a session. Returns why it is refused, or null.
async function exchange(token) {
  for (let pause = 500; ; pause *= 2) {
    let reply = null;
    try {
      reply = await fetch("session", { method: "POST", body: token });
    } catch {
      setState("wait", "Connecting…");
    }
    if (reply?.ok) {
      localStorage.setItem(SECRET, await reply.text());
      return null;
    }
    // The token was not used: it is tried again.
    const isLater = reply === null || reply.status === 429 || reply.status >= 500;
    if (!isLater || pause > 16000) return (await reply?.text())?.trim() ?? "No daemon answers.";
    await new Promise((done) => setTimeout(done, pause));
  }
}

async function isKnown() {
  return localStorage.getItem(SECRET) !== null && (await fetch("session")).status !== 401;
}

function end(text) {
  hasEnded = true;
  setState("gone", "Not connected");
  byId("message").textContent = text.charAt(0).toUpperCase() + text.slice(1);
  byId("message").hidden = false;
  byId("screen").hidden = true;
  byId("card").hidden = true;
  setControl(null);
}

// --- The connection ---

function connect() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  socket = new WebSocket(`${scheme}//${location.host}/viewer/socket`);
  socket.binaryType = "arraybuffer";
  const own = socket;
  let work = Promise.resolve();
  socket.onopen = () => send({ t: "open", secret: localStorage.getItem(SECRET) ?? "" });
  socket.onmessage = ({ data }) => {
    if (own !== socket) return;
    // Images are decoded asynchronously, and drawn in the order in which they came.
    const image = typeof data === "string" ? null : decoded(data);
    work = work.then(async () => (image === null ? told(JSON.parse(data)) : draw(await image)));
    work = work.catch((error) => toast(`The page failed: ${error.message}`));
  };
  socket.onclose = async ({ code, reason }) => {
    if (own !== socket || hasEnded) return;
    setControl(null);
    if (code === 4401) return end(reason);
    setState("gone", "Reconnecting…");
    await new Promise((done) => setTimeout(done, retry));
    retry = Math.min(2 * retry, 5000);
    try {
      const known = await fetch("session");
      if (known.status === 401) return end("This session has ended. Ask for a new link.");
      if (known.status === 503) setState("gone", "Too many pages are open. Close one of them.");
    } catch {
      // The daemon is away: the next attempt looks again.
    }
    connect();
  };
}

function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

// --- The screen ---

async function decoded(data) {
  const head = new DataView(data, 0, 17);
  const number = (index) => head.getUint32(1 + 4 * index, true);
  const blob = new Blob([new Uint8Array(data, 17)]);
  const bitmap = await createImageBitmap(blob);
  return { kind: head.getUint8(0), x: number(0), y: number(1), bitmap };
}

function draw({ kind, x, y, bitmap }) {
  if (kind === CARD) {
    const shown = document.createElement("canvas");
    shown.width = bitmap.width;
    shown.height = bitmap.height;
    shown.getContext("2d").drawImage(bitmap, 0, 0);
    byId("card").replaceChildren(shown);
    byId("card").hidden = false;
  } else {
    byId("card").hidden = true;
    canvas.setAttribute("aria-label", "The desktop");
    if (kind === SCREEN && (canvas.width !== bitmap.width || canvas.height !== bitmap.height)) {
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
      layOut();
    }
    if (kind === SCREEN || kind === PART) context.drawImage(bitmap, x, y);
  }
  bitmap.close();
}

function layOut() {
  const view = byId("view").getBoundingClientRect();
  const fit = Math.min(view.width / canvas.width, view.height / canvas.height);
  const scale = isFitted ? fit : 1 / devicePixelRatio;
  canvas.style.width = `${Math.floor(canvas.width * scale)}px`;
  canvas.style.height = `${Math.floor(canvas.height * scale)}px`;
  canvas.style.imageRendering = scale * devicePixelRatio >= 1 ? "pixelated" : "auto";
}

// --- Messages ---

function told(message) {
  switch (message.t) {
    case "end":
      send({ t: "drawn" });
      break;
    case "hello":
      retry = 500;
      mayControl = message.may_control;
      setState("live", "Live");
      setControl(null);
      break;
    case "control":
      setControl(message);
      break;
    case "desktop":
      if (!message.connected) setState("wait", "No desktop");
      else if (!message.painted) setState("wait", "Starting");
      else setState("live", "Live");
      break;
    case "pointer":
      byId("pointer").style.left = `${(100 * (message.x + 0.5)) / canvas.width}%`;
      byId("pointer").style.top = `${(100 * (message.y + 0.5)) / canvas.height}%`;
      hasPointer = true;
      byId("pointer").hidden = isMine;
      break;
    case "clipboard":
      // Only on request: a desktop must not replace what the person has copied.
      byId("cliptext").value = message.text;
      navigator.clipboard?.writeText(message.text).catch(() => {});
      break;
    case "refused":
      toast(message.message);
      break;
    case "card":
      // The image that follows shows it.
      canvas.setAttribute("aria-label", `No picture: ${message.message}`);
      break;
  }
}

function setState(kind, text) {
  document.body.classList.toggle("live", kind === "live");
  document.body.classList.toggle("gone", kind === "gone");
  byId("state").textContent = text;
}

function setControl(control) {
  const wasMine = isMine;
  isMine = control?.is_mine ?? false;
  holder = control?.holder ?? null;
  document.body.classList.toggle("mine", isMine);
  const reason = control?.reason ? `: ${control.reason}` : "";
  byId("holder").textContent =
    holder === null
      ? mayControl
        ? "Nobody is in control"
        : "View only"
      : isMine
        ? `You are in control${reason}`
        : `${holder} (${control.is_person ? "a person" : "an agent"}) is in control${reason}`;
  const isPersons = holder !== null && control.is_person && !isMine;
  byId("take").hidden = !mayControl || isMine || control === null;
  byId("take").disabled = isPersons;
  byId("give").hidden = !isMine;
  byId("keyboard").hidden = byId("clipboard").hidden = !isMine;
  byId("pointer").hidden = isMine || !hasPointer;
  if (isMine && !wasMine) focusScreen();
  if (!isMine) {
    fingers.clear();
    stopPressing();
    buttons = 0;
  }
}

// Keys and input methods go to the hidden field. On a phone it would open the keyboard.
const isTouch = matchMedia("(pointer: coarse)").matches;
function focusScreen() {
  (isTouch ? canvas : field).focus({ preventScroll: true });
}

let toasting;
function toast(text) {
  // A dialog lies above the rest of the page.
  (byId("clip").open ? byId("clip") : document.body).append(byId("toast"));
  byId("toast").textContent = text;
  byId("toast").hidden = false;
  clearTimeout(toasting);
  toasting = setTimeout(() => (byId("toast").hidden = true), 4000);
}

// --- The pointer ---

function pixel({ clientX, clientY }) {
  const shown = canvas.getBoundingClientRect();
  const at = (offset, length, pixels) =>
    Math.max(0, Math.min(pixels - 1, Math.floor((offset * pixels) / length)));
  return {
    x: at(clientX - shown.left, shown.width, canvas.width),
    y: at(clientY - shown.top, shown.height, canvas.height),
  };
}

let moved = null;
function move(event) {
  // One movement for each frame of the display.
  if (moved === null) {
    requestAnimationFrame(() => {
      if (moved !== null && isMine) send({ t: "move", ...moved });
      moved = null;
    });
  }
  moved = pixel(event);
}

// Fingers: a tap clicks, a long press is the right button, one finger drags, two turn the wheel.
const fingers = new Map();
let pressing = null;

canvas.addEventListener("pointerdown", (event) => {
  if (!isMine) return;
  event.preventDefault();
  canvas.setPointerCapture(event.pointerId);
  if (event.pointerType !== "touch") {
    focusScreen();
    press(event);
    return;
  }
  fingers.set(event.pointerId, { start: event, last: event });
  if (fingers.size === 1) {
    pressing = { isDown: false, timer: setTimeout(() => longPress(event), 600) };
  } else {
    // The second finger ends what the first one drags.
    if (pressing?.isDown) send({ t: "up", button: 0, ...pixel(event) });
    stopPressing();
  }
});

// Sends the buttons that have changed. Only the first press and the last release are events of their
// own; the others are movements. The bits of `buttons` are left, right, middle, back and forward.
let buttons = 0;
function press(event) {
  const numbers = [0, 2, 1, 3, 4];
  moved = null;
  numbers.forEach((button, bit) => {
    const [was, is] = [(buttons >> bit) & 1, (event.buttons >> bit) & 1];
    if (was !== is) send({ t: is ? "down" : "up", button, ...pixel(event) });
  });
  buttons = event.buttons;
}

function longPress(event) {
  if (pressing === null || pressing.isDown) return;
  pressing = null;
  send({ t: "down", button: 2, ...pixel(event) });
  send({ t: "up", button: 2, ...pixel(event) });
}

function stopPressing() {
  if (pressing === null) return;
  clearTimeout(pressing.timer);
  pressing = null;
}

canvas.addEventListener("pointermove", (event) => {
  if (!isMine) return;
  const finger = fingers.get(event.pointerId);
  if (finger === undefined) return event.buttons === buttons ? move(event) : press(event);
  const { start, last } = finger;
  if (fingers.size === 2) {
    const turn = (from, to) => Math.trunc((from - to) / 24);
    const [dx, dy] = [turn(last.clientX, event.clientX), turn(last.clientY, event.clientY)];
    if (dx === 0 && dy === 0) return;
    finger.last = event;
    send({ t: "wheel", dx, dy, ...pixel(start) });
    return;
  }
  const far = Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY) > 8;
  if (pressing !== null && !pressing.isDown && far) {
    clearTimeout(pressing.timer);
    pressing.isDown = true;
    send({ t: "down", button: 0, ...pixel(start) });
  }
  if (pressing?.isDown) move(event);
});

canvas.addEventListener("pointerup", (event) => {
  if (!isMine) return;
  event.preventDefault();
  moved = null;
  if (!fingers.delete(event.pointerId)) return press(event);
  if (pressing === null) return;
  clearTimeout(pressing.timer);
  if (!pressing.isDown) send({ t: "down", button: 0, ...pixel(event) });
  send({ t: "up", button: 0, ...pixel(event) });
  pressing = null;
});

canvas.addEventListener("pointercancel", (event) => {
  if (fingers.delete(event.pointerId) && pressing?.isDown) {
    send({ t: "up", button: 0, ...pixel(event) });
  }
  if (event.pointerType !== "touch" && buttons !== 0) press(event);
  stopPressing();
});

canvas.addEventListener("contextmenu", (event) => event.preventDefault());
canvas.addEventListener("auxclick", (event) => event.preventDefault());

let wheel = { dx: 0, dy: 0 };
canvas.addEventListener(
  "wheel",
  (event) => {
    if (!isMine) return;
    event.preventDefault();
    // A notch is 100 pixels, 3 lines or a third of a page.
    const unit = [1 / 100, 1 / 3, 3][event.deltaMode];
    wheel.dx += event.deltaX * unit;
    wheel.dy += event.deltaY * unit;
    const [dx, dy] = [Math.trunc(wheel.dx), Math.trunc(wheel.dy)];
    if (dx === 0 && dy === 0) return;
    wheel = { dx: wheel.dx - dx, dy: wheel.dy - dy };
    const held = { ctrlKey: "ctrl", altKey: "alt", shiftKey: "shift" };
    const keys = Object.keys(held).filter((name) => event[name]);
    send({ t: "wheel", dx, dy, keys: keys.map((name) => held[name]), ...pixel(event) });
  },
  { passive: false },
);

// --- The keyboard: characters are typed as characters, so that the layout here does not matter ---

const NAMED = {
  Enter: "Return", Tab: "Tab", Escape: "Escape", Backspace: "BackSpace", Delete: "Delete",
  Insert: "Insert", Home: "Home", End: "End", PageUp: "Page_Up", PageDown: "Page_Down",
  ArrowLeft: "Left", ArrowRight: "Right", ArrowUp: "Up", ArrowDown: "Down",
  ContextMenu: "Menu", PrintScreen: "Print", Pause: "Pause",
};

function nameOf(event) {
  if (/^F\d{1,2}$/.test(event.key)) return event.key;
  if (event.key in NAMED) return NAMED[event.key];
  if (event.key === " ") return "space";
  if ([...event.key].length !== 1) return null;
  // With a modifier, the key as it is written without one; so Ctrl+C works in a Cyrillic layout, too.
  const code = /^(?:Key|Digit)(.)$/.exec(event.code)?.[1].toLowerCase();
  return event.key.codePointAt(0) < 128 ? event.key.toLowerCase() : (code ?? event.key);
}

function pressed(event) {
  if (!isMine || event.isComposing || event.key === "Process" || event.key === "Dead") return;
  if (byId("clip").open) return;
  const isText = [...event.key].length === 1;
  // AltGr makes characters.
  const isAltGr = event.getModifierState("AltGraph");
  const hasChord = (event.ctrlKey || event.altKey || event.metaKey) && !isAltGr;
  if (isText && !hasChord) {
    event.preventDefault();
    send({ t: "type", text: event.key });
    return;
  }
  if (["Control", "Shift", "Alt", "Meta", "AltGraph", "CapsLock"].includes(event.key)) return;
  const name = nameOf(event);
  if (name === null) return;
  event.preventDefault();
  const keys = [];
  if (event.ctrlKey && !isAltGr) keys.push("ctrl");
  if (event.altKey && !isAltGr) keys.push("alt");
  if (event.metaKey) keys.push("super");
  if (event.shiftKey && (!isText || hasChord)) keys.push("shift");
  send({ t: "chord", keys: [...keys, name] });
}

canvas.addEventListener("keydown", pressed);
field.addEventListener("keydown", pressed);
// Keyboards of phones, and input methods.
field.addEventListener("input", (event) => {
  if (event.isComposing) return;
  if (event.inputType === "deleteContentBackward") send({ t: "chord", keys: ["BackSpace"] });
  else if (event.inputType === "insertLineBreak") send({ t: "chord", keys: ["Return"] });
  else if (field.value !== "") send({ t: "type", text: field.value });
  field.value = "";
});
field.addEventListener("compositionend", () => {
  if (field.value !== "") send({ t: "type", text: field.value });
  field.value = "";
});

// --- Buttons ---

byId("take").onclick = () => send({ t: "take" });
byId("give").onclick = () => send({ t: "give" });
byId("keyboard").onclick = () => field.focus({ preventScroll: true });
byId("clipboard").onclick = () => byId("clip").showModal();
byId("clip").addEventListener("close", focusScreen);
byId("fetch").onclick = () => send({ t: "copy" });
byId("paste").onclick = () => {
  const text = byId("cliptext").value;
  // A message has at most 256 KiB, with its escapes.
  if (new Blob([JSON.stringify(text)]).size > 250 * 1024) {
    return toast("The text is too long: paste at most 250 KiB at a time");
  }
  send({ t: "paste", text });
  byId("clip").close();
};
byId("fit").onclick = () => {
  isFitted = !isFitted;
  byId("fit").setAttribute("aria-pressed", String(isFitted));
  layOut();
  if (isMine) focusScreen();
};
byId("full").onclick = () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen().catch((error) => toast(error.message));
};
new ResizeObserver(layOut).observe(byId("view"));
addEventListener("hashchange", () => location.hash !== "" && location.reload());

enter().catch((error) => end(`No connection: ${error.message}`));
