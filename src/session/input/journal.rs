//! Records which operations were begun, so that each is executed once. Keeps recent operations with
//! their account, and older ones only as a hash of their id.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::Weak,
};

use tokio::sync::watch;

use super::{action::Account, job::StepWaiting, refused::Refused};

/// Maximum number of accounts that are kept.
const ACCOUNTS: usize = 256;
/// Maximum size of the kept accounts in bytes; operations under way are not counted.
const ACCOUNT_BYTES: usize = 4 << 20;
/// Maximum number of older operations whose id is kept: one step a second for a day and a half, in
/// about 2 MiB.
const IDS: usize = 1 << 17;

/// The result of an operation, once it is known, and the handle that keeps the operation running
/// while a caller waits.
#[derive(Debug, Clone)]
pub(super) struct StepProgress {
    pub(super) account: watch::Receiver<Option<Result<Account, Refused>>>,
    pub(super) waiting: Weak<StepWaiting>,
}

/// The recorded state of an operation.
#[derive(Debug, Clone)]
pub(super) enum KnownStep {
    /// Not begun before; the journal now has an entry for it.
    New,
    /// Under way or done, with the same content.
    Same(StepProgress),
    /// Begun before, with different content.
    Other,
    /// Done so long ago that its account was dropped.
    Forgotten,
}

#[derive(Debug)]
struct Entry {
    digest: u128,
    progress: StepProgress,
}

/// The operations of this instance.
#[derive(Debug, Default)]
pub(super) struct Journal {
    entries: HashMap<String, Entry>,
    /// Oldest first.
    order: VecDeque<String>,
    old: HashSet<u64>,
    old_order: VecDeque<u64>,
    hasher: RandomState,
}

impl Journal {
    /// Looks up an operation, and adds an entry if it is new.
    pub(super) fn enter(&mut self, id: &str, digest: u128, progress: &StepProgress) -> KnownStep {
        if let Some(entry) = self.entries.get(id) {
            if entry.digest != digest {
                return KnownStep::Other;
            }
            return KnownStep::Same(entry.progress.clone());
        }
        if self.old.contains(&self.hasher.hash_one(id)) {
            return KnownStep::Forgotten;
        }
        self.make_room();
        self.order.push_back(id.to_owned());
        let progress = progress.clone();
        self.entries
            .insert(id.to_owned(), Entry { digest, progress });
        KnownStep::New
    }

    /// Removes an operation of which nothing was done, so that its id can be used again.
    pub(super) fn take_back(&mut self, id: &str) {
        self.entries.remove(id);
        self.order.retain(|other| other != id);
    }

    fn make_room(&mut self) {
        while self.order.len() >= ACCOUNTS || self.bytes() > ACCOUNT_BYTES {
            if !self.forget_oldest() {
                return;
            }
        }
    }

    fn bytes(&self) -> usize {
        let accounts = self.entries.values().map(|entry| &entry.progress.account);
        let bytes = |account: &Option<Result<Account, Refused>>| match account {
            Some(Ok(account)) => account.bytes(),
            _ => 0,
        };
        accounts.map(|account| bytes(&account.borrow())).sum()
    }

    /// Drops the account of the oldest operation that is done, and keeps only the hash of its id.
    /// Returns false if no operation is done.
    fn forget_oldest(&mut self) -> bool {
        // At most 16 operations (`QUEUE`) are under way; all others are done.
        let is_done = |id: &String| {
            let entry = self.entries.get(id);
            entry.is_none_or(|entry| entry.progress.account.borrow().is_some())
        };
        let Some(index) = self.order.iter().position(is_done) else {
            return false;
        };
        let Some(id) = self.order.remove(index) else {
            return false;
        };
        self.entries.remove(&id);
        if self.old_order.len() == IDS
            && let Some(oldest) = self.old_order.pop_front()
        {
            self.old.remove(&oldest);
        }
        let hash = self.hasher.hash_one(&id);
        self.old.insert(hash);
        self.old_order.push_back(hash);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Outcome, Settled};

    fn account() -> Account {
        Account {
            outcome: Outcome::Done,
            results: Vec::new(),
            settled: Settled::skipped(),
        }
    }

    #[test]
    fn an_operation_is_new_once_however_many_follow() {
        let mut journal = Journal::default();
        let progress = |account| StepProgress {
            account: watch::channel(account).1,
            waiting: Weak::new(),
        };
        let (done, running) = (progress(Some(Ok(account()))), progress(None));
        assert!(matches!(
            journal.enter("first", 1, &running),
            KnownStep::New
        ));
        assert!(matches!(
            journal.enter("first", 1, &done),
            KnownStep::Same(_)
        ));
        assert!(matches!(journal.enter("first", 2, &done), KnownStep::Other));
        assert!(matches!(journal.enter("refused", 1, &done), KnownStep::New));
        journal.take_back("refused");
        for number in 0..300 {
            let id = format!("step {number}");
            assert!(
                matches!(journal.enter(&id, 1, &done), KnownStep::New),
                "{id}"
            );
        }
        // An operation that is under way is never dropped.
        assert!(matches!(
            journal.enter("first", 1, &done),
            KnownStep::Same(_)
        ));
        assert!(matches!(
            journal.enter("step 3", 1, &done),
            KnownStep::Forgotten
        ));
        assert!(matches!(
            journal.enter("step 299", 1, &done),
            KnownStep::Same(_)
        ));
        assert!(matches!(journal.enter("refused", 1, &done), KnownStep::New));
        assert_eq!(journal.entries.len(), ACCOUNTS);
    }
}
