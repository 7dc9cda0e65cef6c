//! `make bench-fitted`: what a fitted picture costs by what changed, beside the native one, on a
//! screen of 1920×1080 with XFCE; and two kinds of picture in turns. Writes
//! `target/bench/fitted.json`.

#![allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

mod common;

use std::{fs, time::Instant};

use common::{
    Daemon, Witness, XServer,
    daemon::screen,
    desktop::{Session, Xfce},
};
use deskd::{client, v1};
use serde_json::{Value, json};

const SIZE: (u16, u16) = (1920, 1080);
const ROUNDS: usize = 25;
/// The columns and rows that change before a call.
const CHANGES: [(&str, (u16, u16)); 5] = [
    ("nothing", (0, 0)),
    ("caret", (2, 16)),
    ("character", (9, 18)),
    ("menu", (220, 300)),
    ("whole", SIZE),
];
const FORMATS: [(&str, v1::ImageFormat); 4] = [
    ("PNG", v1::ImageFormat::Png),
    ("JPEG", v1::ImageFormat::Jpeg),
    ("WebP", v1::ImageFormat::Webp),
    ("raw", v1::ImageFormat::RawBgrx),
];

type Client = client::DesktopClient<client::Connection>;

#[tokio::main]
async fn main() {
    let server = XServer::with_screen(&format!("{}x{}x24", SIZE.0, SIZE.1), &["-ac"]);
    let desktop = Xfce::xfce(&server);
    let daemon = Daemon::with(&server, &[]);
    let ready = daemon.cli(&["ready", "--timeout", "90s", "--profile", "xfce"]);
    assert!(ready.status.success(), "{ready:?}");
    let witness = Witness::new(&server);
    let mut client = daemon.client().await;
    let mut cells = Vec::new();
    println!("1920x1080, XFCE: ms (p50) of the native picture, and of one fitted to 1280x720");
    for (format, wire) in FORMATS {
        let [native, fitted] = [None, Some(1280)].map(|side| request(wire, side));
        for (what, part) in CHANGES {
            let times = [
                times(&mut client, &witness, part, &[&native]).await,
                times(&mut client, &witness, part, &[&fitted]).await,
            ];
            // A picture of the whole in turns with one of a part at full size.
            let zoom = v1::ScreenshotRequest {
                capture: Some(v1::CaptureOptions {
                    region: Some(v1::Region {
                        x: Some(640),
                        y: Some(300),
                        width: 640,
                        height: 400,
                    }),
                    ..native.capture.clone().unwrap()
                }),
                ..v1::ScreenshotRequest::default()
            };
            let mixed = self::times(&mut client, &witness, part, &[&fitted, &zoom]).await;
            let [native, fitted] = times;
            println!(
                "{format:<5} {what:<10} native {native:7.2}  fitted {fitted:7.2}  \
                 (2 × native + 1: {:6.2})  fitted and zoom {mixed:7.2}",
                2.0 * native + 1.0
            );
            cells.push(json!({
                "format": format, "change": what, "native_ms": native, "fitted_ms": fitted,
                "fitted_and_zoom_ms": mixed,
            }));
        }
    }
    fs::create_dir_all("target/bench").unwrap();
    let report = serde_json::to_vec_pretty(&Value::from(cells)).unwrap();
    fs::write("target/bench/fitted.json", report).unwrap();
    drop(desktop);
}

fn request(format: v1::ImageFormat, side: Option<u32>) -> v1::ScreenshotRequest {
    let fit = side.map(|side| {
        v1::capture_options::Scale::Fit(v1::Fit {
            max_side: Some(side),
            ..v1::Fit::default()
        })
    });
    v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            format: format.into(),
            include_cursor: Some(false),
            max_image_bytes: Some(64 << 20),
            scale: fit,
            ..v1::CaptureOptions::default()
        }),
        ..v1::ScreenshotRequest::default()
    }
}

/// The median time of the requests together, after a change of that many columns and rows.
async fn times(
    client: &mut Client,
    witness: &Witness,
    part: (u16, u16),
    requests: &[&v1::ScreenshotRequest],
) -> f64 {
    for request in requests {
        screen(client, (*request).clone()).await;
    }
    let middle = |side: u16, part: u16| i16::try_from((side - part) / 2).unwrap();
    let at = (middle(SIZE.0, part.0), middle(SIZE.1, part.1));
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        if part.0 > 0 {
            witness.shake(at, part, 0);
        }
        let began = Instant::now();
        for request in requests {
            screen(client, (*request).clone()).await;
        }
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
