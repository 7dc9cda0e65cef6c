//! The tools that a host sees. They have the names and arguments of Anthropic's computer tool, on
//! which models are trained. `screenshot` and `zoom` are tools of their own as well: hosts ask a
//! person before a tool that changes something, and these change nothing.

use deskd_mcp::{Arguments, ToolSpec};
use serde_json::{Value, json};

/// Description of the server, which a host may give to its model.
pub(super) const INSTRUCTIONS: &str = "These tools see and control a Linux desktop. Coordinates \
    are pixels of the last screenshot, from its top left corner. Each action of `computer` waits \
    until the screen has settled, and returns a new screenshot. If an image says that the screen \
    could not be captured, it is not the screen.";

/// The actions of the tool `computer`.
pub(super) const ACTIONS: [&str; 17] = [
    "key",
    "hold_key",
    "type",
    "cursor_position",
    "mouse_move",
    "left_mouse_down",
    "left_mouse_up",
    "left_click",
    "left_click_drag",
    "right_click",
    "middle_click",
    "double_click",
    "triple_click",
    "scroll",
    "wait",
    "screenshot",
    "zoom",
];

/// The operations of the tool `window`.
pub(super) const OPERATIONS: [&str; 5] = ["activate", "close", "minimize", "maximize", "restore"];

/// Returns all tools. `is_shared`: several callers use them, so a point names its screenshot.
pub(super) fn all(is_shared: bool) -> Vec<ToolSpec> {
    let id = json!({
        "type": "string",
        "description": "The screenshot_id of the screenshot to which coordinates refer. Required with \
            coordinates and regions.",
    });
    let named = |mut properties: Value| {
        if let Some(fields) = properties.as_object_mut().filter(|_| is_shared) {
            fields.insert("screenshot_id".into(), id.clone());
        }
        properties
    };
    let region = json!({
        "type": "array", "items": {"type": "integer"}, "minItems": 4, "maxItems": 4,
        "description": "[x0, y0, x1, y1]: the part to show, in pixels of the last screenshot.",
    });
    let point = |what: &str| {
        json!({
            "type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2,
            "description": format!("[x, y]: {what}, in pixels of the last screenshot."),
        })
    };
    let computer = object(
        named(json!({
            "action": {"type": "string", "enum": ACTIONS, "description": "What to do."},
            "coordinate": point("where to act; without it, where the pointer is"),
            "start_coordinate": point("where `left_click_drag` begins"),
            "text": {"type": "string", "description": "For `type`: the text. For `key` and \
                `hold_key`: the keys, such as ctrl+s. For clicks, drags and scrolls: keys to hold \
                meanwhile."},
            "repeat": {"type": "integer", "minimum": 1, "maximum": 100,
                "description": "For `key`: how often to press it."},
            "duration": {"type": "number", "minimum": 0, "maximum": 300,
                "description": "For `wait` and `hold_key`: seconds."},
            "scroll_direction": {"type": "string", "enum": ["up", "down", "left", "right"]},
            "scroll_amount": {"type": "integer", "minimum": 0, "maximum": 1000,
                "description": "For `scroll`: notches of the wheel."},
            "region": region,
        })),
        &["action"],
    );
    vec![
        ToolSpec {
            name: "computer",
            title: "Use the desktop",
            description: "Performs one action with the mouse or keyboard of a Linux desktop, waits \
                until the screen has settled, and returns a screenshot.",
            schema: computer,
            is_read_only: false,
        },
        ToolSpec {
            name: "screenshot",
            title: "Take a screenshot",
            description: "Takes a screenshot of the desktop. Changes nothing.",
            schema: object(json!({}), &[]),
            is_read_only: true,
        },
        ToolSpec {
            name: "zoom",
            title: "Look closer",
            description: "Shows a part of the screen at full resolution, enlarged. Coordinates \
                stay those of the last screenshot. Changes nothing.",
            schema: object(named(json!({ "region": region })), &["region"]),
            is_read_only: true,
        },
        ToolSpec {
            name: "list_windows",
            title: "List the windows",
            description: "Lists the windows of the desktop, the topmost first: id, state, program \
                and title. Changes nothing.",
            schema: object(json!({}), &[]),
            is_read_only: true,
        },
        ToolSpec {
            name: "window",
            title: "Change a window",
            description: "Brings a window to the front, or closes, minimizes, maximizes or restores \
                it. Says what became of it, and returns a screenshot.",
            schema: object(
                json!({
                    "operation": {"type": "string", "enum": OPERATIONS},
                    "window": {"type": "string", "description": "Its id, as list_windows returns \
                        it, or a part of its title that no other window has."},
                }),
                &["operation", "window"],
            ),
            is_read_only: false,
        },
        ToolSpec {
            name: "wait_for_window",
            title: "Wait for a window",
            description: "Waits until a window with this title is on the screen, or until none is, \
                and returns a screenshot. Changes nothing.",
            schema: object(
                json!({
                    "title": {"type": "string", "description": "A part of the title."},
                    "gone": {"type": "boolean", "description": "Wait until no such window is there."},
                    "seconds": {"type": "number", "minimum": 0, "maximum": 300,
                        "description": "How long to wait; 10 if it is not given."},
                }),
                &["title"],
            ),
            is_read_only: true,
        },
        ToolSpec {
            name: "launch",
            title: "Start a program",
            description: "Starts a program on the desktop, or opens a URI or a file with the \
                preferred program, waits for its window, and returns a screenshot.",
            schema: object(
                json!({
                    "command": {"type": "array", "items": {"type": "string"}, "minItems": 1,
                        "description": "The program and its arguments. No shell reads them."},
                    "open": {"type": "string", "description": "In place of command: a URI, such as \
                        https://example.com/, or the absolute path of a file."},
                }),
                &[],
            ),
            is_read_only: false,
        },
        ToolSpec {
            name: "read_clipboard",
            title: "Read the clipboard",
            description: "Returns the text of the clipboard. Changes nothing.",
            schema: object(json!({}), &[]),
            is_read_only: true,
        },
        ToolSpec {
            name: "write_clipboard",
            title: "Replace the clipboard",
            description: "Replaces the content of the clipboard by a text.",
            schema: object(json!({ "text": {"type": "string"} }), &["text"]),
            is_read_only: false,
        },
    ]
}

/// The schema of an object with these properties and no others.
fn object(properties: Value, required: &[&str]) -> Arguments {
    let mut schema = Arguments::new();
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), properties);
    if !required.is_empty() {
        schema.insert("required".into(), json!(required));
    }
    schema.insert("additionalProperties".into(), false.into());
    schema
}
