//! The same change to many sagas: which ones, a question first, some at a time, and what became of each. Separate from the
//! change itself, which is sent as for one saga.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use anyhow::Context;
use backstitch_saga::Span;
use chrono::{TimeDelta, Utc};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::cli::{ActArgs, Cli};
use crate::exit::{self, Code, coded};
use crate::orchestrator::Orchestrator;
use crate::output::{print, print_json, table};
use crate::sagas::{attributes, listed, pages, text};

/// How many changes are under way at once.
const AT_ONCE: usize = 16;

/// A change, as the API is asked for it.
pub(crate) struct Change {
    /// What comes after `/sagas/ID/`.
    pub(crate) what: String,
    /// What is sent.
    pub(crate) body: Value,
    /// Seconds to wait for what it leads to.
    pub(crate) wait: f64,
}

/// What became of many sagas.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Tally {
    /// How many were changed.
    pub(crate) done: usize,
    /// Sent; what it leads to was not seen in time.
    pub(crate) not_seen_yet: Vec<Left>,
    /// Those whose state, or a rule, does not allow it, or does not any more.
    pub(crate) not_applicable: Vec<Left>,
    /// Those where it failed for another reason.
    pub(crate) failed: Vec<Left>,
    #[serde(skip)]
    code: Option<Code>,
}

/// A saga that was not changed, or not seen to be.
#[derive(Debug, Serialize)]
pub(crate) struct Left {
    saga_id: String,
    key: String,
    why: String,
}

/// Changes every saga that the command line means.
pub(crate) async fn act(cli: &Cli, what: &str, asked: &ActArgs) -> anyhow::Result<Code> {
    let orchestrator = Orchestrator::of(cli)?;
    let sagas = found(&orchestrator, what, asked).await?;
    if asked.many.dry_run {
        listed(cli, &sagas)?;
        if !cli.json {
            print(&format!("{what} would be sent to {}", counted(sagas.len())));
        }
        return Ok(Code::Done);
    }
    let definition = asked.definition.as_deref().unwrap_or_default();
    let question = format!("{what} {} of {definition}?", counted(sagas.len()));
    if !sagas.is_empty() && !confirmed(&question, asked.many.yes)? {
        return Err(coded(Code::Refused, "nothing was changed"));
    }
    let body = json!({ "reason": asked.reason });
    let change = Change { what: what.to_owned(), body, wait: asked.wait.wait };
    each(orchestrator, sagas, change).await?.tell(cli, asked.wait.wait)
}

async fn found(orchestrator: &Orchestrator, what: &str, asked: &ActArgs) -> anyhow::Result<Vec<Value>> {
    let many = &asked.many;
    let given = [
        ("status", many.status.clone().or_else(|| Some(has_effect_on(what).to_owned()))),
        ("definition", asked.definition.clone()),
        ("where", attributes(&many.attributes)),
        ("until", many.older_than.map(ago).transpose()?),
    ];
    pages(orchestrator, "/sagas", &given, usize::MAX).await
}

/// The statuses in which a change has an effect, as the engine's state grid has them.
fn has_effect_on(what: &str) -> &'static str {
    match what {
        "pause" => "advancing,rolling_back",
        "resume" => "paused",
        "cancel" => "advancing,paused,stuck",
        _ => "stuck",
    }
}

fn ago(age: Span) -> anyhow::Result<String> {
    let since = TimeDelta::from_std(age.0).ok().and_then(|age| Utc::now().checked_sub_signed(age));
    let since = since.ok_or_else(|| coded(Code::Usage, format!("{age} is longer than there has been time")))?;
    Ok(since.to_rfc3339())
}

/// `1 saga`, `2 sagas`.
pub(crate) fn counted(count: usize) -> String {
    format!("{count} saga{}", if count == 1 { "" } else { "s" })
}

/// Whether whoever sits at the terminal says yes.
///
/// # Errors
/// If nobody sits there and it was not said beforehand.
pub(crate) fn confirmed(question: &str, yes: bool) -> anyhow::Result<bool> {
    if yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err(coded(Code::Usage, format!("{question} There is nobody to ask: say --yes")));
    }
    eprint!("{question} [y/N] ");
    std::io::stderr().flush().context("nobody can be asked")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("the answer cannot be read")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Sends the change to each of the sagas, some at a time.
///
/// # Errors
/// If the caller may not do this: then none of them is changed, and it is told once.
pub(crate) async fn each(orchestrator: Orchestrator, sagas: Vec<Value>, change: Change) -> anyhow::Result<Tally> {
    let bar = progress(sagas.len());
    let shared = Arc::new((orchestrator, change));
    let mut waiting = sagas.into_iter();
    let mut under_way = JoinSet::new();
    let mut tally = Tally::default();
    loop {
        for saga in waiting.by_ref().take(AT_ONCE - under_way.len()) {
            let shared = shared.clone();
            under_way.spawn(async move {
                let (orchestrator, Change { what, body, wait }) = shared.as_ref();
                let path = format!("/sagas/{}/{what}", text(&saga["id"]));
                let answer = orchestrator.post(&path, *wait, body).await;
                (saga, answer.map(|answer| answer.accepted_only))
            });
        }
        let Some(ended) = under_way.join_next().await else { break };
        let (saga, answer) = ended.context("a request was not finished")?;
        tally.note(&saga, answer)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(tally)
}

/// A bar on standard error; nothing where that is no terminal.
fn progress(count: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(count).unwrap_or(u64::MAX));
    match ProgressStyle::with_template("{bar:40} {pos}/{len} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

impl Left {
    pub(crate) fn of(saga: &Value, why: &str) -> Self {
        Self { saga_id: text(&saga["id"]), key: text(&saga["key"]), why: why.to_owned() }
    }

    fn row(&self, what: &str) -> [String; 4] {
        [self.saga_id.clone(), self.key.clone(), what.to_owned(), self.why.clone()]
    }
}

impl Tally {
    fn note(&mut self, saga: &Value, answer: anyhow::Result<bool>) -> anyhow::Result<()> {
        match answer {
            Ok(false) => self.done += 1,
            Ok(true) => self.not_seen_yet.push(Left::of(saga, "")),
            Err(error) => match exit::of(&error) {
                Code::NotAllowed => return Err(error),
                Code::Refused | Code::Unknown => self.not_applicable.push(Left::of(saga, &error.to_string())),
                code => {
                    self.code.get_or_insert(code);
                    self.failed.push(Left::of(saga, &error.to_string()));
                }
            },
        }
        Ok(())
    }

    /// Prints the sums, and each saga that was left; answers how it ended.
    ///
    /// # Errors
    /// If there is no JSON form.
    pub(crate) fn tell(&self, cli: &Cli, waited: f64) -> anyhow::Result<Code> {
        if cli.json {
            print_json(self)?;
        } else {
            let not_seen = self.not_seen_yet.iter().map(|left| left.row("not seen yet"));
            let not_applicable = self.not_applicable.iter().map(|left| left.row("not applicable"));
            let failed = self.failed.iter().map(|left| left.row("failed"));
            let rows: Vec<_> = not_seen.chain(not_applicable).chain(failed).collect();
            if !rows.is_empty() {
                print(&table(["id", "key", "what", "why"], rows));
            }
            print(&self.sums());
        }
        let unseen = !self.not_seen_yet.is_empty() && waited > 0.0;
        let refused = (!self.not_applicable.is_empty()).then_some(Code::Refused);
        // Who asked not to wait got what they asked for.
        Ok(self.code.or(unseen.then_some(Code::NotSeenYet)).or(refused).unwrap_or(Code::Done))
    }

    fn sums(&self) -> String {
        let sums = [
            (self.not_seen_yet.len(), "not seen yet"),
            (self.not_applicable.len(), "not applicable"),
            (self.failed.len(), "failed"),
        ];
        let told = sums.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!(", {count} {what}"));
        format!("{} done{}", self.done, told.collect::<String>())
    }
}
