//! Carries out what a person does on a page: hand-overs, input and the clipboard.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    socket::{Conversation, End},
    wire::{FromPage, ToPage},
};
use crate::{
    session::{
        Act, Authenticated, Control, ControlError, Expect, HolderKind, LeaseKey, Outcome, Space,
        StepObserver, TakeLease,
    },
    text::is_hidden,
    x11::{ClipboardItem, ClipboardRead, SelectionName},
};

/// Time until a lease ends that is not renewed: the time for a connection that broke off to return.
pub(super) const TTL: Duration = Duration::from_secs(30);
/// Maximum time of one input, and of a call for the clipboard.
pub(super) const CALL: Duration = Duration::from_secs(10);
/// Maximum size of a text that is sent to the page.
const MAX_TEXT: usize = 1 << 20;

impl Conversation<'_> {
    /// Carries out the person's input, one after another.
    pub(super) async fn act(&self) -> End {
        loop {
            let next = {
                let mut inputs = self.inputs.lock().unwrap_or_else(PoisonError::into_inner);
                inputs.pop_front().map(|(message, _)| message)
            };
            match next {
                None => self.asked.notified().await,
                Some(FromPage::Take { reason }) => self.take(reason).await,
                Some(FromPage::Give) => self.give().await,
                Some(FromPage::Copy) => self.copy().await,
                Some(message) => self.input(message).await,
            }
        }
    }

    async fn take(&self, reason: String) {
        if self.lease().is_some() {
            return;
        }
        let reason: String = reason.chars().filter(|c| !is_hidden(*c)).take(60).collect();
        let holder = match self.person.0.viewer.as_str() {
            "" => "a viewer".to_owned(),
            name => name.to_owned(),
        };
        let asked = TakeLease {
            kind: HolderKind::Person,
            holder,
            reason,
            ttl: TTL,
            owner: Authenticated::Viewer,
        };
        let Ok(id) = Control::new_id() else {
            self.refuse("the system has no random numbers").await;
            return;
        };
        // Other pages of this session must know the lease when they hear of it.
        let key = LeaseKey::of(&id);
        self.person.0.hold(Some(key));
        let control = &self.session.control;
        match control.take(&id, asked, Instant::now() + CALL).await {
            Ok(_) => self.say_control().await,
            Err(error) => {
                self.person.0.hold(None);
                self.refuse(&error.to_string()).await;
            }
        }
    }

    pub(super) async fn give(&self) {
        let Some(key) = self.lease() else {
            return;
        };
        self.person.0.hold(None);
        let control = &self.session.control;
        let gave = control.give(Some(key), &Authenticated::Viewer, Instant::now() + CALL);
        match gave.await {
            // It has ended by itself.
            Ok(_) | Err(ControlError::Refused(_)) => {}
            Err(error) => self.refuse(&error.to_string()).await,
        }
        self.say_control().await;
    }

    async fn copy(&self) {
        if self.lease().is_none() {
            self.refuse("take control first").await;
            return;
        }
        let clipboard = &self.session.clipboard;
        let read = clipboard.read(SelectionName::Clipboard, "", Instant::now() + CALL);
        match read.await {
            Ok(ClipboardRead::Content(item)) if item.data.len() <= MAX_TEXT => {
                let text = String::from_utf8_lossy(&item.data);
                self.say(&ToPage::Clipboard { text: &text }).await;
            }
            Ok(ClipboardRead::Content(_)) => {
                self.refuse("the text on the clipboard has more than 1 MiB")
                    .await;
            }
            Ok(_) => self.refuse("the clipboard has no text").await,
            Err(failure) => self.refuse(&failure.message).await,
        }
    }

    async fn input(&self, message: FromPage) {
        let Some(lease) = self.lease() else {
            self.refuse("take control first").await;
            return;
        };
        if let FromPage::Paste { text } = &message {
            // The text stays on the clipboard afterwards.
            let item = ClipboardItem {
                format: String::new(),
                data: text.clone().into(),
            };
            let clipboard = &self.session.clipboard;
            let end = Instant::now() + CALL;
            let written = clipboard.write(SelectionName::Clipboard, vec![item], end);
            let written = written.await;
            let failure = written.as_ref().err();
            self.recorder.viewer_pasted(text.len(), failure);
            if let Err(failure) = written {
                self.refuse(&failure.message).await;
                return;
            }
        }
        let action = match message.action() {
            Ok(Some(action)) => action,
            Ok(None) => return,
            Err(why) => {
                self.refuse(why).await;
                return;
            }
        };
        let log = self.recorder.viewer_step(&action);
        let observer = log.clone().map(|log| log as Arc<dyn StepObserver>);
        let act = Act {
            operation: None,
            lease: Some(lease),
            actions: vec![action],
            space: Space::Screen,
            expect: Expect::default(),
            settle: None,
            picture: None,
            unproved: true,
            stop_at_first: false,
            paced: false,
            observer,
        };
        let input = Arc::clone(&self.session.input);
        let acted = input.act(act, Instant::now() + CALL).await;
        if let Some(log) = log {
            log.answered_in_viewer(&acted);
        }
        match acted {
            Ok(acted) if acted.account.outcome == Outcome::Done => {}
            Ok(acted) => {
                let mut results = acted.account.results.iter();
                let why = results.find_map(|done| done.failure.as_ref());
                let why = why.map_or("it was not done", |failure| failure.message.as_str());
                self.refuse(why).await;
            }
            // The message may contain a character of a text; the page's person typed it.
            Err(refused) => self.refuse(&refused.to_string()).await,
        }
    }
}
