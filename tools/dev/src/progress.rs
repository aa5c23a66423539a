//! What the developer sees while things start: a line for each component, live on a terminal, plain lines elsewhere.
//!
//! Separate, so that no component code knows whether a person is watching.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// The lines of one command.
#[derive(Debug)]
pub struct Board {
    bars: Option<MultiProgress>,
    quiet: bool,
}

/// One line on the board.
#[derive(Debug)]
pub struct Task {
    name: String,
    bar: Option<ProgressBar>,
    quiet: bool,
    began: Instant,
}

impl Board {
    /// A board on standard error.
    #[must_use]
    pub fn new() -> Self {
        let live = std::io::stderr().is_terminal();
        Self { bars: live.then(MultiProgress::new), quiet: false }
    }

    /// A board that shows nothing, for tests.
    #[must_use]
    pub fn quiet() -> Self {
        Self { bars: None, quiet: true }
    }

    /// Adds a line.
    #[must_use]
    pub fn task(&self, name: &str) -> Task {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:14} {wide_msg}") {
                bar.set_style(style.tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "));
            }
            bar.set_prefix(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Task { name: name.to_owned(), bar, quiet: self.quiet, began: Instant::now() }
    }
}

impl Default for Board {
    fn default() -> Self {
        Self::new()
    }
}

impl Task {
    /// Says what is being done now.
    pub fn step(&self, what: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(what.to_owned()),
            None if self.quiet => {}
            None => eprintln!("  {:14} {what}", self.name),
        }
    }

    /// Says how it ended well.
    pub fn done(&self, outcome: &str) {
        let line = format!("{outcome} ({:.1} s)", self.began.elapsed().as_secs_f32());
        match &self.bar {
            Some(bar) => bar.finish_with_message(line),
            None => self.step(&line),
        }
    }

    /// Takes the line away: another one goes on with the same.
    pub fn dismiss(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Says that it failed; the error itself is reported by the command.
    pub fn failed(&self) {
        match &self.bar {
            Some(bar) => bar.abandon_with_message("failed"),
            None => self.step("failed"),
        }
    }
}
