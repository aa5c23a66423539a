//! What `README.md` and `ARCHITECTURE.md` promise is held by tests that exist.
//!
//! Separate from those tests: here only the names are compared, so that a renamed test does not leave a promise without one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use backstitch_dev::stack::workspace;

/// Words in backticks that read like the name of a test: a sentence with underscores for spaces.
fn tests_named_in(paper: &str) -> BTreeSet<String> {
    let words = paper.split('`').skip(1).step_by(2);
    let sentence = |word: &&str| {
        word.matches('_').count() >= 3
            && word.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
    };
    words.filter(sentence).map(str::to_owned).collect()
}

/// Names of all functions below a folder.
fn functions_below(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            functions_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let name = |rest: &str| rest.split(['(', '<', ' ']).next().unwrap_or_default().to_owned();
            found.extend(text.split("fn ").skip(1).map(name));
        }
    }
}

#[test]
fn every_test_that_the_papers_name_exists() {
    let mut functions = BTreeSet::new();
    for folder in ["libs", "services", "tools", "examples"] {
        functions_below(&workspace().join(folder), &mut functions);
    }
    for paper in ["README.md", "ARCHITECTURE.md"] {
        let text = fs::read_to_string(workspace().join(paper)).unwrap();
        let named = tests_named_in(&text);
        assert!(named.len() >= 10, "{paper} names only {} tests", named.len());
        let missing: Vec<_> = named.difference(&functions).collect();
        assert!(missing.is_empty(), "{paper} names tests that do not exist: {missing:#?}");
    }
}
