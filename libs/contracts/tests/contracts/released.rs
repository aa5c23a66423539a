//! What earlier releases wrote. Their schemas are on record in `tests/released/<release>/<topic>.avsc`, since the
//! files in `schemas/` only know of today. `RELEASE_SCHEMAS=1` puts this release's there.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::compatibility::{can_read, schema, topics};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/released")
}

/// Release, topic, schema.
fn released() -> Vec<(String, String, Value)> {
    let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let mut found = Vec::new();
    for release in fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()) {
        for file in fs::read_dir(&release).unwrap().map(|entry| entry.unwrap().path()) {
            let schema = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
            found.push((release.file_name().unwrap().to_str().unwrap().to_owned(), name(&file), schema));
        }
    }
    found
}

#[test]
fn whatever_a_release_wrote_is_readable_today() {
    let this = folder().join(env!("CARGO_PKG_VERSION"));
    if std::env::var_os("RELEASE_SCHEMAS").is_some() {
        fs::create_dir_all(&this).unwrap();
        for topic in topics() {
            fs::write(this.join(format!("{}.avsc", topic.name)), topic.schema.unwrap() + "\n").unwrap();
        }
    }
    for (release, name, written) in released() {
        let today = topics().into_iter().find(|topic| topic.name == name);
        let today = today.unwrap_or_else(|| panic!("the topic {name} of release {release} is gone"));
        assert!(can_read(&written, &schema(&today)), "{name}: what release {release} wrote cannot be read");
    }
    for topic in topics() {
        let file = this.join(format!("{}.avsc", topic.name));
        assert!(
            file.exists(),
            "{} is on no record: RELEASE_SCHEMAS=1 cargo test -p backstitch-contracts released",
            topic.name
        );
    }
}
