//! Waits for the end of a display.

use std::{os::fd::AsFd as _, sync::Arc, time::Duration};

use super::{
    display_name::DisplayName, framing::Purpose, mailbox::Bell, pulse::Pulse, reach::ServerOwner,
    server::Server, trust::Trust,
};
use crate::x11::error::DisplayError;

/// Maximum time for the X server to accept the connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two looks without an event.
const LOOK: Duration = Duration::from_secs(3600);

/// Connects to the display, and returns when the connection ends. Blocks.
///
/// # Errors
///
/// When the display cannot be reached.
pub fn wait_for_end(display: DisplayName) -> Result<(), DisplayError> {
    let bell = Bell::new().map_err(DisplayError::Lost)?;
    let reach = (&ServerOwner::anybody(), &Trust::default());
    let pulse = Arc::new(Pulse::new());
    let server = Server::open(display, PATIENCE, &pulse, reach, Purpose::Screen)?;
    let watch = || -> Result<(), DisplayError> {
        loop {
            let socket = server.conn.stream().as_fd();
            bell.wait(Some(socket), LOOK).map_err(DisplayError::Lost)?;
            while server.next_event()?.is_some() {}
        }
    };
    // How the connection ended makes no difference.
    drop(watch());
    Ok(())
}
