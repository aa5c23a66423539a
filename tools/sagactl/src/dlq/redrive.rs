//! Sending dead letters again. Each is marked as sent only once it is durable on its topic: a redrive cut short may send
//! one twice, which every consumer bears, and loses none.

use anyhow::Context;
use backstitch_messaging::Publisher;
use backstitch_messaging_kafka::{KafkaPublisher, KafkaSettings};
use chrono::Utc;
use serde_json::json;

use super::letter::{Letter, LetterId};
use super::list::as_table;
use super::read::{letter, letters};
use crate::cli::{Cli, RedriveArgs};
use crate::connect;
use crate::exit::{Code, coded};
use crate::output::{print, print_json};

pub(crate) async fn redrive(cli: &Cli, asked: &RedriveArgs) -> anyhow::Result<Code> {
    let kafka = connect::kafka(cli)?;
    let chosen = chosen(&kafka, asked).await?;
    if !asked.dry_run {
        let publisher = KafkaPublisher::new(&kafka).context("no producer can be made")?;
        for letter in &chosen {
            send(&publisher, letter).await.with_context(|| format!("`{}` could not be sent again", letter.id))?;
        }
    }
    let shown: Vec<_> = chosen.iter().map(Letter::summary).collect();
    if cli.json {
        print_json(&json!({ "dry_run": asked.dry_run, "letters": shown }))?;
    } else {
        print(&as_table(shown));
        let verb = if asked.dry_run { "would be sent again; nothing was sent" } else { "sent again" };
        print(&format!("{} {verb}", chosen.len()));
    }
    Ok(Code::Done)
}

async fn chosen(kafka: &KafkaSettings, asked: &RedriveArgs) -> anyhow::Result<Vec<Letter>> {
    let filter = &asked.filter;
    let filtered = [&filter.topic, &filter.group, &filter.reason, &filter.fingerprint].iter().any(|one| one.is_some());
    if asked.ids.is_empty() {
        if !filtered {
            return Err(coded(
                Code::Usage,
                "say which: ids as lists show them, or --topic, --group, --reason, --fingerprint",
            ));
        }
        return letters(kafka, filter).await;
    }
    let mut chosen = Vec::new();
    for id in &asked.ids {
        let id: LetterId = id.parse().map_err(|what: String| coded(Code::Usage, what))?;
        chosen.push(letter(kafka, &id).await?);
    }
    Ok(chosen)
}

async fn send(publisher: &KafkaPublisher, letter: &Letter) -> anyhow::Result<()> {
    for record in [letter.original(), letter.marker(Utc::now())] {
        publisher.publish(vec![record]).await?.await.context("the producer ended")??;
    }
    Ok(())
}
