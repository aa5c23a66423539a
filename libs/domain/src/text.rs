//! The one check that every text a person wrote must pass. Separate, because products and addresses share it.

/// What is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TextError {
    #[error("is empty")]
    Empty,
    #[error("is longer than {chars_max} characters")]
    TooLong { chars_max: usize },
    #[error("contains a control character")]
    ControlCharacter,
}

/// Checks length in characters (not bytes, so that no script is at a disadvantage) and the absence of control
/// characters.
pub(crate) fn check(text: &str, chars_max: usize) -> Result<(), TextError> {
    if text.trim().is_empty() {
        Err(TextError::Empty)
    } else if text.chars().count() > chars_max {
        Err(TextError::TooLong { chars_max })
    } else if text.chars().any(char::is_control) {
        Err(TextError::ControlCharacter)
    } else {
        Ok(())
    }
}
