//! The main job on real input: a painted XFCE desktop, as scrot sees it.

use crate::common::{
    Daemon, Image, XServer,
    daemon::{painted, raw, raw_image},
    desktop::Xfce,
    program,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_painted_desktop_is_captured_as_scrot_sees_it() {
    let server = XServer::start();
    let _desktop = Xfce::xfce(&server);
    let daemon = Daemon::with(&server, &["--profile", "xfce"]);
    let mut client = daemon.client().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scrot.png");
    // The clock may tick between the two: then once more.
    for attempt in 0.. {
        let frame = painted(&mut client, raw()).await;
        program::output(
            server.program("scrot").arg("--overwrite").arg(&file),
            "scrot",
        );
        let differing = Image::from_frame(&frame).differing(&Image::read(&file));
        if differing == 0 {
            break;
        }
        assert!(attempt < 3, "{differing} pixels differ from scrot's");
    }
    // Lossless and no larger than scrot's.
    let png = painted(&mut client, deskd::v1::ScreenshotRequest::default()).await;
    let scrot = std::fs::metadata(&file).unwrap().len();
    assert!(
        png.image.len() as u64 <= scrot,
        "{} > {scrot}",
        png.image.len()
    );
}

/// XFCE's panel draws its clock's text clipped, and corrects that 1.4 to 1.7 s later: READY
/// comes after the correction.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_frame_is_the_final_one() {
    let minute = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.unwrap().as_secs() / 60
    };
    loop {
        let server = XServer::start();
        let _desktop = Xfce::xfce(&server);
        let daemon = Daemon::with(&server, &["--profile", "xfce"]);
        let mut client = daemon.client().await;
        let request = deskd::v1::ScreenshotRequest {
            capture: Some(deskd::v1::CaptureOptions {
                include_cursor: Some(false),
                ..raw_image()
            }),
            ..raw()
        };
        let began = minute();
        let first = painted(&mut client, request.clone()).await;
        tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
        let later = painted(&mut client, request).await;
        // The clock may tick between the two: then once more.
        if minute() == began {
            let (first, later) = (Image::from_frame(&first), Image::from_frame(&later));
            assert_eq!(first.differing(&later), 0);
            return;
        }
    }
}
