//! Reading dead-letter topics from their beginning to their end. Separate from showing: lists and redrives read alike.

use std::collections::HashSet;

use backstitch_messaging::TopicPartition;
use backstitch_messaging_kafka::{KafkaSettings, OpenTopicError, ReadFrom, ReadUntil, TopicReader, partition_counts};

use super::letter::{Letter, LetterId, REDRIVEN, SUFFIX};
use crate::cli::DlqFilter;
use crate::exit::{Code, coded};

/// The dead letters the filter means, oldest first.
pub(crate) async fn letters(kafka: &KafkaSettings, filter: &DlqFilter) -> anyhow::Result<Vec<Letter>> {
    let topics = topics(kafka, filter.topic.as_deref()).await?;
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let mut reader =
        TopicReader::open(kafka, &names, ReadFrom::Beginning, ReadUntil::EndAtStart).await.map_err(unreadable)?;
    let (mut letters, mut redriven) = (Vec::new(), HashSet::new());
    while let Some(delivery) = reader.next().await {
        if let Some(Ok(id)) = delivery.header_text(REDRIVEN).map(str::parse::<LetterId>) {
            redriven.insert(id);
        } else if let Some(letter) = Letter::of(delivery).filter(|letter| letter.matches(filter)) {
            letters.push(letter);
        }
    }
    if !filter.all {
        letters.retain(|letter| !redriven.contains(&letter.id));
    }
    letters.sort_by_key(|letter| (letter.delivery.timestamp_millis, letter.id.clone()));
    Ok(letters)
}

/// One dead letter.
pub(crate) async fn letter(kafka: &KafkaSettings, id: &LetterId) -> anyhow::Result<Letter> {
    let unknown = || coded(Code::Unknown, format!("there is no dead letter `{id}`"));
    let partitions = topics(kafka, None).await?;
    if !partitions.contains(&id.topic) {
        return Err(unknown());
    }
    let at = vec![(TopicPartition::new(id.topic.as_str(), id.partition), id.offset)];
    let topics = [id.topic.as_str()];
    let opened = TopicReader::open(kafka, &topics, ReadFrom::Offsets(at), ReadUntil::EndAtStart).await;
    let delivery = opened.map_err(unreadable)?.next().await;
    delivery.filter(|delivery| delivery.offset == id.offset).and_then(Letter::of).ok_or_else(unknown)
}

async fn topics(kafka: &KafkaSettings, of: Option<&str>) -> anyhow::Result<Vec<String>> {
    let counts = partition_counts(kafka).await.map_err(|error| unreadable(error.into()))?;
    let wanted = of.map(|topic| format!("{topic}{SUFFIX}"));
    if let Some(topic) = wanted.as_ref().filter(|topic| !counts.contains_key(*topic)) {
        return Err(coded(Code::Unknown, format!("there is no topic `{topic}`")));
    }
    let meant = |topic: &String| wanted.as_ref().is_none_or(|wanted| wanted == topic);
    Ok(counts.into_keys().filter(|topic| topic.ends_with(SUFFIX)).filter(meant).collect())
}

fn unreadable(error: OpenTopicError) -> anyhow::Error {
    let text = format!("{:#}", anyhow::Error::new(error));
    coded(Code::Unreachable, text)
}
