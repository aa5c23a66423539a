//! Every error code that a person may see has its page in `docs/errors/`, and every page its code.
//!
//! Over the sources, because codes are given by several programs, and a new one must not be able to hide.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by falling")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Codes as they stand in the sources: `"BS0101"`, quotes included. Tests may name codes, and give none.
fn codes_in(folder: &Path, found: &mut BTreeMap<String, PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !["tests", "target"].contains(&name.as_str()) {
            codes_in(&path, found);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            let text = std::fs::read_to_string(&path).unwrap();
            for quoted in text.split('"').filter(|quoted| is_code(quoted)) {
                if let Some(other) = found.insert(quoted.to_owned(), path.clone()) {
                    panic!("{quoted} is given in `{}` and in `{}`", other.display(), path.display());
                }
            }
        }
    }
}

fn is_code(text: &str) -> bool {
    text.len() == 6 && text.strip_prefix("BS").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn pages() -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(workspace().join("docs/errors")).unwrap();
    let pages = entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|it| it == "md"));
    let page = |path: PathBuf| {
        let code = path.file_stem().unwrap().to_string_lossy().into_owned();
        (code, std::fs::read_to_string(path).unwrap())
    };
    pages.map(page).filter(|(code, _)| code != "README").collect()
}

#[test]
fn every_error_code_has_its_page_and_every_page_its_code() {
    let mut codes = BTreeMap::new();
    for folder in ["libs", "services", "tools"] {
        codes_in(&workspace().join(folder), &mut codes);
    }
    let codes: BTreeSet<String> = codes.into_keys().collect();
    let pages: BTreeSet<String> = pages().into_keys().collect();
    assert!(codes.len() > 20, "only {codes:?} were seen");
    assert_eq!(codes, pages);
}

#[test]
fn every_page_says_what_is_wrong_and_what_to_do_and_the_index_lists_it() {
    let index = std::fs::read_to_string(workspace().join("docs/errors/README.md")).unwrap();
    for (code, page) in pages() {
        let title = page.lines().next().and_then(|line| line.strip_prefix(&format!("# {code}: ")));
        let title = title.unwrap_or_else(|| panic!("{code}.md does not begin with its code and title"));
        assert!(index.contains(&format!("| [{code}]({code}.md) | {title} |")), "the index lacks {code}: {title}");
        assert!(page.contains("```text\n"), "{code}.md shows no message");
        assert!(page.contains("\n## What to do\n"), "{code}.md does not say what to do");
    }
}
