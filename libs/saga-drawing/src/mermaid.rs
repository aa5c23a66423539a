//! A definition as a Mermaid flowchart, which code hosts and wikis draw by themselves.
//!
//! Separate from the picture of our own: here only the connections are told, and somebody else finds the places.

use std::fmt::Write as _;

use backstitch_saga::definition::sketch::{Otherwise, Part, Sketch, StepSketch, Undo};

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
                Part::Choice { name, when, branches, otherwise } => {
                    let title = labels::choice(name, when.as_ref());
                    let id = node(name);
                    self.line(depth, &format!("{id}{{\"{}\"}}", escaped(&title)));
                    self.connect(&exits, &id, depth);
                    self.choice(&id, when.is_some(), branches, otherwise, way, depth)
                }
                Part::ForEach { name, when, list, at_once, body, together } => {
                    let title = labels::for_each(name, when.as_ref(), list, *at_once, *together);
                    self.for_each(&node(name), &title, body, &exits, way, depth)
                }
            };
        }
        exits
    }

    /// One of several branches; whichever was taken is undone in its place.
    fn choice(
        &mut self,
        id: &str,
        may_be_skipped: bool,
        branches: &[(String, Vec<Part>)],
        otherwise: &Otherwise,
        way: &mut Way,
        depth: usize,
    ) -> Vec<Exit> {
        let mut all: Vec<(&str, &[Part])> =
            branches.iter().map(|(when, parts)| (when.as_str(), parts.as_slice())).collect();
        let mut exits = Vec::new();
        if may_be_skipped {
            exits.push(Exit { from: id.to_owned(), label: "skipped".to_owned() });
        }
        match otherwise {
            Otherwise::Does(parts) => all.push(("otherwise", parts)),
            Otherwise::GoesOn => exits.push(Exit { from: id.to_owned(), label: "otherwise".to_owned() }),
            Otherwise::RollsBack => {
                let to = way.group.as_ref().unwrap_or(&way.next);
                let arrow = format!("{id} -.->|otherwise| {to}");
                self.line(depth, &arrow);
            }
        }
        let undo = format!("undo_{id}");
        let mut is_undone = false;
        for (label, parts) in all {
            let begin = vec![Exit { from: id.to_owned(), label: label.to_owned() }];
            let mut inside = Way { next: way.next.clone(), group: way.group.clone(), pivot_passed: way.pivot_passed };
            exits.extend(self.sequence(parts, begin, &mut inside, depth));
            if inside.next != way.next {
                self.line(depth, &format!("{undo} -.-> {}", inside.next));
                is_undone = true;
            }
            way.pivot_passed |= inside.pivot_passed;
        }
        if is_undone {
            self.line(depth, &format!("{undo}((\"the branch<br/>taken\")):::undo"));
            way.next = undo;
        }
        exits
    }

    fn for_each(
        &mut self,
        id: &str,
        title: &str,
        body: &[Part],
        exits: &[Exit],
        way: &mut Way,
        depth: usize,
    ) -> Vec<Exit> {
        let (each, done) = (format!("{id}_each"), format!("{id}_done"));
        let (undo, undone) = (format!("undo_{id}"), format!("undone_{id}"));
        self.line(depth, &format!("subgraph {id}[\"{}\"]", escaped(title)));
        self.line(depth + 1, &format!("{each}((each))"));
        self.line(depth + 1, &format!("{done}((all))"));
        let group = way.group.clone().unwrap_or_else(|| undo.clone());
        let mut inside = Way { next: undone.clone(), group: Some(group), pivot_passed: way.pivot_passed };
        let begin = vec![Exit { from: each.clone(), label: String::new() }];
        let ends = self.sequence(body, begin, &mut inside, depth + 1);
        self.connect(&ends, &done, depth + 1);
        self.line(depth + 1, &format!("{undo}((undo)):::undo"));
        self.line(depth + 1, &format!("{undone}((undone)):::undo"));
        self.line(depth + 1, &format!("{undo} -.-> {}", inside.next));
        self.line(depth, "end");
        self.connect(exits, &each, depth);
        self.line(depth, &format!("{undone} -.-> {}", way.next));
        way.next = undo;
        vec![Exit { from: done, label: String::new() }]
    }

    fn step(&mut self, step: &StepSketch, exits: &[Exit], way: &mut Way, depth: usize) -> Vec<Exit> {
        let id = node(&step.name);
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

/// A name that is none of Mermaid's own words.
fn node(name: &str) -> String {
    format!("step_{}", name.replace('-', "_"))
}

/// Text inside quotes: Mermaid knows HTML's entities.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}
