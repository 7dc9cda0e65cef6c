//! Images as independent decoders see them: the crate `png`, libpng and Pillow agree on
//! each pixel, also of frames that were made by parts.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use deskd::v1;

use crate::common::{
    Daemon, Image, Witness, XServer,
    daemon::{raw, raw_image, screen},
    drawing::{Numbers, draw},
};

const PILLOW: &str = "
import io, sys
from PIL import Image
image = Image.open(io.BytesIO(sys.stdin.buffer.read()))
image.load()
assert image.mode == 'RGB', image.mode
sys.stdout.buffer.write(image.tobytes())
";

/// libpng, through GDK's pixbuf.
const LIBPNG: &str = "
import sys
import gi
gi.require_version('GdkPixbuf', '2.0')
from gi.repository import GdkPixbuf
loader = GdkPixbuf.PixbufLoader.new_with_type('png')
loader.write(sys.stdin.buffer.read())
loader.close()
image = loader.get_pixbuf()
assert image.get_n_channels() == 3 and image.get_bits_per_sample() == 8
pixels, row = image.get_pixels(), image.get_rowstride()
for y in range(image.get_height()):
    sys.stdout.buffer.write(pixels[y * row:y * row + 3 * image.get_width()])
";

/// Decodes by a script, into RGB.
fn decode(script: &str, image: &[u8]) -> Vec<u8> {
    let mut python = Command::new("/usr/bin/python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = python.stdin.take().unwrap();
    let bytes = image.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    writer.join().unwrap().unwrap();
    output.stdout
}

fn request(format: v1::ImageFormat) -> v1::ScreenshotRequest {
    v1::ScreenshotRequest {
        capture: Some(v1::CaptureOptions {
            format: format.into(),
            ..raw_image()
        }),
        ..raw()
    }
}

#[tokio::test]
async fn three_decoders_agree_on_every_png() {
    let size = (500, 331);
    let server = XServer::with_screen("500x331x24", &[]);
    let witness = Witness::new(&server);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let mut numbers = Numbers(3);
    let mut windows = vec![witness.window((5, 5), (40, 30), 0xff_0000)];
    for round in 0..12_u32 {
        match round {
            0 => {}
            1 => drop(witness.draw_pattern(9)),
            _ => {
                for _ in 0..3 {
                    draw(&witness, &mut windows, &mut numbers, size);
                }
            }
        }
        let mut asked = request(v1::ImageFormat::Png);
        if round % 4 == 3 {
            let size = v1::Size {
                width: 233,
                height: 170,
            };
            let capture = asked.capture.get_or_insert_default();
            capture.scale = Some(v1::capture_options::Scale::Size(size));
        }
        let frame = screen(&mut client, asked).await;
        let image = Image::from_frame(&frame);
        if round % 4 != 3 {
            assert_eq!(image, witness.capture());
        }
        for script in [PILLOW, LIBPNG] {
            assert!(decode(script, &frame.image) == image.rgb(), "round {round}");
        }
    }
}

/// A JPEG of parts is a JPEG to both decoders, and near the screen; WebP is the screen.
#[tokio::test]
async fn jpeg_and_webp_are_read_by_others() {
    let server = XServer::with_screen("500x331x24", &[]);
    let witness = Witness::new(&server);
    let daemon = Daemon::start(&server);
    let mut client = daemon.client().await;
    let mut numbers = Numbers(5);
    let mut windows = vec![witness.window((5, 5), (40, 30), 0xff_0000)];
    for round in 0..6 {
        for _ in 0..=round {
            draw(&witness, &mut windows, &mut numbers, (500, 331));
        }
        let now = witness.capture();
        let webp = screen(&mut client, request(v1::ImageFormat::Webp)).await;
        assert_eq!(webp.format(), v1::ImageFormat::Webp);
        assert!(decode(PILLOW, &webp.image) == now.rgb(), "round {round}");
        for quality in [85, 95] {
            let asked = v1::ScreenshotRequest {
                capture: Some(v1::CaptureOptions {
                    quality: Some(quality),
                    ..request(v1::ImageFormat::Jpeg)
                        .capture
                        .clone()
                        .unwrap_or_default()
                }),
                ..request(v1::ImageFormat::Jpeg)
            };
            let jpeg = screen(&mut client, asked).await;
            let (ours, theirs) = (Image::from_frame(&jpeg), decode(PILLOW, &jpeg.image));
            let mean = |a: &[u8], b: &[u8]| {
                let sum: u64 = a
                    .iter()
                    .zip(b)
                    .map(|(a, b)| u64::from(a.abs_diff(*b)))
                    .sum();
                sum as f64 / a.len() as f64
            };
            assert_eq!(theirs.len(), now.rgb().len());
            // They interpolate colours differently, and both lose a little.
            assert!(mean(ours.rgb(), &theirs) < 2.0, "round {round}");
            assert!(mean(&theirs, now.rgb()) < 3.0, "round {round}");
        }
    }
}
