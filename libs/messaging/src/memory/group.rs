//! Who owns which lane. Separate from the inboxes: a group outlives its members.
//!
//! Sticky and cooperative, as on Kafka: a lane leaves a living member only once that member has acknowledged. Unlike
//! there, the wait has no bound: a test that forgets to acknowledge hangs rather than passes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::sync::{mpsc, oneshot};

use super::Shared;
use crate::{LaneId, Ownership};

/// A member's number, unique in its group.
pub(crate) type MemberId = u64;

pub(crate) struct Group {
    lanes: i32,
    members: BTreeMap<MemberId, mpsc::UnboundedSender<Ownership>>,
    joined: MemberId,
    owners: BTreeMap<LaneId, Owner>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Held(MemberId),
    /// Asked back, not yet acknowledged; then it goes to `to`, or to whoever has room.
    Leaving {
        from: MemberId,
        to: Option<MemberId>,
    },
}

/// What awaits an acknowledgement.
type Asked = (LaneId, oneshot::Receiver<()>);

impl Group {
    fn new(lanes: i32) -> Self {
        Self { lanes, members: BTreeMap::new(), joined: 0, owners: BTreeMap::new() }
    }

    pub(crate) fn owns(&self, member: MemberId, lane: LaneId) -> bool {
        self.owners.get(&lane) == Some(&Owner::Held(member))
    }

    fn held(&self, member: MemberId) -> BTreeSet<LaneId> {
        self.owners.iter().filter(|(_, owner)| **owner == Owner::Held(member)).map(|(lane, _)| *lane).collect()
    }

    fn give(&mut self, lane: LaneId, member: MemberId) {
        self.owners.insert(lane, Owner::Held(member));
        if let Some(events) = self.members.get(&member) {
            let _ = events.send(Ownership::Gained(lane));
        }
    }

    fn ask_back(&mut self, lane: LaneId, from: MemberId, to: Option<MemberId>) -> Asked {
        let (ack, acked) = oneshot::channel();
        self.owners.insert(lane, Owner::Leaving { from, to });
        if let Some(events) = self.members.get(&from) {
            let _ = events.send(Ownership::Lost(lane, ack));
        }
        (lane, acked)
    }

    /// How many lanes each member may hold: as equal as can be, those with most keeping the remainder.
    fn quotas(&self) -> Vec<(MemberId, usize)> {
        let mut members: Vec<(MemberId, usize)> =
            self.members.keys().map(|member| (*member, self.held(*member).len())).collect();
        members.sort_by_key(|(member, held)| (std::cmp::Reverse(*held), *member));
        let lanes = usize::try_from(self.lanes).unwrap_or(0);
        let (each, rest) = (lanes / members.len().max(1), lanes % members.len().max(1));
        members.iter().enumerate().map(|(rank, (member, _))| (*member, each + usize::from(rank < rest))).collect()
    }

    /// Gives free lanes out and asks back what is too much.
    fn balance(&mut self) -> Vec<Asked> {
        let quotas = self.quotas();
        let mut asked = Vec::new();
        for (member, quota) in &quotas {
            for lane in self.held(*member).into_iter().skip(*quota) {
                asked.push(self.ask_back(lane, *member, None));
            }
        }
        for lane in (0..self.lanes).map(LaneId) {
            if self.owners.contains_key(&lane) {
                continue;
            }
            let room = quotas.iter().find(|(member, quota)| self.held(*member).len() < *quota);
            if let Some((member, _)) = room {
                self.give(lane, *member);
            }
        }
        asked
    }

    /// A lane was let go.
    fn settle(&mut self, lane: LaneId) -> Vec<Asked> {
        match self.owners.remove(&lane) {
            Some(Owner::Leaving { to: Some(to), .. }) if self.members.contains_key(&to) => {
                self.give(lane, to);
                Vec::new()
            }
            Some(held @ Owner::Held(_)) => {
                self.owners.insert(lane, held);
                Vec::new()
            }
            _ => self.balance(),
        }
    }
}

pub(crate) fn join(shared: &Arc<Shared>, name: &str, lanes: i32, events: mpsc::UnboundedSender<Ownership>) -> MemberId {
    let (member, asked) = {
        let mut state = shared.state();
        let group = state.groups.entry(name.to_owned()).or_insert_with(|| Group::new(lanes));
        group.joined += 1;
        let member = group.joined;
        group.members.insert(member, events);
        (member, group.balance())
    };
    await_acks(shared, name, asked);
    member
}

/// Says goodbye: as [`forget`], but the member is told.
pub(crate) fn leave(shared: &Arc<Shared>, name: &str, member: MemberId) {
    if let Some(group) = shared.state().groups.get_mut(name) {
        for lane in group.held(member) {
            drop(group.ask_back(lane, member, None));
        }
    }
    forget(shared, name, member);
}

/// Takes the member for dead: its lanes go to others without its knowing.
pub(crate) fn forget(shared: &Arc<Shared>, name: &str, member: MemberId) {
    let asked = match shared.state().groups.get_mut(name) {
        Some(group) => {
            group.members.remove(&member);
            group
                .owners
                .retain(|_, owner| !matches!(owner, Owner::Held(m) | Owner::Leaving { from: m, .. } if *m == member));
            group.balance()
        }
        None => return,
    };
    await_acks(shared, name, asked);
}

pub(crate) fn move_lane(shared: &Arc<Shared>, lane: LaneId, name: &str, to: MemberId) {
    let asked = match shared.state().groups.get_mut(name) {
        Some(group) => match group.owners.get(&lane).copied() {
            Some(Owner::Held(from)) if from != to => vec![group.ask_back(lane, from, Some(to))],
            _ => return,
        },
        None => return,
    };
    await_acks(shared, name, asked);
}

fn await_acks(shared: &Arc<Shared>, name: &str, asked: Vec<Asked>) {
    for (lane, acked) in asked {
        let (shared, name) = (Arc::clone(shared), name.to_owned());
        tokio::spawn(async move {
            let _ = acked.await;
            let asked = shared.state().groups.get_mut(&name).map(|group| group.settle(lane));
            await_acks(&shared, &name, asked.unwrap_or_default());
        });
    }
}
