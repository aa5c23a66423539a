//! What `docs/testing.md` shows is what stands here, word for word.

use std::path::Path;

const SHOWN: [(&str, &str); 3] = [
    ("sagas/locker-rental.yaml", include_str!("../sagas/locker-rental.yaml")),
    ("tests/stories.rs", include_str!("stories.rs")),
    ("tests/contract.rs", include_str!("contract.rs")),
];

#[test]
fn every_block_of_the_page_on_testing_is_taken_from_this_example() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/testing.md");
    let page = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let blocks: Vec<&str> = ["```rust\n", "```yaml\n", "```json\n"]
        .iter()
        .flat_map(|fence| page.split(fence).skip(1))
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert!(blocks.len() >= 4, "only {} blocks", blocks.len());
    let samples = include_str!("../sagas/samples/locker-rental.json");
    for block in blocks {
        let known = samples == block || SHOWN.iter().any(|(_, text)| text.contains(block));
        assert!(known, "no file of the example has this:\n{block}");
    }
}
