//! The size, identity and paint proof of the screen, as last read.

use x11rb::protocol::xproto::Window;

use crate::x11::{
    connection::server::Server,
    error::DisplayError,
    screen::{root_state, root_state::Generation},
};
use crate::{facts::Profile, frame::Size};

/// The size, identity and paint proof of the screen, as last read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::x11) struct KnownScreen {
    pub(in crate::x11) size: Size,
    pub(in crate::x11) generation: Generation,
    pub(in crate::x11) epoch: u64,
    pub(in crate::x11) proof: Option<Profile>,
}

impl KnownScreen {
    /// Whether `other` has the same server generation, geometry epoch and size.
    pub(in crate::x11) fn is_the_screen_of(&self, other: &Self) -> bool {
        (self.generation, self.epoch, self.size) == (other.generation, other.epoch, other.size)
    }

    /// Reads these properties, and the windows that carry the paint proof.
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
