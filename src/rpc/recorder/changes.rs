//! Changes that no call reports, for a log: of control, of the X server and of the stack.

use std::future::pending;

use tokio::sync::watch;

use super::records;
use crate::rpc::{
    messages::{control, stack},
    v1::{self, log_record::Record},
};
use crate::{
    session::{Leases, Session},
    x11::Link,
};

/// The changes that the log does not have yet.
#[derive(Debug)]
pub(super) struct Changes {
    control: watch::Receiver<Leases>,
    links: watch::Receiver<Link>,
    /// The last record of the X server.
    display: Option<v1::LogDisplay>,
    /// `None` without a managed stack.
    news: Option<watch::Receiver<u64>>,
    /// The number of the last event of the stack in the log.
    after: u64,
}

impl Changes {
    /// Begins with the present state. Earlier events of the stack are no part of the log.
    pub(super) fn new(session: &Session) -> Self {
        let mut control = session.control.watch();
        let mut links = session.capture.links();
        control.mark_changed();
        links.mark_changed();
        let last = session.bring_up.events_after(0).pop();
        Self {
            control,
            links,
            display: None,
            news: session.bring_up.news().ok(),
            after: last.map_or(0, |last| last.sequence),
        }
    }

    /// Waits for a change, which [`Self::take`] then returns.
    pub(super) async fn arrive(&mut self) {
        let Self {
            control,
            links,
            news,
            ..
        } = self;
        let stack = async {
            let Some(news) = news else {
                return pending().await;
            };
            match news.changed().await {
                Ok(()) => news.mark_changed(),
                Err(_) => pending().await,
            }
        };
        tokio::select! {
            Ok(()) = control.changed() => control.mark_changed(),
            Ok(()) = links.changed() => links.mark_changed(),
            () = stack => {}
            else => pending().await,
        }
    }

    /// Returns the records of what has changed.
    pub(super) fn take(&mut self, session: &Session) -> Vec<Record> {
        let mut records = Vec::new();
        if self.control.has_changed().unwrap_or(false) {
            let leases = self.control.borrow_and_update().clone();
            records.push(Record::Control(control::state(&leases)));
        }
        if self.links.has_changed().unwrap_or(false) {
            let now = records::display(&self.links.borrow_and_update());
            // The paint proof is a part of the link, and none of the log.
            if self.display.as_ref() != Some(&now) {
                records.push(Record::Display(now.clone()));
                self.display = Some(now);
            }
        }
        if let Some(news) = &mut self.news
            && news.has_changed().unwrap_or(false)
        {
            news.mark_unchanged();
            for numbered in session.bring_up.events_after(self.after) {
                self.after = numbered.sequence;
                records.push(Record::Stack(stack::event(numbered)));
            }
        }
        records
    }
}
