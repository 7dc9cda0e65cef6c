//! The first frame: asks deskd for the screen, and writes it to frame.png.
//!
//! ```sh
//! cargo run --example first_frame -- unix:/run/deskd/deskd.sock
//! cargo run --example first_frame -- exec docker exec -i box deskd bridge
//! ```
//!
//! Over TCP the token is read from the file that `DESKD_TOKEN_FILE` names.

use std::{env, error::Error, fs, time::Duration};

use deskd::{Token, client, v1};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let token = env::var_os("DESKD_TOKEN_FILE").map(|file| Token::read(file.as_ref()));
    let token = token.transpose()?;
    let patience = Duration::from_secs(10);
    let arguments: Vec<String> = env::args().skip(1).collect();
    let connection = match arguments.as_slice() {
        // A provider that gives nothing but exec: its command is the connection.
        [how, program, rest @ ..] if how == "exec" => {
            client::connect_by(program, rest, token.as_ref(), patience).await?
        }
        [address] => client::connect(&address.parse()?, token.as_ref(), None, patience).await?,
        _ => return Err("usage: first_frame ADDRESS | exec PROGRAM ARGUMENT…".into()),
    };
    let mut desktop = client::desktop(connection);
    // Waits until the desktop is painted, within this time.
    let mut request = tonic::Request::new(v1::ScreenshotRequest::default());
    request.set_timeout(Duration::from_secs(60));
    let frame = desktop.screenshot(request).await?.into_inner().frame;
    let frame = frame.ok_or("a reply has a frame")?;
    fs::write("frame.png", &frame.image)?;
    if let Some(failure) = &frame.failure {
        // A picture all the same: hand it to the model, which reads what is wrong.
        return Err(format!("no screen: {} (frame.png says so, too)", failure.message).into());
    }
    let times = frame.timings.unwrap_or_default();
    println!(
        "frame.png: {}x{}, {} bytes, captured in {}, encoded in {}",
        frame.width,
        frame.height,
        frame.image.len(),
        times.capture.unwrap_or_default(),
        times.encode.unwrap_or_default()
    );
    Ok(())
}
