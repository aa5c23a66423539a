//! What an orchestrator starts with, and what it refuses to start with.

use std::cell::RefCell;
use std::path::Path;

use backstitch_contracts::Catalog;

use super::load;

const TEA: &str = "
saga: tea
version: 1
starts_on: { topic: tea.events, event: OrderPlaced, key: event.order_id }
steps:
  - name: cancel
    ask: tea.commands
    to: CancelOrder
    with: { order_id: saga.key, reason: saga.data.reason }
    done_on: OrderCancelled
    on_rollback: nothing
";

fn folder(documents: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in documents {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

async fn started(
    folder: &Path,
    foreign: impl AsyncFn(&str) -> anyhow::Result<Option<String>>,
) -> Result<usize, String> {
    let catalog = Catalog::embedded().unwrap();
    load(folder, &catalog, foreign).await.map(|found| found.len()).map_err(|error| format!("{error:#}"))
}

#[tokio::test]
async fn the_definitions_that_ship_need_no_schema_of_others() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sagas");
    let none = async |topic: &str| panic!("asked for `{topic}`");
    assert_eq!(started(&shipped, none).await, Ok(2));
}

#[tokio::test]
async fn a_topic_without_any_schema_is_no_reason_not_to_start() {
    let asked = RefCell::new(Vec::new());
    let nothing = async |topic: &str| {
        asked.borrow_mut().push(topic.to_owned());
        Ok(None)
    };
    assert_eq!(started(folder(&[("tea.yaml", TEA)]).path(), nothing).await, Ok(1));
    assert_eq!(asked.into_inner(), ["tea.commands", "tea.events"]);
}

#[tokio::test]
async fn every_fault_of_every_document_is_told_before_anything_starts() {
    let known = async |topic: &str| {
        let ours = if topic.ends_with("commands") { "orders.commands" } else { "orders.events" };
        Ok(Catalog::embedded().unwrap().topic(ours).unwrap().schema.clone())
    };
    let milk = TEA.replace("saga: tea", "saga: milk").replace("done_on", "done_no");
    let error = started(folder(&[("tea.yaml", TEA), ("milk.yaml", &milk)]).path(), known).await.unwrap_err();
    assert!(error.contains("milk.yaml:10:5: steps[0].done_no: unknown field `done_no`"), "{error}");
    assert!(error.contains("tea.yaml:9:41: steps[0].with.reason: in `saga.data.reason`"), "{error}");
    assert_eq!(error.lines().count(), 2, "{error}");
}

#[tokio::test]
async fn an_empty_folder_is_told_with_the_setting_that_names_it() {
    let none = async |_: &str| Ok(None);
    let error = started(folder(&[]).path(), none).await.unwrap_err();
    assert!(error.contains("no definition found in"), "{error}");
    assert!(error.ends_with("set `sagas.dir`"), "{error}");
}
