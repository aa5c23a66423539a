//! What follows when somebody cancels a saga.
//!
//! Separate because a cancel is answered even when it comes too late: whoever asked must learn why.

use super::draft::Draft;
use super::rollback;
use crate::cause::{By, Cause};
use crate::event::Fact;
use crate::ids::Direction;

/// Rolls a saga back that is moving forward, or was before it came to a stand.
pub(super) fn cancel(draft: &mut Draft<'_>, by: &By) {
    if draft.state().direction() != Some(Direction::Forward) {
        return;
    }
    match draft.point_of_no_return() {
        Some(pivot) => {
            let reason = format!("the pivot {pivot} may have happened: from there the saga only goes forward");
            draft.push(Fact::CancelRefused { by: by.clone(), reason });
        }
        None => rollback::roll_back_everything(draft, Cause::Cancelled { by: by.clone() }),
    }
}
