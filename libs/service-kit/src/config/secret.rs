//! How secrets look when settings are shown. Separate, because every section with a secret needs the same three functions.

use secrecy::{ExposeSecret, SecretString};
use serde::Serializer;

const SHOWN: &str = "[redacted]";

/// For `#[serde(serialize_with)]`: says that there is a secret, and nothing else.
///
/// # Errors
/// The serializer's own.
pub fn redact<S: Serializer>(_: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(SHOWN)
}

/// The same for a secret that may be absent.
///
/// # Errors
/// The serializer's own.
pub fn redact_option<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(_) => serializer.serialize_some(SHOWN),
        None => serializer.serialize_none(),
    }
}

/// For a URL: shows where it points and hides its password and whatever follows a `?`.
///
/// # Errors
/// The serializer's own.
pub fn redact_url<S: Serializer>(url: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&url_without_secrets(url.expose_secret()))
}

fn url_without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return SHOWN.to_owned() };
    let (rest, query) = match rest.split_once('?') {
        Some((rest, _)) => (rest, "?[redacted]"),
        None => (rest, ""),
    };
    // The last `@`, since an unescaped password may hold one.
    match rest.rsplit_once('@') {
        Some((login, place)) => {
            let user = login.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:{SHOWN}@{place}{query}")
        }
        None => format!("{scheme}://{rest}{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::url_without_secrets;

    #[test]
    fn a_shown_url_keeps_its_place_and_loses_its_password() {
        let cases = [
            ("postgres://order:pa@ss@db:5432/order", "postgres://order:[redacted]@db:5432/order"),
            ("postgres://db/order?password=x", "postgres://db/order?[redacted]"),
            ("password=x host=db", "[redacted]"),
        ];
        for (url, shown) in cases {
            assert_eq!(url_without_secrets(url), shown);
        }
    }
}
