//! Whole streams, and the global order up to its end, as `futures` streams: a page in memory at a time. Separate from
//! the trait, because it is built on it and needs nothing else of a store.

use std::collections::VecDeque;

use futures::Stream;
use futures::stream;

use crate::{Cursor, EventStore, ReadError, Selection, Slice, StoredEvent, StreamId};

/// The events of `stream`, forwards or backwards, read `page_max` at a time. Ends with the stream's last event, or with
/// the first error.
pub fn events_of<'a>(
    store: &'a dyn EventStore,
    stream: StreamId,
    slice: Slice,
    page_max: u32,
) -> impl Stream<Item = Result<StoredEvent, ReadError>> + Send + 'a {
    let page_max = page_max.max(1);
    pages(Some(slice), move |slice| {
        let stream = stream.clone();
        async move {
            let page = store.read_stream(&stream, slice, page_max).await?;
            let next = (page.len() >= page_max as usize).then(|| slice.following(&page));
            Ok((page, next))
        }
    })
}

/// The selected events of the global order after `after`, read `page_max` at a time. Ends where the order could be read
/// to when it came there, or with the first error.
pub fn all_events<'a>(
    store: &'a dyn EventStore,
    selection: &'a Selection,
    after: Cursor,
    page_max: u32,
) -> impl Stream<Item = Result<StoredEvent, ReadError>> + Send + 'a {
    let page_max = page_max.max(1);
    pages(Some(after), move |after| async move {
        let page = store.read(selection, after, page_max).await?;
        let next = (page.events.len() >= page_max as usize).then_some(page.next);
        Ok((page.events, next))
    })
}

fn pages<'a, At, Read>(
    first: Option<At>,
    read: impl Fn(At) -> Read + Send + 'a,
) -> impl Stream<Item = Result<StoredEvent, ReadError>> + Send + 'a
where
    At: Send + 'a,
    Read: Future<Output = Result<(Vec<StoredEvent>, Option<At>), ReadError>> + Send + 'a,
{
    stream::try_unfold((VecDeque::new(), first, read), |(mut page, mut next, read)| async move {
        while page.is_empty() {
            let Some(at) = next.take() else { return Ok(None) };
            let (events, following) = read(at).await?;
            (page, next) = (events.into(), following);
        }
        Ok(page.pop_front().map(|event| (event, (page, next, read))))
    })
}
