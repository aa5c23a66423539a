//! The manual's documents compile: what it shows can be copied.

use std::path::Path;

use backstitch_saga_yaml::parse;

#[test]
fn every_document_in_the_manual_is_a_usable_definition() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/definitions.md");
    let manual = std::fs::read_to_string(path).unwrap();
    let documents: Vec<&str> = manual.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(documents.len(), 7);
    for document in documents {
        parse("docs/definitions.md", document).unwrap_or_else(|error| panic!("{error}\n{document}"));
    }
}
