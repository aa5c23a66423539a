//! How long to wait before asking again: exponential, with full jitter.
//!
//! Separate because the jitter must not be random: it is derived from the command and the attempt, so that a replay
//! waits just as long, while thousands of sagas of one outage still spread out.

use std::time::Duration;

use uuid::Uuid;

use crate::ids::CommandId;

/// The wait after `attempt` (from 1) of `command`: between nothing and `first` doubled per attempt, at most `max`.
pub(crate) fn wait(command: CommandId, attempt: u32, first: Duration, max: Duration) -> Duration {
    let doubled = 2_u32.checked_pow(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    let bound = first.saturating_mul(doubled).min(max);
    let dice = Uuid::new_v5(&command.as_uuid(), &attempt.to_be_bytes());
    // Version and variant bits lie elsewhere: the first four bytes of a version 5 id are evenly spread.
    let [a, b, c, d, ..] = dice.into_bytes();
    let share = f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX);
    bound.mul_f64(share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Direction, SagaId, command_id};

    fn waits(attempt: u32) -> Vec<Duration> {
        let commands = (0..200).map(|number| {
            let saga = SagaId::derive("d", &number.to_string());
            command_id(saga, "s", None, Direction::Forward)
        });
        commands.map(|id| wait(id, attempt, Duration::from_millis(200), Duration::from_secs(30))).collect()
    }

    #[test]
    fn a_replay_waits_just_as_long() {
        assert_eq!(waits(3), waits(3));
    }

    #[test]
    fn waits_spread_between_nothing_and_a_bound_that_doubles() {
        for (attempt, bound_millis) in [(1, 200), (2, 400), (3, 800), (20, 30_000), (u32::MAX, 30_000)] {
            let bound = Duration::from_millis(bound_millis);
            let waits = waits(attempt);
            assert!(waits.iter().all(|wait| *wait <= bound));
            assert!(waits.iter().any(|wait| *wait > bound.mul_f64(0.9)));
            assert!(waits.iter().any(|wait| *wait < bound.mul_f64(0.1)));
        }
    }
}
