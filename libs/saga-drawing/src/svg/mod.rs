//! A definition as an SVG picture: the way forward goes down on the left, the way back goes up on the right.
//!
//! Separate from the layout: here a picture is put together; where everything stands is found in `layout`, and how each
//! thing looks is told in `canvas`.

mod canvas;
mod layout;

use backstitch_saga::definition::sketch::{Otherwise, Part, Sketch, StepSketch};

use crate::labels;
use canvas::{Canvas, Ink};
use layout::{
    BACK_WIDTH, BOX_WIDTH, Lanes, PAD, box_height, branches_left, choice_branches, measure, measure_flow, measure_group,
};

/// Room between two things that follow one another.
const STEP_GAP: f64 = 46.0;
const HEAD: f64 = 74.0;
const PILL_HEIGHT: f64 = 34.0;
/// An event that starts a saga, and its topic.
const START_HEIGHT: f64 = 42.0;

/// The picture, complete with its own colours and fonts.
#[must_use]
pub fn svg(sketch: &Sketch) -> String {
    let flow = measure_flow(&sketch.flow);
    let starts = sketch.starts.len().max(1);
    let start_height = START_HEIGHT * starts_as(starts);
    let width = flow.width.max(Lanes::at(0.0).right()) + 2.0 * PAD;
    let height = HEAD + start_height + flow.height + STEP_GAP + PILL_HEIGHT + 2.0 * PAD;
    let mut drawing = Drawing { canvas: Canvas::new(width, height), pivot_passed: false };
    drawing.head(sketch);
    drawing.all(sketch, start_height);
    drawing.canvas.finish()
}

#[expect(clippy::cast_precision_loss, reason = "a definition has few triggers")]
const fn starts_as(count: usize) -> f64 {
    count as f64
}

struct Drawing {
    canvas: Canvas,
    pivot_passed: bool,
}

/// The way back, seen from where the drawing is.
#[derive(Clone, Copy)]
struct Back {
    /// The lower end of what was drawn of it so far.
    y: f64,
    /// Whether something ends there, or the way only goes on.
    ends: bool,
}

impl Back {
    const fn at(y: f64) -> Self {
        Self { y, ends: true }
    }

    const fn joins(y: f64) -> Self {
        Self { y, ends: false }
    }
}

impl Drawing {
    fn head(&mut self, sketch: &Sketch) {
        self.canvas.text(PAD, PAD + 14.0, &sketch.name, Ink::Title);
        let mut about = format!("version {}", sketch.version);
        if let Some(deadline) = sketch.deadline {
            about = format!("{about} · rolled back after {deadline}");
        }
        self.canvas.text(PAD, PAD + 34.0, &about, Ink::Muted);
    }

    fn all(&mut self, sketch: &Sketch, start_height: f64) {
        let lanes = Lanes::at(PAD);
        let top = PAD + HEAD;
        let words: Vec<[String; 2]> = match sketch.starts.as_slice() {
            [] => vec![["StartSaga".to_owned(), "by name".to_owned()]],
            starts => starts.iter().map(|start| [start.event.clone(), start.topic.clone()]).collect(),
        };
        self.canvas.start_pill(lanes.forward, top, start_height, &words);
        self.canvas.pill(lanes.back, top - HEAD + 22.0, PILL_HEIGHT, "rolled back", Ink::Back);
        let mut back = Back::at(top - HEAD + 22.0 + PILL_HEIGHT);
        let undo = sketch.starts.iter().find_map(|start| start.undo.as_ref());
        if let Some(undo) = undo {
            self.canvas.undo_box(lanes.back, top, &labels::undo(undo));
            self.canvas.back_way(lanes.back, top, back.y, back.ends);
            back = Back::at(top + canvas::UNDO_HEIGHT);
        }
        let (y, _) = self.flow(&sketch.flow, PAD, top + start_height, back);
        let label = self.canvas.take_label();
        self.canvas.forward_arrow(lanes.forward, y, y + STEP_GAP, &label);
        self.canvas.pill(lanes.forward, y + STEP_GAP, PILL_HEIGHT, "completed", Ink::Done);
    }

    /// Draws what follows one another from `left`, below `y`; answers the lower end of both ways.
    fn flow(&mut self, parts: &[Part], left: f64, y: f64, back: Back) -> (f64, Back) {
        let (mut y, mut back, mut label) = (y, back, String::new());
        for part in parts {
            let top = y + STEP_GAP;
            let lanes = Lanes::at(left);
            y = top + measure(part).height;
            match part {
                Part::Step(step) => {
                    self.canvas.forward_arrow(lanes.forward, top - STEP_GAP, top, &label);
                    back = self.step(step, lanes, top, y, back);
                    label = labels::done(step);
                }
                Part::Group { branches, together } => {
                    self.canvas.forward_line(lanes.forward, top - STEP_GAP, top, &label);
                    let branches: Vec<&[Part]> = branches.iter().map(Vec::as_slice).collect();
                    back = self.group(
                        &Frame { words: labels::group(*together), conditions: &[] },
                        &branches,
                        left,
                        top,
                        back,
                    );
                    label = String::new();
                }
                Part::Choice { name, when, branches, otherwise } => {
                    self.canvas.forward_line(lanes.forward, top - STEP_GAP, top, &label);
                    let mut conditions: Vec<&str> = branches.iter().map(|(when, _)| when.as_str()).collect();
                    conditions.push(match otherwise {
                        Otherwise::Does(_) => "otherwise",
                        Otherwise::GoesOn => "otherwise it goes on",
                        Otherwise::RollsBack => "otherwise it is rolled back",
                    });
                    let words = labels::choice(name, when.as_ref());
                    let branches = choice_branches(branches, otherwise);
                    back = self.group(&Frame { words: &words, conditions: &conditions }, &branches, left, top, back);
                    label = String::new();
                }
                Part::ForEach { name, when, list, at_once, body, together } => {
                    self.canvas.forward_line(lanes.forward, top - STEP_GAP, top, &label);
                    let words = labels::for_each(name, when.as_ref(), list, *at_once, *together);
                    back = self.group(&Frame { words: &words, conditions: &[] }, &[body.as_slice()], left, top, back);
                    label = String::new();
                }
            }
        }
        self.canvas.pending_label(&label);
        (y, back)
    }

    /// Draws a step, whose place ends at `end`; answers the lower end of the way back.
    fn step(&mut self, step: &StepSketch, lanes: Lanes, top: f64, end: f64, back: Back) -> Back {
        let bottom = top + box_height(step);
        self.canvas.forward_line(lanes.forward, bottom, end, "");
        self.canvas.step_box(lanes.forward, top, bottom - top, step);
        if step.when.is_some() {
            self.canvas.bypass(lanes.left(), top, end);
        }
        if self.pivot_passed || step.is_pivot {
            self.past_the_pivot(step, lanes, top, bottom, back);
            if step.is_pivot {
                self.pivot_passed = true;
                self.canvas.point_of_no_return(lanes, bottom + 20.0);
            }
            return back;
        }
        let mut next = self.way_back(step, lanes, top, back);
        if let Some(event) = labels::taken_back(step) {
            self.canvas.note(lanes.back, next.y + 14.0, &format!("also on a later {event}"));
            next.y += 18.0;
        }
        next
    }

    /// Refused: it did not happen, and what came before is undone. Silent: it may have happened.
    fn way_back(&mut self, step: &StepSketch, lanes: Lanes, top: f64, back: Back) -> Back {
        let right = lanes.forward + BOX_WIDTH / 2.0;
        let mut joins = Vec::new();
        if let Some(refused) = labels::refused(step) {
            joins.push((top + 12.0, refused));
        }
        if step.undo.is_none() && labels::may_fall_silent(step) {
            joins.push((top + 34.0, "silent".to_owned()));
        }
        for (y, label) in &joins {
            self.canvas.line_back(right, *y, lanes.back, label);
        }
        let lowest = joins.last().map(|(y, _)| *y);
        if let Some(undo) = &step.undo {
            let undo_top = top + 24.0;
            let left = lanes.back - BACK_WIDTH / 2.0;
            self.canvas.undo_box(lanes.back, undo_top, &labels::undo(undo));
            self.canvas.silent(right, undo_top + canvas::UNDO_HEIGHT / 2.0, left, "silent");
            self.canvas.back_way(lanes.back, undo_top, back.y, back.ends);
            return Back::at(undo_top + canvas::UNDO_HEIGHT);
        }
        match lowest {
            Some(y) => {
                self.canvas.back_way(lanes.back, y, back.y, back.ends);
                Back::joins(y)
            }
            None => back,
        }
    }

    /// Refused before the pivot is done leads back; silent, and everything after it, leads to a person.
    fn past_the_pivot(&mut self, step: &StepSketch, lanes: Lanes, top: f64, bottom: f64, back: Back) {
        let right = lanes.forward + BOX_WIDTH / 2.0;
        let refused = labels::refused(step);
        let mut stuck = Vec::new();
        if let Some(refused) = refused {
            if self.pivot_passed {
                stuck.push(refused);
            } else {
                self.canvas.line_back(right, top + 12.0, lanes.back, &refused);
                self.canvas.back_way(lanes.back, top + 12.0, back.y, back.ends);
            }
        }
        if labels::may_fall_silent(step) {
            stuck.push("silent".to_owned());
        }
        if !stuck.is_empty() {
            let y = bottom - 17.0;
            self.canvas.silent(right, y, lanes.back - BACK_WIDTH / 2.0, &stuck.join(", "));
            self.canvas.pill(lanes.back, y - PILL_HEIGHT / 2.0, PILL_HEIGHT, "stuck: a person", Ink::Stuck);
        }
    }

    fn group(&mut self, frame: &Frame<'_>, branches: &[&[Part]], left: f64, top: f64, back: Back) -> Back {
        let size = measure_group(branches);
        let bottom = top + size.height;
        let outer = Lanes::at(left);
        self.canvas.frame(left, top, size, outer.forward + 12.0, frame.words);
        let (fork, join) = (top + layout::FRAME_TOP, bottom - layout::FRAME_BOTTOM);
        let lefts = branches_left(branches, left);
        let inner: Vec<Lanes> = lefts.iter().map(|left| Lanes::at(*left)).collect();
        let undone_at = fork - 12.0;
        self.canvas.bar(&inner, outer.back, undone_at, |lanes| lanes.back, Ink::Back);
        self.canvas.bar(&inner, outer.forward, fork, |lanes| lanes.forward, Ink::Forward);
        self.canvas.bar(&inner, outer.forward, join, |lanes| lanes.forward, Ink::Forward);
        let pivot_before = self.pivot_passed;
        let mut pivot_passed = pivot_before;
        for (index, (branch, left)) in branches.iter().zip(&lefts).enumerate() {
            self.pivot_passed = pivot_before;
            let (y, _) = self.flow(branch, *left, fork, Back::at(undone_at));
            pivot_passed |= self.pivot_passed;
            let label = self.canvas.take_label();
            let lanes = Lanes::at(*left);
            self.canvas.forward_line(lanes.forward, y, join, &label);
            if let Some(condition) = frame.conditions.get(index) {
                self.canvas.condition(lanes.forward + 8.0, fork + 16.0, condition);
            }
        }
        self.pivot_passed = pivot_passed;
        self.canvas.forward_line(outer.forward, top, fork, "");
        self.canvas.forward_line(outer.forward, join, bottom, "");
        self.canvas.back_way(outer.back, undone_at, back.y, back.ends);
        Back::at(bottom)
    }
}

/// The words of a frame: what it is, and under which condition each of its branches is taken.
struct Frame<'w> {
    words: &'w str,
    conditions: &'w [&'w str],
}
