//! The lease on the input, as a state machine without clocks, files and threads.

use std::time::Duration;

/// The kind of a holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HolderKind {
    /// A program that operates the desktop for a model.
    Agent,
    /// A person.
    Person,
}

/// Why a lease ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseEnd {
    /// Its holder, or root, gave it back.
    Given,
    /// It was not renewed in time.
    Expired,
    /// A person took it from an agent.
    Taken,
}

/// The authenticated caller of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authenticated {
    /// The user of a Unix socket.
    User(u32),
    /// A caller over TCP that sent the daemon's token.
    Token,
    /// A caller over TCP that needs no token.
    Anybody,
    /// A person on the viewer's page.
    Viewer,
}

impl Authenticated {
    /// Whether this caller may end any lease.
    fn is_root(&self) -> bool {
        *self == Self::User(0)
    }
}

/// Hash of a lease's id. The id itself is known to its holder alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseKey(pub(super) u128);

/// A moment, as the time since an arbitrary but fixed one.
pub type Moment = Duration;

/// A lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Hash of its id.
    pub key: LeaseKey,
    /// The kind of its holder.
    pub kind: HolderKind,
    /// The name of the holder, as the holder gave it.
    pub holder: String,
    /// Why control was taken, as the holder gave it.
    pub reason: String,
    /// The caller that took it.
    pub owner: Authenticated,
    /// When it began.
    pub began: Moment,
    /// Time until it ends after it was taken or renewed.
    pub ttl: Duration,
    /// When it ends.
    pub until: Moment,
}

/// Why a call is refused because of who is in control.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlRefusal {
    /// A person holds the lease.
    #[error(
        "a person is in control: {}; wait until control is given back, then take a new frame",
        held(holder, reason)
    )]
    Human {
        /// The name of the person.
        holder: String,
        /// Why the person took control.
        reason: String,
    },
    /// Another agent holds the lease.
    #[error(
        "another agent holds the lease on the input: {}; wait until it ends, or take control as a person",
        held(holder, reason)
    )]
    Held {
        /// The name of the agent.
        holder: String,
        /// Why the agent took control.
        reason: String,
    },
    /// The lease whose id the caller sends has ended.
    #[error("the lease has ended; take a new one, or call without `deskd-lease`")]
    Ended,
    /// Control changed hands since.
    #[error(
        "control of the input changed hands since then (control epoch {now}, not {expected}): take a new frame"
    )]
    Changed {
        /// The epoch of the frame, or the one that the request expects.
        expected: u64,
        /// The present epoch.
        now: u64,
    },
}

fn held(holder: &str, reason: &str) -> String {
    match reason {
        "" => format!("{holder:?}"),
        reason => format!("{holder:?} ({reason:?})"),
    }
}

/// A request for the lease.
#[derive(Debug, Clone)]
pub struct TakeLease {
    /// The kind of the holder.
    pub kind: HolderKind,
    /// The name of the holder.
    pub holder: String,
    /// Why control is taken.
    pub reason: String,
    /// Time until the lease ends if it is not renewed.
    pub ttl: Duration,
    /// The caller.
    pub owner: Authenticated,
}

/// The state: the epoch, and the lease if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leases {
    epoch: u64,
    lease: Option<Lease>,
    last_end: Option<LeaseEnd>,
}

impl Default for Leases {
    fn default() -> Self {
        Self {
            epoch: 1,
            lease: None,
            last_end: None,
        }
    }
}

impl Leases {
    /// The state that an earlier instance left.
    pub(super) fn restored(epoch: u64, lease: Option<Lease>, last_end: Option<LeaseEnd>) -> Self {
        Self {
            epoch: epoch.max(1),
            lease,
            last_end,
        }
    }

    /// The control epoch: it rises by one when a lease begins and when it ends.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The lease, which may be overdue until [`Self::expire`].
    pub fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// Why the last lease ended.
    pub fn last_end(&self) -> Option<LeaseEnd> {
        self.last_end
    }

    /// Ends the lease if it is overdue. Returns whether it was. Every other method expects that this
    /// one was called for the same moment.
    pub(super) fn expire(&mut self, now: Moment) -> bool {
        if let Some(lease) = &mut self.lease {
            // A clock that was set back does not extend the lease.
            lease.until = lease.until.min(now + lease.ttl);
        }
        let is_overdue = self.lease.as_ref().is_some_and(|lease| lease.until <= now);
        if is_overdue {
            self.end(LeaseEnd::Expired);
        }
        is_overdue
    }

    /// Begins a lease.
    pub(super) fn take(
        &mut self,
        asked: TakeLease,
        key: LeaseKey,
        now: Moment,
    ) -> Result<(), ControlRefusal> {
        if let Some(lease) = &self.lease {
            let is_preempted = (asked.kind, lease.kind) == (HolderKind::Person, HolderKind::Agent);
            if !is_preempted {
                return Err(lease.refusal());
            }
            self.end(LeaseEnd::Taken);
        }
        self.epoch += 1;
        self.lease = Some(Lease {
            key,
            kind: asked.kind,
            holder: asked.holder,
            reason: asked.reason,
            owner: asked.owner,
            began: now,
            ttl: asked.ttl,
            until: now + asked.ttl,
        });
        Ok(())
    }

    /// Extends the lease.
    pub(super) fn renew(
        &mut self,
        key: LeaseKey,
        ttl: Option<Duration>,
        now: Moment,
    ) -> Result<(), ControlRefusal> {
        let lease = self.lease.as_mut().filter(|lease| lease.key == key);
        let lease = lease.ok_or(ControlRefusal::Ended)?;
        lease.ttl = ttl.unwrap_or(lease.ttl);
        lease.until = now + lease.ttl;
        Ok(())
    }

    /// Ends the lease with this key; without one, the lease of `caller`. Returns whether a lease ended.
    pub(super) fn give(
        &mut self,
        key: Option<LeaseKey>,
        caller: &Authenticated,
    ) -> Result<bool, ControlRefusal> {
        let Some(lease) = &self.lease else {
            return match key {
                Some(_) => Err(ControlRefusal::Ended),
                None => Ok(false),
            };
        };
        match key {
            Some(key) if lease.key != key => return Err(ControlRefusal::Ended),
            None if lease.owner != *caller && !caller.is_root() => return Err(lease.refusal()),
            _ => {}
        }
        self.end(LeaseEnd::Given);
        Ok(true)
    }

    /// Refuses a caller that may not change the desktop now. `key`: the lease that the caller names.
    pub fn check(&self, key: Option<LeaseKey>) -> Result<(), ControlRefusal> {
        match (&self.lease, key) {
            (None, None) => Ok(()),
            (Some(lease), Some(key)) if lease.key == key => Ok(()),
            // That the caller's lease has ended is the cause; who holds it now is the effect.
            (Some(lease), _) if lease.kind == HolderKind::Person => Err(lease.refusal()),
            (_, Some(_)) => Err(ControlRefusal::Ended),
            (Some(lease), None) => Err(lease.refusal()),
        }
    }

    /// Refuses an epoch that is not the present one.
    pub fn check_epoch(&self, expected: u64) -> Result<(), ControlRefusal> {
        match expected == self.epoch {
            true => Ok(()),
            false => Err(ControlRefusal::Changed {
                expected,
                now: self.epoch,
            }),
        }
    }

    fn end(&mut self, why: LeaseEnd) {
        self.lease = None;
        self.last_end = Some(why);
        self.epoch += 1;
    }
}

impl Lease {
    fn refusal(&self) -> ControlRefusal {
        let (holder, reason) = (self.holder.clone(), self.reason.clone());
        match self.kind {
            HolderKind::Person => ControlRefusal::Human { holder, reason },
            HolderKind::Agent => ControlRefusal::Held { holder, reason },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Event {
        Take(HolderKind, u64, u32),
        /// Renews the nth lease.
        Renew(usize, Option<u64>),
        Give(Option<usize>, u32),
        Pass(u64),
    }

    fn event() -> impl Strategy<Value = Event> {
        let kind = prop_oneof![Just(HolderKind::Agent), Just(HolderKind::Person)];
        prop_oneof![
            (kind, 1_u64..20, 0_u32..3).prop_map(|(kind, ttl, uid)| Event::Take(kind, ttl, uid)),
            (0_usize..6, prop::option::of(1_u64..20)).prop_map(|(nth, ttl)| Event::Renew(nth, ttl)),
            (prop::option::of(0_usize..6), 0_u32..3).prop_map(|(nth, uid)| Event::Give(nth, uid)),
            (1_u64..10).prop_map(Event::Pass),
        ]
    }

    fn asked(kind: HolderKind, ttl: u64, uid: u32) -> TakeLease {
        TakeLease {
            kind,
            holder: "Ada".into(),
            reason: String::new(),
            ttl: Duration::from_secs(ttl),
            owner: Authenticated::User(uid),
        }
    }

    proptest! {
        #[test]
        fn one_holder_at_a_time_and_an_epoch_for_each(events in prop::collection::vec(event(), 0..60)) {
            let (mut leases, mut now, mut taken) = (Leases::default(), Duration::ZERO, 0_u128);
            for event in events {
                let before = leases.clone();
                let holder = before.lease().map(|lease| (lease.key, lease.kind));
                let nth = |nth: usize| LeaseKey(nth as u128 + 1);
                match event {
                    Event::Take(kind, ttl, uid) => {
                        taken += 1;
                        let took = leases.take(asked(kind, ttl, uid), LeaseKey(taken), now);
                        match holder {
                            None => prop_assert!(took.is_ok()),
                            Some((_, HolderKind::Person)) => {
                                let is_human = matches!(took, Err(ControlRefusal::Human { .. }));
                                prop_assert!(is_human);
                            }
                            Some((_, HolderKind::Agent)) => {
                                prop_assert_eq!(took.is_ok(), kind == HolderKind::Person);
                            }
                        }
                    }
                    Event::Renew(index, ttl) => {
                        let renewed = leases.renew(nth(index), ttl.map(Duration::from_secs), now);
                        prop_assert_eq!(renewed.is_ok(), holder.is_some_and(|(key, _)| key == nth(index)));
                        prop_assert_eq!(leases.epoch(), before.epoch());
                    }
                    Event::Give(index, uid) => {
                        let owner = before.lease().map(|lease| lease.owner.clone());
                        let caller = Authenticated::User(uid);
                        let gave = leases.give(index.map(nth), &caller);
                        let may = match index {
                            Some(index) => holder.is_some_and(|(key, _)| key == nth(index)),
                            None => owner.as_ref().is_none_or(|owner| *owner == caller || uid == 0),
                        };
                        prop_assert_eq!(gave.is_ok(), may);
                        prop_assert_eq!(leases.lease().is_none(), may || holder.is_none());
                    }
                    Event::Pass(seconds) => {
                        now += Duration::from_secs(seconds);
                        leases.expire(now);
                        prop_assert!(leases.lease().is_none_or(|lease| lease.until > now));
                    }
                }
                // The epoch rises exactly if another one is in control, by one for each change.
                let after = leases.lease().map(|lease| (lease.key, lease.kind));
                let changes = match (holder, after) {
                    (one, other) if one == other => 0,
                    (Some(_), Some(_)) => 2,
                    _ => 1,
                };
                prop_assert_eq!(leases.epoch(), before.epoch() + changes);
                // Whoever holds it may act, nobody else.
                for key in (1..=taken).map(LeaseKey) {
                    let is_holder = after.is_some_and(|(holder, _)| holder == key);
                    prop_assert_eq!(leases.check(Some(key)).is_ok(), is_holder);
                }
                prop_assert_eq!(leases.check(None).is_ok(), after.is_none());
            }
        }
    }

    #[test]
    fn a_clock_that_is_set_back_extends_no_lease() {
        let mut leases = Leases::default();
        let at = Duration::from_secs;
        leases
            .take(asked(HolderKind::Agent, 10, 1), LeaseKey(1), at(1000))
            .unwrap();
        assert!(!leases.expire(at(500)));
        assert!(!leases.expire(at(509)));
        assert!(leases.expire(at(510)));
    }

    #[test]
    fn a_person_takes_from_an_agent_and_nobody_from_a_person() {
        let (mut leases, now) = (Leases::default(), Duration::ZERO);
        let (agent, person) = (LeaseKey(1), LeaseKey(2));
        leases
            .take(asked(HolderKind::Agent, 10, 1), agent, now)
            .unwrap();
        leases
            .take(asked(HolderKind::Person, 10, 1), person, now)
            .unwrap();
        assert_eq!(
            (leases.epoch(), leases.last_end()),
            (4, Some(LeaseEnd::Taken))
        );
        let human = |refused| matches!(refused, Err(ControlRefusal::Human { .. }));
        assert!(human(leases.check(Some(agent))) && human(leases.check(None)));
        assert!(human(leases.take(
            asked(HolderKind::Person, 10, 0),
            LeaseKey(3),
            now
        )));
        // Root ends it without its id.
        assert!(human(
            leases.give(None, &Authenticated::User(5)).map(|_| ())
        ));
        assert_eq!(leases.give(None, &Authenticated::User(0)), Ok(true));
        assert_eq!(leases.check(Some(agent)), Err(ControlRefusal::Ended));
        assert_eq!(leases.check(None), Ok(()));
    }
}
