//! The sagas of a lane in memory. Separate, because most of them wait, some for weeks: one that has not moved for a while
//! is packed into a few hundred bytes, and wakes when something concerns it. Whoever decides sees only sagas that are awake.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use backstitch_processor::chain;
use backstitch_saga::Definition;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::Live;

/// A saga that has not moved for so long is packed. Longer than a saga lasts where nobody waits.
const PACKED_AFTER: TimeDelta = TimeDelta::seconds(10);
/// So many are packed at once, and twice as many as have moved or woken meanwhile: a batch must not wait for a crowd.
const PACKED_AT_LEAST: usize = 64;

/// A saga that was packed and cannot be unpacked: a fault of this program, since it has packed it itself.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnpackError {
    #[error("it does not decompress")]
    Compression(#[from] lz4_flex::block::DecompressError),
    #[error("it is no saga")]
    Saga(#[from] serde_json::Error),
}

/// The sagas, awake or packed.
#[derive(Debug, Default)]
pub(super) struct Residents {
    sagas: HashMap<Uuid, Resident>,
    /// Those that have moved, and when; of several entries for one saga the last counts.
    moved: VecDeque<(Uuid, DateTime<Utc>)>,
    /// How many have moved or woken since sagas were last packed.
    fresh: usize,
}

#[derive(Debug)]
enum Resident {
    Awake { live: Box<Live>, since: DateTime<Utc> },
    Packed(Packed),
}

/// All of a saga but its definition, which many share.
#[derive(Debug)]
struct Packed {
    definition: Arc<Definition>,
    bytes: Box<[u8]>,
}

impl Residents {
    /// The saga, if it is here and awake.
    pub(super) fn get(&self, id: &Uuid) -> Option<&Live> {
        match self.sagas.get(id)? {
            Resident::Awake { live, .. } => Some(live),
            Resident::Packed(_) => None,
        }
    }

    /// Whether it is here, awake or not.
    pub(super) fn contains(&self, id: &Uuid) -> bool {
        self.sagas.contains_key(id)
    }

    pub(super) fn len(&self) -> usize {
        self.sagas.len()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// A saga that has moved.
    pub(super) fn insert(&mut self, id: Uuid, live: Live) {
        let since = live.updated_at;
        self.sagas.insert(id, Resident::Awake { live: Box::new(live), since });
        self.moved.push_back((id, since));
        self.fresh += 1;
    }

    /// A saga that has been read from its row just now, and has not moved here.
    pub(super) fn lay_down(&mut self, id: Uuid, live: Live) {
        match Packed::of(&live) {
            Ok(packed) => drop(self.sagas.insert(id, Resident::Packed(packed))),
            Err(_) => self.insert(id, live),
        }
    }

    pub(super) fn remove(&mut self, id: &Uuid) {
        self.sagas.remove(id);
    }

    /// Something concerns the saga: it is unpacked, if it is here and packed.
    pub(super) fn wake(&mut self, id: Uuid, now: DateTime<Utc>) -> Result<(), UnpackError> {
        let Some(resident) = self.sagas.get_mut(&id) else { return Ok(()) };
        let Resident::Packed(packed) = resident else { return Ok(()) };
        let live = packed.unpack().inspect_err(|error| {
            tracing::error!(saga_id = %id, error = chain(error), "a saga in memory cannot be read");
        })?;
        *resident = Resident::Awake { live: Box::new(live), since: now };
        self.moved.push_back((id, now));
        self.fresh += 1;
        Ok(())
    }

    /// Packs sagas that have not moved for a while.
    pub(super) fn pack_idle(&mut self, now: DateTime<Utc>) {
        let mut left = PACKED_AT_LEAST + 2 * std::mem::take(&mut self.fresh);
        while left > 0
            && let Some((id, at)) = self.moved.pop_front_if(|(_, at)| now - *at >= PACKED_AFTER)
        {
            let Some(resident) = self.sagas.get_mut(&id) else { continue };
            let Resident::Awake { live, since } = resident else { continue };
            // It has moved again, and another entry says when.
            if *since != at {
                continue;
            }
            left -= 1;
            // One that would not come out as it went in stays awake until it moves again.
            if let Some(packed) = Packed::exactly(live) {
                *resident = Resident::Packed(packed);
            }
        }
    }
}

#[cfg(test)]
impl Residents {
    /// As a fault of the machine would.
    pub(super) fn spoil(&mut self, id: &Uuid) {
        if let Some(Resident::Packed(packed)) = self.sagas.get_mut(id) {
            packed.bytes = Box::new([9, 9]);
        }
    }
}

impl Packed {
    /// The saga packed, if it can be unpacked to the same.
    fn exactly(live: &Live) -> Option<Self> {
        let packed = Self::of(live).ok()?;
        packed.unpack().is_ok_and(|unpacked| unpacked == *live).then_some(packed)
    }

    /// Two JSON texts, one after the other: the state as its row has it, which holds JSON and has no other form, then the
    /// rest. Compressed, because JSON repeats itself.
    fn of(live: &Live) -> Result<Self, serde_json::Error> {
        let Live { definition, key, state, seq, correlation_id, user_id, trace, .. } = live;
        let Live { started_at, updated_at, search, counted, stored, .. } = live;
        let mut text = serde_json::to_vec(state)?;
        let (whose, times, marks) = ((key, user_id, correlation_id), (started_at, updated_at), (counted, stored));
        serde_json::to_writer(&mut text, &(whose, seq, trace, times, search, marks))?;
        let bytes = lz4_flex::compress_prepend_size(&text).into_boxed_slice();
        Ok(Self { definition: definition.clone(), bytes })
    }

    fn unpack(&self) -> Result<Live, UnpackError> {
        let text = lz4_flex::decompress_size_prepended(&self.bytes)?;
        let mut texts = serde_json::Deserializer::from_slice(&text);
        let state = Deserialize::deserialize(&mut texts)?;
        let ((key, user_id, correlation_id), seq, trace, (started_at, updated_at), search, (counted, stored)) =
            Deserialize::deserialize(&mut texts)?;
        let definition = self.definition.clone();
        Ok(Live {
            definition,
            key,
            state,
            seq,
            correlation_id,
            user_id,
            trace,
            started_at,
            updated_at,
            search,
            counted,
            stored,
        })
    }
}
