//! A member of a group in a process of its own, which says what it owns: `lane_member BOOTSTRAP GROUP LANE_TOPIC`.
//! Separate, because only a process can be killed as a real member is; built for the tests alone.

use std::io::Write;

use backstitch_messaging::{Inbox, Ownership};
use backstitch_messaging_kafka::{InboxPlan, KafkaInbox, KafkaSettings};

type AnyError = Box<dyn std::error::Error>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), AnyError> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| arguments.next().ok_or_else(|| format!("missing argument {what}"));
    let settings = KafkaSettings::plaintext(next("BOOTSTRAP")?);
    let plan = InboxPlan { group: next("GROUP")?, lane_topic: next("LANE_TOPIC")?, inputs: Vec::new() };
    let inbox = KafkaInbox::start(&settings, plan).await?;
    let mut out = std::io::stdout();
    while let Some(change) = inbox.ownership().await {
        match change {
            Ownership::Gained(lane) => writeln!(out, "gained {lane}")?,
            Ownership::Lost(lane, ack) => {
                writeln!(out, "lost {lane}")?;
                drop(ack);
            }
        }
        out.flush()?;
    }
    Ok(())
}
