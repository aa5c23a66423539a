//! What must be on the machine already, and the one command that gets what is missing.
//!
//! Separate, so that all of it is named at once and before anything is built or started.

use anyhow::{Result, ensure};

/// Programs by any of their names, with the Debian package that brings them.
type Need = (&'static [&'static str], &'static str);

/// To fetch and unpack the servers.
pub const FOR_SERVERS: &[Need] = &[(&["mvn"], "maven"), (&["tar"], "tar"), (&["xz"], "xz-utils")];

/// To build our programs: the Kafka client and its encryption are C.
pub const FOR_BUILDING: &[Need] = &[
    (&["cc", "gcc", "clang"], "gcc"),
    (&["c++", "g++", "clang++"], "g++"),
    (&["cmake"], "cmake"),
    (&["make"], "make"),
    (&["perl"], "perl"),
];

/// Checks that every program is on PATH.
///
/// # Errors
/// When some are not; the message names all of them and the command that gets them.
pub fn check(needs: &[Need]) -> Result<()> {
    let missing: Vec<_> = needs.iter().filter(|(programs, _)| !programs.iter().any(|it| on_path(it))).collect();
    let programs: Vec<_> = missing.iter().map(|(programs, _)| programs[0]).collect();
    let packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    ensure!(
        missing.is_empty(),
        "this machine lacks {}; get it with `apt-get install {}`",
        programs.join(", "),
        packages.join(" ")
    );
    Ok(())
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn all_that_is_missing_is_named_at_once_with_one_command() {
        let needs: &[super::Need] =
            &[(&["no-such-tool"], "no-such-package"), (&["missing", "sh"], "dash"), (&["nor-this"], "other")];
        let error = check(needs).unwrap_err().to_string();
        assert_eq!(
            error,
            "this machine lacks no-such-tool, nor-this; get it with `apt-get install no-such-package other`"
        );
    }
}
