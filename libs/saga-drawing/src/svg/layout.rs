//! Where everything stands: how much room each part needs.
//!
//! Separate because sizes are needed before anything is drawn.

use backstitch_saga::definition::sketch::{Otherwise, Part, StepSketch};

use crate::labels;

/// Room around the whole.
pub(super) const PAD: f64 = 28.0;
/// A step's box.
pub(super) const BOX_WIDTH: f64 = 230.0;
/// A box on the way back.
pub(super) const BACK_WIDTH: f64 = 170.0;
/// Between the way forward and the way back: answers stand there.
const BETWEEN: f64 = 150.0;
/// Left of the boxes: where a skipped step is passed by.
const BYPASS: f64 = 22.0;
/// Above a frame's branches: its words, and the bars.
pub(super) const FRAME_TOP: f64 = 46.0;
/// Below them: the bar where they meet.
pub(super) const FRAME_BOTTOM: f64 = 18.0;
const FRAME_SIDE: f64 = 14.0;
const STEP_GAP: f64 = super::STEP_GAP;

/// The two ways of one flow.
#[derive(Clone, Copy)]
pub(super) struct Lanes {
    /// The middle of the way forward.
    pub(super) forward: f64,
    /// The middle of the way back.
    pub(super) back: f64,
}

impl Lanes {
    /// Those of a flow that begins at `left`.
    pub(super) const fn at(left: f64) -> Self {
        let forward = left + BYPASS + BOX_WIDTH / 2.0;
        Self { forward, back: forward + BOX_WIDTH / 2.0 + BETWEEN + BACK_WIDTH / 2.0 }
    }

    /// Where a skipped step is passed by.
    pub(super) const fn left(self) -> f64 {
        self.forward - BOX_WIDTH / 2.0 - 14.0
    }

    /// The right end of the way back.
    pub(super) const fn right(self) -> f64 {
        self.back + BACK_WIDTH / 2.0
    }
}

/// How much room something needs.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) width: f64,
    pub(super) height: f64,
}

/// The height of a step's box: its name and its lines.
#[expect(clippy::cast_precision_loss, reason = "a step has few lines")]
pub(super) fn box_height(step: &StepSketch) -> f64 {
    let lines = labels::lines(step).len() as f64;
    30.0 + 17.0 * lines + 8.0
}

/// The room of a part.
pub(super) fn measure(part: &Part) -> Size {
    match part {
        Part::Step(step) => {
            // What undoes a step, and what else is told there, may reach lower than its box.
            let back = if step.undo.is_some() { 72.0 } else { 0.0 };
            let note = if labels::taken_back(step).is_some() { 22.0 } else { 0.0 };
            let no_return = if step.is_pivot { 26.0 } else { 0.0 };
            let height = (box_height(step) + no_return).max(back + note);
            Size { width: Lanes::at(0.0).right(), height }
        }
        Part::Group { branches, .. } => measure_group(&branches.iter().map(Vec::as_slice).collect::<Vec<_>>()),
        Part::Choice { branches, otherwise, .. } => measure_group(&choice_branches(branches, otherwise)),
        Part::ForEach { body, .. } => measure_group(&[body.as_slice()]),
    }
}

/// The branches of a choice; where nothing is done otherwise, that is a branch too.
pub(super) fn choice_branches<'p>(branches: &'p [(String, Vec<Part>)], otherwise: &'p Otherwise) -> Vec<&'p [Part]> {
    let last: &[Part] = match otherwise {
        Otherwise::Does(parts) => parts,
        Otherwise::GoesOn | Otherwise::RollsBack => &[],
    };
    branches.iter().map(|(_, parts)| parts.as_slice()).chain([last]).collect()
}

/// The room of a group.
pub(super) fn measure_group(branches: &[&[Part]]) -> Size {
    let sizes: Vec<Size> = branches.iter().map(|branch| measure_flow(branch)).collect();
    let width: f64 = sizes.iter().map(|size| size.width + FRAME_SIDE).sum();
    let height = sizes.iter().map(|size| size.height).fold(0.0, f64::max);
    Size { width: width + FRAME_SIDE, height: FRAME_TOP + height + STEP_GAP + FRAME_BOTTOM }
}

/// The room of parts below each other, each with the gap above it.
pub(super) fn measure_flow(parts: &[Part]) -> Size {
    parts.iter().map(measure).fold(Size { width: Lanes::at(0.0).right(), height: 0.0 }, |all, part| Size {
        width: all.width.max(part.width),
        height: all.height + STEP_GAP + part.height,
    })
}

/// Where each branch of a group begins.
pub(super) fn branches_left(branches: &[&[Part]], left: f64) -> Vec<f64> {
    let mut at = left + FRAME_SIDE;
    let mut lefts = Vec::new();
    for branch in branches {
        lefts.push(at);
        at += measure_flow(branch).width + FRAME_SIDE;
    }
    lefts
}
