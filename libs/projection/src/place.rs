//! Where a reader is in one partition, be it of a topic or of a store. Separate, because checkpoints, holds and comparisons
//! speak of both alike.

use backstitch_event_store::Cursor;

/// The next event that is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Place {
    /// Orders a store's events before their position does; 0 in topics.
    pub(crate) transaction: i64,
    /// An offset in a topic, a position in a store.
    pub(crate) offset: i64,
}

impl Place {
    /// In a topic.
    pub(crate) const fn offset(offset: i64) -> Self {
        Self { transaction: 0, offset }
    }

    /// In a store, after the event there.
    pub(crate) fn after(cursor: Cursor) -> Self {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        Self { transaction: signed(cursor.transaction), offset: signed(cursor.position).saturating_add(1) }
    }

    /// The last event of a store that was read.
    pub(crate) fn cursor(self) -> Cursor {
        let unsigned = |number: i64| u64::try_from(number).unwrap_or(0);
        Cursor { transaction: unsigned(self.transaction), position: unsigned(self.offset - 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_store_is_its_cursor_and_the_beginning_is_the_beginning() {
        let cursor = Cursor { transaction: 7, position: 3 };
        assert_eq!(Place::after(cursor), Place { transaction: 7, offset: 4 });
        assert_eq!(Place::after(cursor).cursor(), cursor);
        assert_eq!(Place::default().cursor(), Cursor::default());
        assert!(Place { transaction: 7, offset: 9 } < Place { transaction: 8, offset: 1 }, "transaction first");
    }
}
