//! A definition as a Mermaid flowchart, which code hosts and wikis draw by themselves.
//!
//! Separate from the picture of our own: here only the connections are told, and somebody else finds the places.

use std::fmt::Write as _;

use backstitch_saga::definition::sketch::{Part, Sketch, StepSketch, Undo};

use crate::labels;

/// The flowchart: forward in full lines, back in dotted ones.
#[must_use]
pub fn mermaid(sketch: &Sketch) -> String {
    let mut chart = Chart { text: String::new(), groups: 0 };
    chart.draw(sketch);
    chart.text
}

struct Chart {
    text: String,
    groups: usize,
}

/// Where a flow goes on from, and how the arrow there is called.
struct Exit {
    from: String,
    label: String,
}

/// The way back from where the drawing is.
struct Way {
    /// What is undone next.
    next: String,
    /// Inside a group: where a rollback of the whole group begins.
    group: Option<String>,
    pivot_passed: bool,
}

impl Chart {
    fn line(&mut self, depth: usize, line: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{:1$}{line}", "", depth * 2);
    }

    fn draw(&mut self, sketch: &Sketch) {
        self.line(0, "flowchart TD");
        self.line(1, &format!("%% {} v{}", sketch.name, sketch.version));
        let starts: Vec<String> =
            sketch.starts.iter().map(|start| escaped(&format!("{} on {}", start.event, start.topic))).collect();
        let begins = if starts.is_empty() { "StartSaga".to_owned() } else { starts.join("<br/>") };
        self.line(1, &format!("start([\"{begins}\"])"));
        let mut way = Way { next: "rolled_back".to_owned(), group: None, pivot_passed: false };
        for (index, undo) in sketch.starts.iter().filter_map(|start| start.undo.as_ref()).enumerate() {
            let id = format!("undo_start_{}", index + 1);
            self.undo(&id, undo, "rolled_back", 1);
            if index == 0 {
                way.next = id;
            }
        }
        let begin = vec![Exit { from: "start".to_owned(), label: String::new() }];
        let exits = self.sequence(&sketch.flow, begin, &mut way, 1);
        self.connect(&exits, "completed", 1);
        self.line(1, "completed([completed])");
        if self.text.contains("rolled_back") {
            self.line(1, "rolled_back([rolled back])");
        }
        if self.text.contains(STUCK) {
            self.line(1, &format!("{STUCK}([\"stuck: a person decides\"])"));
        }
        self.line(1, "classDef undo stroke:#b45309,stroke-dasharray:4 3");
        self.line(1, "classDef pivot stroke:#7c3aed,stroke-width:3px");
    }

    fn undo(&mut self, id: &str, undo: &Undo, then: &str, depth: usize) {
        let [command, topic] = labels::undo(undo);
        self.line(depth, &format!("{id}[[\"{}<br/>{}\"]]:::undo", escaped(&command), escaped(&topic)));
        self.line(depth, &format!("{id} -.-> {then}"));
    }

    fn connect(&mut self, exits: &[Exit], to: &str, depth: usize) {
        for exit in exits {
            let arrow = match exit.label.as_str() {
                "" => format!("{} --> {to}", exit.from),
                label => format!("{} -->|\"{}\"| {to}", exit.from, escaped(label)),
            };
            self.line(depth, &arrow);
        }
    }

    fn sequence(&mut self, parts: &[Part], mut exits: Vec<Exit>, way: &mut Way, depth: usize) -> Vec<Exit> {
        for part in parts {
            exits = match part {
                Part::Step(step) => self.step(step, &exits, way, depth),
                Part::Group { branches, together } => self.group(branches, *together, &exits, way, depth),
            };
        }
        exits
    }

    fn step(&mut self, step: &StepSketch, exits: &[Exit], way: &mut Way, depth: usize) -> Vec<Exit> {
        let id = format!("step_{}", step.name.replace('-', "_"));
        let mut words = vec![format!("<b>{}</b>", escaped(&step.name))];
        words.extend(labels::lines(step).iter().map(|line| escaped(line)));
        let class = if step.is_pivot { ":::pivot" } else { "" };
        self.line(depth, &format!("{id}[\"{}\"]{class}", words.join("<br/>")));
        self.connect(exits, &id, depth);
        let before = way.next.clone();
        if let Some(undo) = &step.undo {
            let undo_id = format!("undo_{id}");
            self.undo(&undo_id, undo, &before, depth);
            way.next = undo_id;
        }
        // In a group, whatever the others have done or may have done is undone, too.
        let (refused_to, silent_to) = match (&way.group, way.pivot_passed) {
            (_, true) => (STUCK, STUCK),
            (Some(group), false) => (group.as_str(), group.as_str()),
            (None, false) => (before.as_str(), if step.is_pivot { STUCK } else { way.next.as_str() }),
        };
        let mut arrows = Vec::new();
        arrows.extend(labels::refused(step).map(|refused| (refused, refused_to)));
        arrows.extend(labels::may_fall_silent(step).then(|| ("silent".to_owned(), silent_to)));
        arrows.extend(labels::taken_back(step).map(|event| (format!("later {event}"), silent_to)));
        let arrows: Vec<String> =
            arrows.iter().map(|(label, to)| format!("{id} -.->|\"{}\"| {to}", escaped(label))).collect();
        arrows.iter().for_each(|arrow| self.line(depth, arrow));
        way.pivot_passed |= step.is_pivot;
        vec![Exit { from: id, label: labels::done(step) }]
    }

    /// Branches beside each other; their ways back meet before the group.
    fn group(
        &mut self,
        branches: &[Vec<Part>],
        together: bool,
        exits: &[Exit],
        way: &mut Way,
        depth: usize,
    ) -> Vec<Exit> {
        self.groups += 1;
        let number = self.groups;
        self.line(depth, &format!("subgraph group_{number}[\"{}\"]", labels::group(together)));
        let (fork, join) = (format!("fork_{number}"), format!("join_{number}"));
        let (undo, undone) = (format!("undo_{number}"), format!("undone_{number}"));
        self.line(depth + 1, &format!("{fork}((\" \"))"));
        self.line(depth + 1, &format!("{join}((\" \"))"));
        self.line(depth + 1, &format!("{undo}((undo)):::undo"));
        self.line(depth + 1, &format!("{undone}((undone)):::undo"));
        for branch in branches {
            let begin = vec![Exit { from: fork.clone(), label: String::new() }];
            let group = way.group.clone().unwrap_or_else(|| undo.clone());
            let mut inside = Way { next: undone.clone(), group: Some(group), pivot_passed: way.pivot_passed };
            let ends = self.sequence(branch, begin, &mut inside, depth + 1);
            self.connect(&ends, &join, depth + 1);
            self.line(depth + 1, &format!("{undo} -.-> {}", inside.next));
        }
        self.line(depth, "end");
        self.connect(exits, &fork, depth);
        self.line(depth, &format!("{undone} -.-> {}", way.next));
        way.next = undo;
        vec![Exit { from: join, label: String::new() }]
    }
}

/// The node for what needs a person.
const STUCK: &str = "stuck";

/// Text inside quotes: Mermaid knows HTML's entities.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}
