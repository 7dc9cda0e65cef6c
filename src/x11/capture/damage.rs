//! Changes of the screen since the last query (DAMAGE 1.1, XFIXES 2).
//!
//! The server accumulates the changes, and sends an event when their bounding box grows. A query
//! empties the server's record, so later drawing is in the next answer.

use std::cell::Cell;

use x11rb::{
    connection::{Connection as _, RequestConnection as _, SequenceNumber},
    cookie::Cookie,
    protocol::{
        damage::{self, ConnectionExt as _, ReportLevel},
        xfixes::{self, ConnectionExt as _},
        xproto::Rectangle,
    },
};

use crate::frame::{Region, Size};
use crate::x11::{
    connection::server::{Server, XConnection},
    error::{DisplayError, no_id},
};

/// Maximum number of rectangles in an answer that are processed individually.
const MANY: usize = 64;

/// The record of what is drawn on the whole screen, with all its windows.
#[derive(Debug)]
pub(in crate::x11) struct Damage {
    damage: damage::Damage,
    /// The region into which the damage is moved to be fetched.
    parts: xfixes::Region,
    /// The last request that emptied the record.
    emptied: Cell<SequenceNumber>,
    /// The bounding box of the answers since [`Self::begin`].
    answered: Cell<Option<Region>>,
}

/// The content of a region before damage is moved into it. No damage lies there, so a region
/// that still contains it shows that the move failed.
const UNTOUCHED: Rectangle = Rectangle {
    x: i16::MIN,
    y: i16::MIN,
    width: 1,
    height: 1,
};

/// Moves the recorded damage into `parts`, and requests the content of `parts`.
///
/// # Errors
///
/// When the connection ended.
pub(in crate::x11) fn take<'c>(
    conn: &'c XConnection,
    damage: damage::Damage,
    parts: xfixes::Region,
) -> Result<
    (
        SequenceNumber,
        Cookie<'c, XConnection, xfixes::FetchRegionReply>,
    ),
    DisplayError,
> {
    conn.xfixes_set_region(parts, &[UNTOUCHED])?.ignore_error();
    let emptied = conn.damage_subtract(damage, x11rb::NONE, parts)?;
    let number = emptied.sequence_number();
    emptied.ignore_error();
    Ok((number, conn.xfixes_fetch_region(parts)?))
}

/// Whether the reply shows that the damage object does not exist any more.
pub(in crate::x11) fn is_gone(reply: &xfixes::FetchRegionReply) -> bool {
    let [part] = reply.rectangles.as_slice() else {
        return false;
    };
    (part.x, part.y) == (UNTOUCHED.x, UNTOUCHED.y)
}

/// A query that was sent.
pub(in crate::x11) struct DamageAsked<'c>(Cookie<'c, XConnection, xfixes::FetchRegionReply>);

impl Damage {
    /// Starts to record drawing; returns `None` if the server does not support that.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub(in crate::x11) fn follow(server: &Server) -> Result<Option<Self>, DisplayError> {
        if !available(server)? {
            return Ok(None);
        }
        let conn = &server.conn;
        let parts = conn.generate_id().map_err(no_id)?;
        conn.xfixes_create_region(parts, &[])?.ignore_error();
        let damage = conn.generate_id().map_err(no_id)?;
        let created = conn.damage_create(damage, server.root, ReportLevel::BOUNDING_BOX)?;
        let created = created.check();
        if let Err(error) = created {
            let error = DisplayError::reply("DamageCreate", error);
            return if error.ends_connection() {
                Err(error)
            } else {
                Ok(None)
            };
        }
        let emptied = Cell::new(0);
        Ok(Some(Self {
            damage,
            parts,
            emptied,
            answered: Cell::new(None),
        }))
    }

    /// Destroys the damage object. The server sends no event for the object after the next request.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub(in crate::x11) fn end(self, server: &Server) -> Result<(), DisplayError> {
        let conn = &server.conn;
        conn.damage_destroy(self.damage)?.ignore_error();
        conn.xfixes_destroy_region(self.parts)?.ignore_error();
        Ok(())
    }

    /// Queries and empties the record; the requests stay in the output buffer.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub(in crate::x11) fn ask<'c>(
        &self,
        server: &'c Server,
    ) -> Result<DamageAsked<'c>, DisplayError> {
        let (emptied, region) = take(&server.conn, self.damage, self.parts)?;
        self.emptied.set(emptied);
        Ok(DamageAsked(region))
    }

    /// Discards earlier answers at the beginning of a capture.
    pub(in crate::x11) fn begin(&self) {
        self.answered.set(None);
    }

    /// Records an answer.
    pub(in crate::x11) fn note(&self, drawn: &[Region]) {
        let all = drawn.iter().copied().chain(self.answered.get());
        self.answered.set(all.reduce(|all, part| all.union(&part)));
    }

    /// Whether the last answers cover an event for `area` that the server sent after request
    /// `after`. They do not if another program emptied the record before.
    pub(in crate::x11) fn knew(&self, area: &Region, after: SequenceNumber) -> bool {
        let answered = self.answered.get();
        after < self.emptied.get() && answered.is_some_and(|all| all.union(area) == all)
    }
}

impl DamageAsked<'_> {
    /// The rectangles drawn since the last query. If there are more than 64, their bounding
    /// box is returned instead.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub(in crate::x11) fn answer(self, screen: Size) -> Result<Vec<Region>, DisplayError> {
        let reply = self.0.reply();
        let reply = reply.map_err(|error| DisplayError::reply("XFixesFetchRegion", error))?;
        if is_gone(&reply) {
            return Err(DisplayError::robbed("record of what is drawn"));
        }
        let whole = [reply.extents];
        let parts = if reply.rectangles.len() > MANY {
            &whole
        } else {
            reply.rectangles.as_slice()
        };
        Ok(parts
            .iter()
            .filter_map(|part| clipped(part, screen))
            .collect())
    }
}

/// The part of a rectangle that lies on the screen.
pub(in crate::x11) fn clipped(part: &Rectangle, screen: Size) -> Option<Region> {
    let (x, y) = (i64::from(part.x), i64::from(part.y));
    Region::clipped(x, y, part.width.into(), part.height.into(), screen)
}

/// Whether the server has the extensions DAMAGE and XFIXES.
///
/// # Errors
///
/// When the connection ended.
pub(in crate::x11) fn available(server: &Server) -> Result<bool, DisplayError> {
    let conn = &server.conn;
    let has = |name: &'static str| conn.extension_information(name);
    if has(damage::X11_EXTENSION_NAME)?.is_none() || has(xfixes::X11_EXTENSION_NAME)?.is_none() {
        return Ok(false);
    }
    // Both extensions require a version query before any other request.
    let fixes = conn.xfixes_query_version(5, 0)?.reply();
    let damage = conn.damage_query_version(1, 1)?.reply();
    Ok(fixes.is_ok() && damage.is_ok())
}
