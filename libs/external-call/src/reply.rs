//! What an HTTP answer tells about the outcome of a call. Separate, because this reading, not the retrying, is where
//! "refused" and "no idea" are told apart.

use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;

/// An answer that can be relied on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply<T> {
    /// It did what it says.
    Said(T),
    /// Nothing is known of what was asked about (404).
    NothingKnown,
    /// A definite no to the request as such (any other 4xx): repeating it will not help.
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the system said, cut at 500 characters.
        text: String,
    },
}

/// Why the outcome of an attempt is unknown: it may have happened.
#[derive(Debug, thiserror::Error)]
pub enum Uncertain {
    /// No answer came, or only part of one.
    #[error("the system did not answer")]
    NoAnswer {
        /// What the client said.
        #[source]
        source: reqwest::Error,
    },
    /// An answer that says nothing about the outcome: 5xx, busy, or our credentials.
    #[error("the system answered with status {status}")]
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// An answer that cannot be understood.
    #[error("the system's answer cannot be read")]
    Unreadable {
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
}

/// Reads an answer.
///
/// # Errors
/// [`Uncertain`] if it does not tell the outcome.
pub async fn read<T: DeserializeOwned>(answer: reqwest::Result<Response>) -> Result<Reply<T>, Uncertain> {
    let no_answer = |source| Uncertain::NoAnswer { source };
    let answer = answer.map_err(no_answer)?;
    let status = answer.status();
    if status.is_success() {
        let body = answer.bytes().await.map_err(no_answer)?;
        return serde_json::from_slice(&body).map(Reply::Said).map_err(|source| Uncertain::Unreadable { source });
    }
    match status {
        StatusCode::NOT_FOUND => Ok(Reply::NothingKnown),
        // These are about the caller's credentials or the system's load, and pass: they are no answer to the request.
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::REQUEST_TIMEOUT
        | StatusCode::TOO_EARLY
        | StatusCode::TOO_MANY_REQUESTS => Err(Uncertain::Status { status: status.as_u16() }),
        _ if status.is_client_error() => {
            let text = answer.text().await.map_err(no_answer)?;
            Ok(Reply::Refused { status: status.as_u16(), text: text.chars().take(500).collect() })
        }
        _ => Err(Uncertain::Status { status: status.as_u16() }),
    }
}
