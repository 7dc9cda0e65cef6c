//! What changed on the screen since one last asked (DAMAGE 1.1, XFIXES 2).
//!
//! The server gathers it, and tells when the rectangle around all of it grows. To ask
//! is to empty it: what is drawn later is in the next answer.

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

use super::{
    Error,
    connect::{Server, XConnection},
    error::no_id,
};
use crate::frame::{Region, Size};

/// Rectangles of one answer that are looked at one by one.
const MANY: usize = 64;

/// The damage of the whole screen, with all windows on it.
#[derive(Debug)]
pub(super) struct Damage {
    damage: damage::Damage,
    /// The region through which it is fetched.
    parts: xfixes::Region,
    /// The last request that emptied it.
    emptied: Cell<SequenceNumber>,
}

/// A question that was sent.
pub(super) struct Asked<'c>(Cookie<'c, XConnection, xfixes::FetchRegionReply>);

impl Damage {
    /// Starts to follow the screen; `None` when the server cannot say.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub(super) fn follow(server: &Server) -> Result<Option<Self>, Error> {
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
            let error = Error::reply("DamageCreate", error);
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
        }))
    }

    /// Ends it: no event of it comes after what is asked next.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub(super) fn end(self, server: &Server) -> Result<(), Error> {
        let conn = &server.conn;
        conn.damage_destroy(self.damage)?.ignore_error();
        conn.xfixes_destroy_region(self.parts)?.ignore_error();
        Ok(())
    }

    /// Asks, and starts anew; the question stays in the buffer.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub(super) fn ask<'c>(&self, server: &'c Server) -> Result<Asked<'c>, Error> {
        let conn = &server.conn;
        let emptied = conn.damage_subtract(self.damage, x11rb::NONE, self.parts)?;
        self.emptied.set(emptied.sequence_number());
        emptied.ignore_error();
        Ok(Asked(conn.xfixes_fetch_region(self.parts)?))
    }

    /// Whether what the server told after that request was in the last answer.
    pub(super) fn knew_at(&self, after: SequenceNumber) -> bool {
        after < self.emptied.get()
    }
}

impl Asked<'_> {
    /// What was drawn on since the last question, at most 64 rectangles; those of many
    /// are one that holds all.
    ///
    /// # Errors
    ///
    /// When the connection ended.
    pub(super) fn answer(self, screen: Size) -> Result<Vec<Region>, Error> {
        let reply = self.0.reply();
        let reply = reply.map_err(|error| Error::reply("XFixesFetchRegion", error))?;
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

/// What of a rectangle is on the screen.
pub(super) fn clipped(part: &Rectangle, screen: Size) -> Option<Region> {
    let (x, y) = (i64::from(part.x), i64::from(part.y));
    Region::clipped(x, y, part.width.into(), part.height.into(), screen)
}

/// Whether the server has the extensions for it.
///
/// # Errors
///
/// When the connection ended.
pub(super) fn available(server: &Server) -> Result<bool, Error> {
    let conn = &server.conn;
    let has = |name: &'static str| conn.extension_information(name);
    if has(damage::X11_EXTENSION_NAME)?.is_none() || has(xfixes::X11_EXTENSION_NAME)?.is_none() {
        return Ok(false);
    }
    // Both want to be asked for their version before anything else.
    let fixes = conn.xfixes_query_version(5, 0)?.reply();
    let damage = conn.damage_query_version(1, 1)?.reply();
    Ok(fixes.is_ok() && damage.is_ok())
}
