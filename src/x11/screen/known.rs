//! The screen as it was last seen.

use x11rb::protocol::xproto::Window;

use crate::x11::{
    connection::server::Server,
    error::DisplayError,
    screen::{root_state, root_state::Generation},
};
use crate::{facts::Profile, frame::Size};

/// The screen as it was last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::x11) struct KnownScreen {
    pub(in crate::x11) size: Size,
    pub(in crate::x11) generation: Generation,
    pub(in crate::x11) epoch: u64,
    pub(in crate::x11) proof: Option<Profile>,
}

impl KnownScreen {
    /// Whether that is of the same server at the same size.
    pub(in crate::x11) fn is_the_screen_of(&self, other: &Self) -> bool {
        (self.generation, self.epoch, self.size) == (other.generation, other.epoch, other.size)
    }

    /// Reads all of it, and the windows that carry the proof.
    pub(in crate::x11) fn read(server: &Server) -> Result<(Self, Vec<Window>), DisplayError> {
        let state = root_state::identify(server)?;
        let (proof, windows) = state
            .proof
            .map(|proof| (proof.profile, proof.windows))
            .unzip();
        let known = Self {
            size: state.size,
            generation: state.generation,
            epoch: state.epoch,
            proof,
        };
        Ok((known, windows.unwrap_or_default()))
    }
}
