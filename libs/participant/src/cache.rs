//! A map of bounded size that forgets what was used longest ago. Ours, because a lane needs no more than this.

use std::collections::{BTreeMap, HashMap};

use backstitch_event_store::StreamId;

pub(crate) struct Cache<V> {
    max: usize,
    clock: u64,
    entries: HashMap<StreamId, (u64, V)>,
    by_age: BTreeMap<u64, StreamId>,
}

impl<V> Cache<V> {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, clock: 0, entries: HashMap::new(), by_age: BTreeMap::new() }
    }

    /// Takes it out.
    pub(crate) fn take(&mut self, stream: &StreamId) -> Option<V> {
        let (age, value) = self.entries.remove(stream)?;
        self.by_age.remove(&age);
        Some(value)
    }

    /// Puts it in as the youngest.
    pub(crate) fn put(&mut self, stream: StreamId, value: V) {
        self.take(&stream);
        self.clock += 1;
        self.by_age.insert(self.clock, stream.clone());
        self.entries.insert(stream, (self.clock, value));
        while self.entries.len() > self.max
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.entries.remove(&oldest);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.by_age.clear();
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_is_forgotten_first() {
        let mut cache = Cache::new(2);
        let stream = |key: &'static str| StreamId::of("s", key);
        cache.put(stream("a"), 1);
        cache.put(stream("b"), 2);
        let a = cache.take(&stream("a")).unwrap();
        cache.put(stream("a"), a);
        cache.put(stream("c"), 3);
        assert_eq!(cache.len(), 2);
        assert_eq!(
            (cache.take(&stream("b")), cache.take(&stream("a")), cache.take(&stream("c"))),
            (None, Some(1), Some(3))
        );
        assert_eq!(cache.len(), 0);
    }
}
