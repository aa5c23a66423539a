//! The processor's own parts of a batch's statement: the fence with the offsets, the outbox, timers and jobs.

use backstitch_messaging::LaneId;
use sqlx::types::Json;

use crate::claim::offsets_json;
use crate::effects::{Effects, TimerChange};
use crate::gate::Positions;
use crate::outbox::pack;
use crate::statement::{FENCED, Statement};

/// Deletes the lane's rows of these ids. They are looked up one by one: joined with the ids, a table whose rows come and go,
/// and which was empty when the plan was made, is walked once for each of them. Nobody else moves a row of the lane meanwhile,
/// or the fence fails.
macro_rules! delete_by_id {
    ($table:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE ctid = ANY (ARRAY(SELECT (SELECT t.ctid FROM ",
            $table,
            " AS t WHERE t.lane = n.lane AND t.id = n.id)
                 FROM unnest($1::integer[], $2::text[]) AS n (lane, id)))"
        )
    };
}

/// What the fence compares and sets.
#[derive(Debug)]
pub struct Fence<'a> {
    /// The lane.
    pub lane: LaneId,
    /// The claim under which this is written.
    pub epoch: i64,
    /// The lane's commits before this one.
    pub commits: i64,
    /// The next offset of each partition, after this batch.
    pub positions: &'a Positions,
    /// Outbox rows up to this commit are of no use any more.
    pub published: i64,
    /// Whether to delete them.
    pub prune: bool,
}

impl Fence<'_> {
    /// The statement of a batch, up to the logic's own parts.
    pub(crate) fn open(&self, effects: &Effects) -> Result<Statement, sqlx::Error> {
        let mut statement = Statement::new();
        statement
            .part(
                "fence",
                "UPDATE processor.lanes AS l SET commits = l.commits + 1, next_offsets = n.offsets, published = n.published
                 FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::jsonb[], $5::bigint[])
                      AS n (lane, epoch, commits, offsets, published)
                 WHERE l.lane = n.lane AND l.epoch = n.epoch AND l.commits = n.commits RETURNING 1",
            )
            .bind(vec![self.lane.0])
            .bind(vec![self.epoch])
            .bind(vec![self.commits])
            .bind(vec![offsets_json(self.positions)])
            .bind(vec![self.published])
            .expect(1, FENCED);
        self.outbox(effects, &mut statement)?;
        self.timers(effects, &mut statement);
        self.jobs(effects, &mut statement);
        Ok(statement)
    }

    /// The lane's number, as often as there are rows.
    fn lanes(&self, rows: usize) -> Vec<i32> {
        vec![self.lane.0; rows]
    }

    fn outbox(&self, effects: &Effects, statement: &mut Statement) -> Result<(), sqlx::Error> {
        if !effects.records.is_empty() {
            let packed = pack(&effects.records).map_err(|error| sqlx::Error::Encode(error.into()))?;
            statement
                .part(
                    "outbox_added",
                    "INSERT INTO processor.outbox (lane, seq, records)
                     SELECT * FROM unnest($1::integer[], $2::bigint[], $3::bytea[])",
                )
                .bind(self.lanes(1))
                .bind(vec![self.commits + 1])
                .bind(vec![packed]);
        }
        if self.prune {
            statement
                .part(
                    "outbox_pruned",
                    "DELETE FROM processor.outbox AS o USING unnest($1::integer[], $2::bigint[]) AS n (lane, published)
                     WHERE o.lane = n.lane AND o.seq <= n.published",
                )
                .bind(self.lanes(1))
                .bind(vec![self.published]);
        }
        Ok(())
    }

    fn timers(&self, effects: &Effects, statement: &mut Statement) {
        let mut set = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut cancelled = Vec::new();
        for (id, change) in &effects.timers {
            match change {
                TimerChange::Set(timer) if timer.stored => {
                    set.0.push(timer.id.clone());
                    set.1.push(timer.due_at);
                    set.2.push(Json(timer.payload.clone()));
                    set.3.push(timer.trace.clone().map(Json));
                }
                TimerChange::Set(_) => {}
                TimerChange::Cancel => cancelled.push(id.clone()),
            }
        }
        if !set.0.is_empty() {
            statement
                .part(
                    "timers_set",
                    "INSERT INTO processor.timers (lane, id, due_at, payload, trace)
                     SELECT * FROM unnest($1::integer[], $2::text[], $3::timestamptz[], $4::jsonb[], $5::jsonb[])
                     ON CONFLICT (lane, id) DO UPDATE
                        SET due_at = excluded.due_at, payload = excluded.payload, trace = excluded.trace",
                )
                .bind(self.lanes(set.0.len()))
                .bind(set.0)
                .bind(set.1)
                .bind(set.2)
                .bind(set.3);
        }
        if !cancelled.is_empty() {
            statement
                .part("timers_gone", delete_by_id!("processor.timers"))
                .bind(self.lanes(cancelled.len()))
                .bind(cancelled);
        }
    }

    fn jobs(&self, effects: &Effects, statement: &mut Statement) {
        if !effects.jobs.is_empty() {
            let of = |field: fn(&crate::Job) -> String| effects.jobs.iter().map(field).collect::<Vec<_>>();
            statement
                .part(
                    "jobs_added",
                    "INSERT INTO processor.jobs (lane, id, kind, payload, trace)
                     SELECT * FROM unnest($1::integer[], $2::text[], $3::text[], $4::jsonb[], $5::jsonb[])
                     ON CONFLICT (lane, id) DO NOTHING",
                )
                .bind(self.lanes(effects.jobs.len()))
                .bind(of(|job| job.id.clone()))
                .bind(of(|job| job.kind.clone()))
                .bind(effects.jobs.iter().map(|job| Json(job.payload.clone())).collect::<Vec<_>>())
                .bind(effects.jobs.iter().map(|job| job.trace.clone().map(Json)).collect::<Vec<_>>());
        }
        if !effects.answered.is_empty() {
            statement
                .part("jobs_gone", delete_by_id!("processor.jobs"))
                .bind(self.lanes(effects.answered.len()))
                .bind(effects.answered.clone());
        }
    }
}
