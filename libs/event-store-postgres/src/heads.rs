//! Locking heads. Separate, because the order of locks is what keeps lanes from deadlocking: it is decided here once.
//!
//! Missing heads are inserted first, then all are locked, both in the order of their names. A writer holds no lock while
//! it inserts but those on heads it inserted itself, so that no two can wait for each other.

use std::collections::{BTreeMap, BTreeSet};

use backstitch_event_store::{StreamId, StreamVersion};
use sqlx::{PgConnection, Row as _};

/// Makes sure that there is a head to lock for each stream. Needs a transaction, as [`lock_heads`] does.
///
/// # Errors
/// The database's error.
pub async fn insert_missing_heads(streams: &BTreeSet<StreamId>, db: &mut PgConnection) -> Result<(), sqlx::Error> {
    if streams.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO store.streams (id, version)
         SELECT n.id, 0 FROM unnest($1::text[]) AS n (id) ORDER BY n.id COLLATE \"C\"
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(names(streams))
    .execute(db)
    .await?;
    Ok(())
}

/// Locks the heads of `written` exclusively and those of `read` against writers, until the transaction ends; answers
/// where they are. Heads that do not exist are not locked and not answered.
///
/// # Errors
/// The database's error.
pub async fn lock_heads(
    written: &BTreeSet<StreamId>,
    read: &BTreeSet<StreamId>,
    db: &mut PgConnection,
) -> Result<BTreeMap<StreamId, StreamVersion>, sqlx::Error> {
    let mut heads = BTreeMap::new();
    // Runs of one kind are locked in one round trip; mixed kinds alternate, so that the order holds over both.
    for (exclusively, run) in runs(written, read) {
        let text = if exclusively { LOCK_WRITTEN } else { LOCK_READ };
        for row in sqlx::query(text).bind(run).fetch_all(&mut *db).await? {
            heads.insert(crate::rows::stream_of(&row, "id")?, StreamVersion::from_i64(row.try_get("version")?));
        }
    }
    Ok(heads)
}

const LOCK_WRITTEN: &str =
    "SELECT id, version FROM store.streams WHERE id = ANY($1) ORDER BY id COLLATE \"C\" FOR UPDATE";
const LOCK_READ: &str = "SELECT id, version FROM store.streams WHERE id = ANY($1) ORDER BY id COLLATE \"C\" FOR SHARE";

fn runs(written: &BTreeSet<StreamId>, read: &BTreeSet<StreamId>) -> Vec<(bool, Vec<String>)> {
    let mut runs: Vec<(bool, Vec<String>)> = Vec::new();
    for stream in written.union(read) {
        let exclusively = written.contains(stream);
        match runs.last_mut() {
            Some((kind, run)) if *kind == exclusively => run.push(stream.to_string()),
            _ => runs.push((exclusively, vec![stream.to_string()])),
        }
    }
    runs
}

fn names(streams: &BTreeSet<StreamId>) -> Vec<String> {
    streams.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_taken_in_the_order_of_names_whatever_their_kind() {
        let set = |names: &[&'static str]| names.iter().map(|name| StreamId::of("s", name)).collect();
        let runs = runs(&set(&["a", "b", "d"]), &set(&["c", "e"]));
        let flat: Vec<_> = runs.iter().flat_map(|(_, run)| run.clone()).collect();
        assert_eq!(flat, ["s-a", "s-b", "s-c", "s-d", "s-e"]);
        assert_eq!(runs.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [true, false, true, false]);
    }
}
