//! How each thing looks: boxes, arrows, words.
//!
//! Separate because nothing here knows sagas' rules; colours and fonts are found in one place.

use std::fmt::Write as _;

use backstitch_saga::definition::sketch::{Does, StepSketch};

use super::layout::{BACK_WIDTH, BOX_WIDTH, Lanes, Size};
use crate::labels;

pub(super) const UNDO_HEIGHT: f64 = 46.0;

const STYLE: &str = "\
svg{background:#ffffff}text{font-family:Inter,'Segoe UI',Helvetica,Arial,sans-serif;font-size:12px;fill:#1f2937}\
.title{font-size:18px;font-weight:600}.name{font-weight:600;font-size:13px}.muted{fill:#6b7280}\
.cond{fill:#6d28d9;font-size:11px}.small{font-size:11px}.fwd{stroke:#1d4ed8}.bck{stroke:#b45309}\
.fwdt{fill:#1d4ed8;font-size:11px}.bckt{fill:#b45309;font-size:11px}.line{fill:none;stroke-width:1.5}\
.dash{stroke-dasharray:5 4}";

/// What is drawn with what colour.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Title,
    Muted,
    Forward,
    Back,
    Done,
    Stuck,
}

impl Ink {
    const fn fill_and_stroke(self) -> (&'static str, &'static str) {
        match self {
            Self::Title | Self::Muted | Self::Forward => ("#eff6ff", "#1d4ed8"),
            Self::Back => ("#fffbeb", "#b45309"),
            Self::Done => ("#ecfdf5", "#047857"),
            Self::Stuck => ("#fef2f2", "#b91c1c"),
        }
    }
}

/// The picture so far.
pub(super) struct Canvas {
    text: String,
    label: String,
}

impl Canvas {
    pub(super) fn new(width: f64, height: f64) -> Self {
        let mut canvas = Self { text: String::new(), label: String::new() };
        canvas.put(&format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
             height=\"{height:.0}\"><style>{STYLE}</style>"
        ));
        canvas.put(
            "<defs><marker id=\"f\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
             orient=\"auto-start-reverse\"><path d=\"M0 0L8 4L0 8z\" fill=\"#1d4ed8\"/></marker><marker id=\"b\" \
             viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
             orient=\"auto-start-reverse\"><path d=\"M0 0L8 4L0 8z\" fill=\"#b45309\"/></marker></defs>",
        );
        canvas.put(&format!("<rect width=\"{width:.0}\" height=\"{height:.0}\" fill=\"#ffffff\"/>"));
        canvas
    }

    pub(super) fn finish(mut self) -> String {
        self.put("</svg>");
        self.text
    }

    fn put(&mut self, element: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{element}");
    }

    /// The answer that leads from the end of a flow to whatever comes after it.
    pub(super) fn pending_label(&mut self, label: &str) {
        label.clone_into(&mut self.label);
    }

    pub(super) fn take_label(&mut self) -> String {
        std::mem::take(&mut self.label)
    }

    pub(super) fn text(&mut self, x: f64, y: f64, words: &str, ink: Ink) {
        let class = if ink == Ink::Title { "title" } else { "muted" };
        self.words(x, y, words, class, "start", 90);
    }

    fn words(&mut self, x: f64, y: f64, words: &str, class: &str, anchor: &str, letters_max: usize) {
        let shown = shortened(words, letters_max);
        let title = if shown == words { String::new() } else { format!("<title>{}</title>", escaped(words)) };
        self.put(&format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\" text-anchor=\"{anchor}\">{title}{}</text>",
            escaped(&shown)
        ));
    }

    pub(super) fn pill(&mut self, x: f64, top: f64, height: f64, words: &str, ink: Ink) {
        let width = if matches!(ink, Ink::Back | Ink::Stuck) { BACK_WIDTH } else { BOX_WIDTH };
        self.round(x, top, width, height, ink);
        self.words(x, top + height / 2.0 + 4.5, words, "name", "middle", 30);
    }

    /// The events that start a saga, each with its topic.
    pub(super) fn start_pill(&mut self, x: f64, top: f64, height: f64, starts: &[[String; 2]]) {
        self.round(x, top, BOX_WIDTH, height, Ink::Forward);
        let mut y = top;
        for [event, topic] in starts {
            self.words(x, y + 18.0, event, "name", "middle", 28);
            self.words(x, y + 33.0, topic, "small muted", "middle", 34);
            y += super::START_HEIGHT;
        }
    }

    fn round(&mut self, x: f64, top: f64, width: f64, height: f64, ink: Ink) {
        let (fill, stroke) = ink.fill_and_stroke();
        let left = x - width / 2.0;
        self.put(&format!(
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"17\" fill=\"{fill}\" \
             stroke=\"{stroke}\" stroke-width=\"1.5\"/>"
        ));
    }

    pub(super) fn step_box(&mut self, x: f64, top: f64, height: f64, step: &StepSketch) {
        let (left, width) = (x - BOX_WIDTH / 2.0, BOX_WIDTH);
        let (fill, stroke, thick) = match &step.does {
            _ if step.is_pivot => ("#f5f3ff", "#6d28d9", 3.0),
            Does::Ask { .. } | Does::Start { .. } => ("#f8fafc", "#334155", 1.5),
            Does::Delay(_) | Does::Wait { .. } | Does::Observe { .. } => ("#f0f9ff", "#0369a1", 1.5),
            Does::Emit { .. } => ("#f0fdf4", "#15803d", 1.5),
        };
        self.put(&format!(
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"8\" fill=\"{fill}\" \
             stroke=\"{stroke}\" stroke-width=\"{thick}\"/>"
        ));
        self.words(left + 12.0, top + 22.0, &step.name, "name", "start", 30);
        let mut y = top + 41.0;
        for (index, line) in labels::lines(step).iter().enumerate() {
            let class = match (line.starts_with("if "), index) {
                (true, _) => "cond",
                (false, 0) => "small",
                (false, _) => "small muted",
            };
            self.words(left + 12.0, y, line, class, "start", 36);
            y += 17.0;
        }
    }

    pub(super) fn undo_box(&mut self, x: f64, top: f64, lines: &[String; 2]) {
        let left = x - BACK_WIDTH / 2.0;
        self.put(&format!(
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{BACK_WIDTH:.1}\" height=\"{UNDO_HEIGHT:.1}\" rx=\"8\" \
             fill=\"#fffbeb\" stroke=\"#b45309\" stroke-width=\"1.5\" stroke-dasharray=\"5 4\"/>"
        ));
        self.words(x, top + 20.0, &lines[0], "name", "middle", 21);
        self.words(x, top + 36.0, &lines[1], "small muted", "middle", 28);
    }

    fn line(&mut self, path: &str, class: &str, marker: &str) {
        let marker = if marker.is_empty() { String::new() } else { format!(" marker-end=\"url(#{marker})\"") };
        self.put(&format!("<path d=\"{path}\" class=\"line {class}\"{marker}/>"));
    }

    pub(super) fn forward_arrow(&mut self, x: f64, from: f64, to: f64, label: &str) {
        self.line(&format!("M{x:.1} {from:.1}V{to:.1}"), "fwd", "f");
        self.forward_label(x, from, to, label);
    }

    pub(super) fn forward_line(&mut self, x: f64, from: f64, to: f64, label: &str) {
        self.line(&format!("M{x:.1} {from:.1}V{to:.1}"), "fwd", "");
        self.forward_label(x, from, from + super::STEP_GAP, label);
    }

    fn forward_label(&mut self, x: f64, from: f64, to: f64, label: &str) {
        if !label.is_empty() {
            self.words(x + 8.0, f64::midpoint(from, to) + 3.0, label, "fwdt", "start", 40);
        }
    }

    /// From what is undone up to what is undone next, or to where the way there goes on.
    pub(super) fn back_way(&mut self, x: f64, from: f64, to: f64, ends: bool) {
        self.line(&format!("M{x:.1} {from:.1}V{to:.1}"), "bck", if ends { "b" } else { "" });
    }

    /// From a step over to the way back.
    pub(super) fn line_back(&mut self, x: f64, y: f64, to_x: f64, label: &str) {
        self.line(&format!("M{x:.1} {y:.1}H{to_x:.1}"), "bck", "");
        self.put(&format!("<circle cx=\"{to_x:.1}\" cy=\"{y:.1}\" r=\"2.5\" fill=\"#b45309\"/>"));
        self.words(x + 6.0, y - 4.0, label, "bckt", "start", 26);
    }

    /// From a step that fell silent to what undoes it all the same.
    pub(super) fn silent(&mut self, x: f64, y: f64, to_x: f64, label: &str) {
        self.line(&format!("M{x:.1} {y:.1}H{to_x:.1}"), "bck dash", "b");
        self.words(x + 6.0, y - 4.0, label, "bckt", "start", 26);
    }

    /// Under which condition a branch is taken.
    pub(super) fn condition(&mut self, x: f64, y: f64, words: &str) {
        self.words(x, y, words, "cond", "start", 64);
    }

    pub(super) fn note(&mut self, x: f64, y: f64, words: &str) {
        self.words(x, y, words, "bckt", "middle", 34);
    }

    /// The way past a step that is skipped.
    pub(super) fn bypass(&mut self, x: f64, top: f64, bottom: f64) {
        let middle = x + 14.0 + BOX_WIDTH / 2.0;
        let (from, to) = (top - 22.0, bottom + 22.0);
        let path = format!(
            "M{middle:.1} {from:.1}H{:.1}Q{x:.1} {from:.1} {x:.1} {:.1}V{:.1}Q{x:.1} {to:.1} {:.1} {to:.1}H{middle:.1}",
            x + 8.0,
            from + 8.0,
            to - 8.0,
            x + 8.0
        );
        self.line(&path, "fwd dash", "");
    }

    pub(super) fn point_of_no_return(&mut self, lanes: Lanes, y: f64) {
        let (left, right) = (lanes.left(), lanes.right());
        self.put(&format!(
            "<path d=\"M{left:.1} {y:.1}H{right:.1}\" stroke=\"#6d28d9\" stroke-width=\"2\" stroke-dasharray=\"2 5\" \
             stroke-linecap=\"round\"/>"
        ));
        self.words(right, y - 6.0, "no way back from here on", "cond", "end", 40);
    }

    pub(super) fn frame(&mut self, left: f64, top: f64, size: Size, words_at: f64, words: &str) {
        self.put(&format!(
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"10\" fill=\"#fafafa\" \
             stroke=\"#cbd5e1\" stroke-width=\"1\"/>",
            size.width, size.height
        ));
        self.words(words_at, top + 18.0, words, "small muted", "start", 56);
    }

    /// A bar over the same way of all branches, and that of the flow they stand in.
    pub(super) fn bar(&mut self, branches: &[Lanes], own: f64, y: f64, way: impl Fn(&Lanes) -> f64, ink: Ink) {
        let all = branches.iter().map(way).chain([own]);
        let (left, right) = all.fold((f64::MAX, f64::MIN), |(left, right), x| (left.min(x), right.max(x)));
        let (class, width) = if ink == Ink::Back { ("#b45309", 2.0) } else { ("#1d4ed8", 4.0) };
        self.put(&format!(
            "<path d=\"M{:.1} {y:.1}H{:.1}\" stroke=\"{class}\" stroke-width=\"{width}\" stroke-linecap=\"round\"/>",
            left - 8.0,
            right + 8.0
        ));
    }
}

/// At most so many letters, and an ellipsis where there were more.
fn shortened(words: &str, letters_max: usize) -> String {
    if words.chars().count() <= letters_max {
        return words.to_owned();
    }
    words.chars().take(letters_max - 1).chain(['…']).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
