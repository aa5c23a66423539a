//! What led to an event and what it led to: the whole flow as a tree, read from the topics themselves. Separate from the
//! sagas' timelines, which end where a service does something on its own.

mod gather;
mod tree;

use crate::cli::{Cli, TraceArgs};
use crate::exit::{Code, coded};
use crate::output::{print, print_json};

pub(crate) async fn run(cli: &Cli, asked: &TraceArgs) -> anyhow::Result<Code> {
    let messages = gather::flow_of(cli, asked).await?;
    if messages.is_empty() {
        return Err(coded(Code::Unknown, unknown(asked)));
    }
    let trees = tree::grow(messages);
    if cli.json {
        print_json(&trees)?;
    } else {
        print(&tree::drawn(&trees, asked.event));
    }
    Ok(Code::Done)
}

fn unknown(asked: &TraceArgs) -> String {
    let event = asked.event;
    match asked.since {
        Some(since) => format!(
            "no event, command or flow `{event}` was read since {since}; leave out --since to look further back"
        ),
        None => format!("there is no event, command or flow `{event}` on the topics, or not any more"),
    }
}
