//! An error and its causes as one line, for the edge where it is told. Separate, because `Display` never prints a source.

/// What went wrong, then each cause, with colons between.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
