//! At which offset a partition ended. Separate, because the safe client hides it: an end-of-partition event yields the
//! partition's number alone, and only the text that precedes it, on the same thread, has the offset.

use std::cell::Cell;

thread_local! {
    static NOTED: Cell<Option<i64>> = const { Cell::new(None) };
}

/// Keeps the offset in librdkafka's text for the event that follows.
pub(crate) fn note(reason: &str) {
    NOTED.set(offset_in(reason));
}

/// The offset of the event just polled on this thread.
pub(crate) fn take() -> Option<i64> {
    NOTED.take()
}

fn offset_in(reason: &str) -> Option<i64> {
    let (_, rest) = reason.split_once("reached end of partition at offset ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_is_found_in_the_clients_words() {
        note("Fetch from broker 1 reached end of partition at offset 42 (HighwaterMark 43)");
        assert_eq!(take(), Some(42));
        assert_eq!(take(), None);
        note("something else");
        assert_eq!(take(), None);
    }
}
