//! Which window a request means.

use std::fmt;

use crate::{
    failure::Failure,
    x11::{ListedWindow, WindowKind, WindowList},
};

/// Maximum number of windows that a refusal lists.
const MAX_CANDIDATES: usize = 8;

/// Properties of a window; those that are empty or `None` are not compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WindowMatch {
    /// A part of the title; case-sensitive.
    pub title: String,
    /// The class or instance name; case is ignored.
    pub class: String,
    /// The process.
    pub pid: Option<u32>,
    /// The kind.
    pub kind: Option<WindowKind>,
}

impl WindowMatch {
    /// Whether a window has these properties.
    pub fn fits(&self, window: &ListedWindow) -> bool {
        let same = |name: &str| name.to_lowercase() == self.class.to_lowercase();
        window.title.contains(&self.title)
            && (self.class.is_empty() || same(&window.class) || same(&window.instance))
            && self.pid.is_none_or(|pid| window.pid == Some(pid))
            && self.kind.is_none_or(|kind| window.kind == kind)
    }
}

impl fmt::Display for WindowMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.title.is_empty() {
            parts.push(format!("the title {:?}", self.title));
        }
        if !self.class.is_empty() {
            parts.push(format!("the class {:?}", self.class));
        }
        if let Some(pid) = self.pid {
            parts.push(format!("the process {pid}"));
        }
        if let Some(kind) = self.kind {
            parts.push(format!("the kind {kind:?}"));
        }
        f.write_str(&parts.join(" and "))
    }
}

/// A window as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WindowTarget {
    /// By its id.
    Id(String),
    /// By properties that only it has.
    Match(WindowMatch),
}

impl WindowTarget {
    /// Returns the window.
    ///
    /// # Errors
    ///
    /// When there is no such window, or there are several.
    pub fn find<'l>(&self, list: &'l WindowList) -> Result<&'l ListedWindow, WindowRefusal> {
        let found: Vec<&ListedWindow> = match self {
            Self::Id(id) => list.find(id).into_iter().collect(),
            Self::Match(wanted) => list
                .windows
                .iter()
                .filter(|window| wanted.fits(window))
                .collect(),
        };
        match found[..] {
            [] => Err(WindowRefusal::unknown(self, list)),
            [window] => Ok(window),
            _ => Err(WindowRefusal::Ambiguous {
                wanted: self.to_string(),
                candidates: found.into_iter().cloned().collect(),
            }),
        }
    }
}

impl fmt::Display for WindowTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // An id comes from the caller and may be of any length.
            Self::Id(id) => write!(f, "the id {:?}", id.chars().take(64).collect::<String>()),
            Self::Match(wanted) => wanted.fmt(f),
        }
    }
}

/// A window to show in place of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowImage {
    /// The window.
    pub target: WindowTarget,
    /// Whether its menus, tooltips and dialogs are shown, too.
    pub with_popups: bool,
}

/// Why a request for a window is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowRefusal {
    /// There is no such window.
    #[error("no window has {wanted}{}", Candidates("; there is", .candidates))]
    Unknown {
        /// The window as the request names it.
        wanted: String,
        /// The windows that there are.
        candidates: Vec<ListedWindow>,
    },
    /// There are several such windows.
    #[error("{} windows have {wanted}: give the id of one{}", candidates.len(), Candidates(":", .candidates))]
    Ambiguous {
        /// The window as the request names it.
        wanted: String,
        /// These windows.
        candidates: Vec<ListedWindow>,
    },
    /// The window of the coordinate space was moved or resized.
    #[error("the window {window} was moved or resized since its picture was taken: take a new one")]
    Moved {
        /// The window.
        window: Box<ListedWindow>,
    },
    /// Another window covers a point.
    #[error("{} covers the point {},{} of the window: activate the window first", Covering(other.as_deref()), point.0, point.1)]
    Covered {
        /// The other window; `None`: one that is not listed.
        other: Option<Box<ListedWindow>>,
        /// The point, in pixels of the screen.
        point: (i32, i32),
    },
    /// The windows cannot be read or changed.
    #[error("{}", .0.message)]
    Failed(Failure),
}

impl From<Failure> for WindowRefusal {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl WindowRefusal {
    /// Returns the windows that the refusal lists.
    pub fn candidates(&self) -> &[ListedWindow] {
        match self {
            Self::Unknown { candidates, .. } | Self::Ambiguous { candidates, .. } => candidates,
            Self::Moved { window }
            | Self::Covered {
                other: Some(window),
                ..
            } => std::slice::from_ref(window),
            Self::Covered { other: None, .. } | Self::Failed(_) => &[],
        }
    }

    pub(in crate::session) fn unknown(target: &WindowTarget, list: &WindowList) -> Self {
        Self::Unknown {
            wanted: target.to_string(),
            candidates: list.windows.clone(),
        }
    }
}

/// Names a window that covers another one.
struct Covering<'w>(Option<&'w ListedWindow>);

impl fmt::Display for Covering<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(window) => write!(f, "{window}"),
            None => f.write_str("a window that is not listed"),
        }
    }
}

/// Lists windows in a message, after a word.
struct Candidates<'w>(&'static str, &'w [ListedWindow]);

impl fmt::Display for Candidates<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(word, windows) = self;
        if windows.is_empty() {
            return Ok(());
        }
        let shown: Vec<String> = windows
            .iter()
            .take(MAX_CANDIDATES)
            .map(ToString::to_string)
            .collect();
        write!(f, "{word} {}", shown.join(", "))?;
        match windows.len().saturating_sub(MAX_CANDIDATES) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
