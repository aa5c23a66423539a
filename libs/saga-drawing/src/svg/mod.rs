//! A definition as an SVG picture: the way forward goes down on the left, the way back goes up on the right.
//!
//! Separate from the layout: here a picture is put together; where everything stands is found in `layout`, and how each
//! thing looks is told in `canvas`.

mod canvas;
mod layout;

use backstitch_saga::definition::sketch::{Part, Sketch, StepSketch};

use crate::labels;
use canvas::{Canvas, Ink};
use layout::{BACK_WIDTH, BOX_WIDTH, Lanes, PAD, Size, box_height, branches_left, measure, measure_flow};

/// Room between two things that follow one another.
const STEP_GAP: f64 = 46.0;
const HEAD: f64 = 74.0;
const PILL_HEIGHT: f64 = 34.0;

/// The picture, complete with its own colours and fonts.
#[must_use]
pub fn svg(sketch: &Sketch) -> String {
    let flow = measure_flow(&sketch.flow);
    let starts = sketch.starts.len().max(1);
    let start_height = PILL_HEIGHT * starts_as(starts);
    let width = flow.width.max(Lanes::at(0.0).right()) + 2.0 * PAD + MARGIN_RIGHT;
    let height = HEAD + start_height + STEP_GAP + flow.height + STEP_GAP + PILL_HEIGHT + 2.0 * PAD;
    let mut drawing = Drawing { canvas: Canvas::new(width, height), pivot_passed: false };
    drawing.head(sketch);
    drawing.all(sketch, start_height);
    drawing.canvas.finish()
}

/// Room for what stands right of the way back: `stuck`.
const MARGIN_RIGHT: f64 = 40.0;

#[expect(clippy::cast_precision_loss, reason = "a definition has few triggers")]
const fn starts_as(count: usize) -> f64 {
    count as f64
}

struct Drawing {
    canvas: Canvas,
    pivot_passed: bool,
}

/// The way back, seen from where the drawing is: whether there is anything to go back to, and from which height on.
#[derive(Clone, Copy)]
struct Back {
    /// The lower edge of what is undone next.
    y: f64,
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
        let mut words: Vec<String> =
            sketch.starts.iter().map(|start| format!("{} · {}", start.event, start.topic)).collect();
        if words.is_empty() {
            words.push("StartSaga".to_owned());
        }
        self.canvas.pill(lanes.forward, top, start_height, &words, Ink::Forward);
        self.canvas.pill(lanes.back, top - HEAD + 22.0, PILL_HEIGHT, &["rolled back".to_owned()], Ink::Back);
        let mut back = Back { y: top - HEAD + 22.0 + PILL_HEIGHT };
        let undo = sketch.starts.iter().find_map(|start| start.undo.as_ref());
        if let Some(undo) = undo {
            self.canvas.undo_box(lanes.back, top, &labels::undo(undo));
            self.canvas.back_arrow(lanes.back, top, lanes.back, back.y);
            back.y = top + canvas::UNDO_HEIGHT;
        }
        let mut y = top + start_height;
        (y, back) = self.flow(&sketch.flow, PAD, y, back, "");
        self.canvas.forward_arrow(lanes.forward, y, y + STEP_GAP, "");
        self.canvas.pill(lanes.forward, y + STEP_GAP, PILL_HEIGHT, &["completed".to_owned()], Ink::Done);
        let _ = back;
    }

    /// Draws what follows one another from `left`, below `y`; answers the lower end of both ways.
    fn flow(&mut self, parts: &[Part], left: f64, y: f64, back: Back, label: &str) -> (f64, Back) {
        let (mut y, mut back, mut label) = (y, back, label.to_owned());
        for part in parts {
            let top = y + STEP_GAP;
            let lanes = Lanes::at(left);
            self.canvas.forward_arrow(lanes.forward, y, top, &label);
            match part {
                Part::Step(step) => {
                    (y, back) = self.step(step, lanes, top, back);
                    label = labels::done(step);
                }
                Part::Group { branches, together } => {
                    (y, back) = self.group(branches, *together, left, top, back);
                    label = String::new();
                }
            }
        }
        self.canvas.pending_label(&label);
        (y, back)
    }

    fn step(&mut self, step: &StepSketch, lanes: Lanes, top: f64, back: Back) -> (f64, Back) {
        let height = box_height(step);
        let bottom = top + height;
        self.canvas.step_box(lanes.forward, top, height, step);
        if step.when.is_some() {
            self.canvas.bypass(lanes.left(), top, bottom);
        }
        let right = lanes.forward + BOX_WIDTH / 2.0;
        let refused = labels::refused(step);
        let mut next = back;
        if self.pivot_passed || step.is_pivot {
            self.past_the_pivot(step, lanes, top, bottom, back);
        } else {
            if let Some(refused) = &refused {
                let y = top + 12.0;
                self.canvas.line_back(right, y, lanes.back, refused);
                if step.undo.is_none() {
                    self.canvas.back_arrow(lanes.back, y, lanes.back, back.y);
                    next = Back { y };
                }
            }
            if let Some(undo) = &step.undo {
                let undo_top = top + 24.0;
                self.canvas.undo_box(lanes.back, undo_top, &labels::undo(undo));
                self.canvas.silent(
                    right,
                    undo_top + canvas::UNDO_HEIGHT / 2.0,
                    lanes.back - BACK_WIDTH / 2.0,
                    "silent",
                );
                self.canvas.back_arrow(lanes.back, undo_top, lanes.back, back.y);
                next = Back { y: undo_top + canvas::UNDO_HEIGHT };
            } else if labels::may_fall_silent(step) {
                let y = top + 34.0;
                self.canvas.line_back(right, y, lanes.back, "silent");
                self.canvas.back_line(lanes.back, y, next.y);
                if refused.is_none() {
                    self.canvas.back_arrow(lanes.back, y, lanes.back, back.y);
                }
                next = Back { y };
            }
        }
        if let Some(event) = labels::taken_back(step) {
            self.canvas.note(lanes.back, next.y + 14.0, &format!("also on a later {event}"));
            next.y += 18.0;
        }
        if step.is_pivot {
            self.pivot_passed = true;
            self.canvas.point_of_no_return(lanes, bottom + 15.0);
        }
        (bottom, next)
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
                self.canvas.back_arrow(lanes.back, top + 12.0, lanes.back, back.y);
            }
        }
        if labels::may_fall_silent(step) {
            stuck.push("silent".to_owned());
        }
        if !stuck.is_empty() {
            let y = bottom - 17.0;
            self.canvas.silent(right, y, lanes.back - BACK_WIDTH / 2.0, &stuck.join(", "));
            self.canvas.pill(
                lanes.back,
                y - PILL_HEIGHT / 2.0,
                PILL_HEIGHT,
                &["stuck: a person".to_owned()],
                Ink::Stuck,
            );
        }
    }

    fn group(&mut self, branches: &[Vec<Part>], together: bool, left: f64, top: f64, back: Back) -> (f64, Back) {
        let size: Size = measure(&Part::Group { branches: branches.to_vec(), together });
        let bottom = top + size.height;
        let how = if together { "undone side by side" } else { "undone one by one, the latest first" };
        self.canvas.frame(left, top, size, &format!("all of these; {how}"));
        let outer = Lanes::at(left);
        let (fork, join) = (top + layout::FRAME_TOP, bottom - layout::FRAME_BOTTOM);
        let lefts = branches_left(branches, left);
        let inner: Vec<Lanes> = lefts.iter().map(|left| Lanes::at(*left)).collect();
        let undone_at = fork - 10.0;
        self.canvas.bar(&inner, outer.forward, fork, |lanes| lanes.forward, Ink::Forward);
        self.canvas.bar(&inner, outer.forward, join, |lanes| lanes.forward, Ink::Forward);
        self.canvas.bar(&inner, outer.back, undone_at, |lanes| lanes.back, Ink::Back);
        for (branch, left) in branches.iter().zip(&lefts) {
            let lanes = Lanes::at(*left);
            let (y, _) = self.flow(branch, *left, fork, Back { y: undone_at }, "");
            let label = self.canvas.take_label();
            self.canvas.forward_line(lanes.forward, y, join, &label);
        }
        self.canvas.forward_line(outer.forward, join, bottom, "");
        self.canvas.forward_line(outer.forward, top, fork, "");
        self.canvas.back_arrow(outer.back, undone_at, outer.back, back.y);
        (bottom, Back { y: bottom })
    }
}
