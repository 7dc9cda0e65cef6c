//! The identity that deskd keeps in the root window's state property `_DESKD_STATE`. It survives
//! reconnects and restarts of deskd, and ends with the X server.

use std::fmt;

use x11rb::{
    connection::Connection as _,
    errors::ReplyError,
    protocol::xproto::{
        Atom, AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, EventMask, InternAtomReply,
        PropMode, Window,
    },
    wrapper::ConnectionExt as _,
};

use crate::x11::{
    connection::server::{Server, XConnection},
    error::DisplayError,
};
use crate::{facts::Profile, frame::Size};

/// Name of the state property on the root window, of type STRING.
const PROPERTY: &[u8] = b"_DESKD_STATE";
/// Name of the property on each window that carries the paint proof.
const MARK: &[u8] = b"_DESKD_PROVED";
/// Maximum number of windows that carry the paint proof.
const MAX_WINDOWS: usize = 8;

/// Identity of one X server process: 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generation(u128);

#[cfg(test)]
impl Generation {
    /// Creates a generation for tests without an X server.
    pub(crate) fn of(number: u128) -> Self {
        Self(number)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The content of the state property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::x11) struct RootState {
    pub(in crate::x11) generation: Generation,
    /// Rises by one with each resize, from 1.
    pub(in crate::x11) epoch: u64,
    /// The size of the screen in that epoch.
    pub(in crate::x11) size: Size,
    /// The paint proof for that size.
    pub(in crate::x11) proof: Option<Proven>,
}

/// A paint proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::x11) struct Proven {
    pub(in crate::x11) profile: Profile,
    /// The windows that carry the proof. Each has the property `_DESKD_PROVED`, which ends with its
    /// window. So a window that reuses the id does not carry the proof.
    pub(in crate::x11) windows: Vec<Window>,
}

impl RootState {
    /// Maximum epoch. Another program wrote a larger one, to hide resizes.
    const MAX_EPOCH: u64 = 1 << 53;

    fn write(&self) -> String {
        let state = format!("1 {} {} {}", self.generation, self.epoch, self.size);
        let Some(proof) = &self.proof else {
            return state;
        };
        let windows = proof.windows.iter().map(|window| format!(" {window:x}"));
        windows.fold(format!("{state} {}", proof.profile), |text, window| {
            text + &window
        })
    }

    /// Returns `None` for any text that deskd would not write: every program of the session can
    /// change the property.
    fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let mut words = text.split(' ');
        let (version, generation) = (words.next()?, words.next()?);
        let (epoch, size) = (words.next()?, words.next()?);
        let (width, height) = size.split_once('x')?;
        let profile = match words.next() {
            None => None,
            Some("xfce") => Some(Profile::Xfce),
            Some("any") => Some(Profile::Any),
            Some(_) => return None,
        };
        let windows = words.map(|word| u32::from_str_radix(word, 16).ok());
        let windows: Option<Vec<Window>> = windows.take(MAX_WINDOWS + 1).collect();
        let windows = windows.filter(|list| list.len() <= MAX_WINDOWS)?;
        let state = Self {
            generation: Generation(u128::from_str_radix(generation, 16).ok()?),
            epoch: epoch.parse().ok()?,
            size: Size {
                width: width.parse().ok()?,
                height: height.parse().ok()?,
            },
            proof: profile.map(|profile| Proven { profile, windows }),
        };
        // Writing the state must produce the same text. This rejects signs and leading zeros.
        (version == "1" && state.epoch <= Self::MAX_EPOCH && state.write() == text).then_some(state)
    }
}

/// Reads the screen's current size and the state kept with it, or creates a state. Increments the
/// epoch if the size has changed, and drops the paint proof if all its windows have been destroyed.
///
/// All connections agree on one generation and epoch, because the server is grabbed from reading
/// the size to writing the state. A size that was read before a resize of another connection would
/// count as a second resize, of which that connection never learns.
pub(in crate::x11) fn identify(server: &Server) -> Result<RootState, DisplayError> {
    let conn = &server.conn;
    let atoms = Atoms::intern(conn)?;
    grabbed(conn, || {
        let size = server.geometry()?;
        let kept = read(server, &atoms)?;
        // Any program can delete or overwrite the property. If it does not have the generation that
        // this daemon wrote last to this X server, the state that the daemon wrote is used.
        let own = server
            .last_written()
            .and_then(|text| RootState::parse(&text));
        let other = |own: &RootState| {
            let same = |kept: &RootState| kept.generation == own.generation;
            !kept.as_ref().is_some_and(same)
        };
        let found = own.filter(other).or_else(|| kept.clone());
        let mut state = match found {
            Some(state) if state.size == size => state,
            Some(state) => RootState {
                epoch: state.epoch.saturating_add(1),
                size,
                proof: None,
                ..state
            },
            None => RootState {
                generation: Generation(random_u128()?),
                epoch: 1,
                size,
                proof: None,
            },
        };
        if let Some(proof) = &mut state.proof {
            let before = proof.windows.len();
            let marked = |window: &Window| has_mark(conn, &atoms, *window, state.generation);
            let marks: Result<Vec<bool>, DisplayError> = proof.windows.iter().map(marked).collect();
            let mut marks = marks?.into_iter();
            proof.windows.retain(|_| marks.next().unwrap_or(false));
            if proof.windows.is_empty() && before > 0 {
                state.proof = None;
            }
        }
        if kept.as_ref() != Some(&state) {
            write(server, &atoms, &state)?;
        }
        Ok(state)
    })
}

/// Writes or removes a paint proof, unless the screen was resized since. A property that another
/// program deleted or overwrote is replaced. Returns the windows that carry the proof; `None` if
/// the screen was resized or all those windows were destroyed.
pub(in crate::x11) fn set_proof(
    server: &Server,
    state: &RootState,
) -> Result<Option<Vec<Window>>, DisplayError> {
    let conn = &server.conn;
    let atoms = Atoms::intern(conn)?;
    grabbed(conn, || {
        let resized = |kept: &RootState| {
            kept.generation == state.generation
                && (kept.epoch, kept.size) != (state.epoch, state.size)
        };
        if read(server, &atoms)?.is_some_and(|kept| resized(&kept)) {
            return Ok(None);
        }
        let mut state = state.clone();
        if let Some(proof) = &mut state.proof {
            proof.windows.truncate(MAX_WINDOWS);
            let before = proof.windows.len();
            let mut carried = Vec::new();
            for window in &proof.windows {
                let (text, kind) = (state.generation.to_string(), AtomEnum::STRING);
                let mark = conn.change_property8(
                    PropMode::REPLACE,
                    *window,
                    atoms.mark,
                    kind,
                    text.as_bytes(),
                )?;
                let watch =
                    ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
                let watch = conn.change_window_attributes(*window, &watch)?;
                // A window that was destroyed since carries no proof.
                if mark.check().is_ok() & watch.check().is_ok() {
                    carried.push(*window);
                }
            }
            if carried.is_empty() && before > 0 {
                return Ok(None);
            }
            proof.windows = carried;
        }
        write(server, &atoms, &state)?;
        Ok(Some(
            state.proof.map(|proof| proof.windows).unwrap_or_default(),
        ))
    })
}

/// Subscribes to the destruction of windows that carry a paint proof.
pub(in crate::x11) fn watch(conn: &XConnection, windows: &[Window]) -> Result<(), DisplayError> {
    for window in windows {
        let watch = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
        conn.change_window_attributes(*window, &watch)?
            .ignore_error();
    }
    Ok(())
}

#[derive(Debug)]
struct Atoms {
    state: Atom,
    mark: Atom,
}

impl Atoms {
    fn intern(conn: &XConnection) -> Result<Self, DisplayError> {
        let state = conn.intern_atom(false, PROPERTY)?;
        let mark = conn.intern_atom(false, MARK)?;
        let atom = |reply: Result<InternAtomReply, ReplyError>| {
            let reply = reply.map_err(|error| DisplayError::reply("InternAtom", error))?;
            Ok::<_, DisplayError>(reply.atom)
        };
        Ok(Self {
            state: atom(state.reply())?,
            mark: atom(mark.reply())?,
        })
    }
}

/// Runs `work` while the server processes no other client's requests (GrabServer).
fn grabbed<T>(
    conn: &XConnection,
    work: impl FnOnce() -> Result<T, DisplayError>,
) -> Result<T, DisplayError> {
    conn.grab_server()?.ignore_error();
    let result = work();
    // Also after an error: other clients' requests wait until then.
    conn.ungrab_server()?.ignore_error();
    conn.flush()?;
    result
}

fn has_mark(
    conn: &XConnection,
    atoms: &Atoms,
    window: Window,
    generation: Generation,
) -> Result<bool, DisplayError> {
    let mark = conn
        .get_property(false, window, atoms.mark, AtomEnum::STRING, 0, 16)?
        .reply();
    match mark {
        Ok(mark) => Ok(mark.value == generation.to_string().as_bytes()),
        // The window does not exist any more.
        Err(ReplyError::X11Error(_)) => Ok(false),
        Err(error) => Err(DisplayError::reply("GetProperty", error)),
    }
}

/// Reads the state property; returns `None` if deskd did not write its text. Leaves out a paint
/// proof that neither this daemon nor an earlier instance wrote.
fn read(server: &Server, atoms: &Atoms) -> Result<Option<RootState>, DisplayError> {
    let reply = server
        .conn
        .get_property(false, server.root, atoms.state, AtomEnum::STRING, 0, 64)?
        .reply();
    let reply = reply.map_err(|error| DisplayError::reply("GetProperty", error))?;
    let Some(mut state) = RootState::parse(&reply.value) else {
        return Ok(None);
    };
    if state.proof.is_some() && !server.trusts(&reply.value) {
        tracing::info!("a proof of paint is not believed: this daemon did not write it");
        state.proof = None;
    }
    Ok(Some(state))
}

fn write(server: &Server, atoms: &Atoms, state: &RootState) -> Result<(), DisplayError> {
    let text = state.write();
    server.will_write(text.as_bytes());
    server
        .conn
        .change_property8(
            PropMode::REPLACE,
            server.root,
            atoms.state,
            AtomEnum::STRING,
            text.as_bytes(),
        )?
        .check()
        .map_err(|error| DisplayError::reply("ChangeProperty", error))
}

fn random_u128() -> Result<u128, DisplayError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| DisplayError::Lost(error.into()))?;
    Ok(u128::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_survives_its_text() {
        let state = RootState {
            generation: Generation(0x0123),
            epoch: 7,
            size: Size {
                width: 1280,
                height: 800,
            },
            proof: None,
        };
        let text = state.write();
        assert_eq!(text, "1 00000000000000000000000000000123 7 1280x800");
        assert_eq!(RootState::parse(text.as_bytes()), Some(state.clone()));
        for (profile, windows, words) in [
            (Profile::Any, vec![], " any"),
            (
                Profile::Xfce,
                vec![0xa0_0028, 0x60_0122],
                " xfce a00028 600122",
            ),
        ] {
            let proof = Some(Proven { profile, windows });
            let proved = RootState {
                proof,
                ..state.clone()
            };
            assert_eq!(proved.write(), format!("{text}{words}"));
            assert_eq!(RootState::parse(proved.write().as_bytes()), Some(proved));
        }
    }

    #[test]
    fn what_deskd_did_not_write_is_ignored() {
        for text in [
            "",
            "1",
            "2 00000000000000000000000000000123 7 1280x800",
            "1 123 7 1280x800",
            "1 00000000000000000000000000000123 +7 1280x800",
            "1 00000000000000000000000000000123 7 1280x800 ",
            "1 00000000000000000000000000000123 7 1280x800 gnome",
            "1 00000000000000000000000000000123 7 1280x800 xfce 0a",
            "1 00000000000000000000000000000123 7 1280x800 xfce 1 2 3 4 5 6 7 8 9",
            "1 00000000000000000000000000000123 7 1280",
            "1 0000000000000000000000000000012G 7 1280x800",
            "1 00000000000000000000000000000123 99999999999999999999999 1280x800",
        ] {
            assert_eq!(RootState::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(RootState::parse(b"\xff"), None);
    }
}
