//! A pool of Postgres connections as every service wants it. Separate from the settings, which know no driver.

use std::str::FromStr;
use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};

use crate::config::{DatabaseSettings, Problem, TlsMode};

/// A session left inside a transaction for longer than this is ended by Postgres: it holds locks that others wait for.
const IDLE_IN_TRANSACTION_SECONDS: u32 = 10;
/// How long a caller waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no connection to the database.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL is none that Postgres understands.
    #[error("the database url cannot be read")]
    Url {
        /// The driver's words.
        #[source]
        source: sqlx::Error,
    },
    /// The server is not there, or refuses us.
    #[error("the database `{place}` cannot be reached")]
    Unreachable {
        /// Host, port and database.
        place: String,
        /// The driver's words.
        #[source]
        source: sqlx::Error,
    },
}

/// Every statement of a lane is prepared once, touches rows by key, and runs a hundred times a second. Planning it anew
/// each time cost more than running it, and plans made while the tables were small went on reading them whole:
/// `docs/performance.md`.
const PLANNING: [(&str, &str); 3] =
    [("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off"), ("jit", "off")];

/// Connects and makes sure of an answer. `application` shows in `pg_stat_activity`.
///
/// # Errors
/// [`ConnectError`].
pub async fn connect(settings: &DatabaseSettings, application: &str) -> Result<PgPool, ConnectError> {
    let options = options(settings, application)?;
    let place = place(&options);
    pool(settings).connect_with(options).await.map_err(|source| ConnectError::Unreachable { place, source })
}

/// A pool that connects when it is first used, so that a process can start while its database is away.
///
/// # Errors
/// [`ConnectError::Url`].
pub fn connect_lazily(settings: &DatabaseSettings, application: &str) -> Result<PgPool, ConnectError> {
    Ok(pool(settings).connect_lazy_with(options(settings, application)?))
}

/// What is wrong with the section. A service with a `database` section adds these to its own problems.
#[must_use]
pub fn problems(section: &str, settings: &DatabaseSettings) -> Vec<Problem> {
    let mut problems = Vec::new();
    if PgConnectOptions::from_str(settings.url.expose_secret()).is_err() {
        let what = "should be like `postgres://user:password@host:5432/database`";
        problems.push(Problem::new(format!("{section}.url"), what));
    }
    if settings.max_connections == 0 {
        problems.push(Problem::new(format!("{section}.max_connections"), "should be 1 or more"));
    }
    if settings.tls.cert_file.is_some() != settings.tls.key_file.is_some() {
        problems.push(Problem::new(format!("{section}.tls"), "`cert_file` and `key_file` go together"));
    }
    problems
}

fn pool(settings: &DatabaseSettings) -> PgPoolOptions {
    PgPoolOptions::new().max_connections(settings.max_connections).acquire_timeout(ACQUIRE_TIMEOUT)
}

fn options(settings: &DatabaseSettings, application: &str) -> Result<PgConnectOptions, ConnectError> {
    let mut options = PgConnectOptions::from_str(settings.url.expose_secret())
        .map_err(|source| ConnectError::Url { source })?
        .application_name(application)
        .options([
            ("statement_timeout", format!("{}s", settings.statement_timeout_seconds)),
            ("idle_in_transaction_session_timeout", format!("{IDLE_IN_TRANSACTION_SECONDS}s")),
        ])
        .options(PLANNING);
    if let Some(mode) = settings.tls.mode {
        options = options.ssl_mode(ssl_mode(mode));
    }
    if let Some(file) = &settings.tls.ca_file {
        options = options.ssl_root_cert(file);
    }
    if let (Some(cert), Some(key)) = (&settings.tls.cert_file, &settings.tls.key_file) {
        options = options.ssl_client_cert(cert).ssl_client_key(key);
    }
    Ok(options)
}

fn ssl_mode(mode: TlsMode) -> PgSslMode {
    match mode {
        TlsMode::Disable => PgSslMode::Disable,
        TlsMode::Prefer => PgSslMode::Prefer,
        TlsMode::Require => PgSslMode::Require,
        TlsMode::VerifyCa => PgSslMode::VerifyCa,
        TlsMode::VerifyFull => PgSslMode::VerifyFull,
    }
}

fn place(options: &PgConnectOptions) -> String {
    format!("{}:{}/{}", options.get_host(), options.get_port(), options.get_database().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::problems;
    use crate::config::{DatabaseSettings, DatabaseTls};

    #[test]
    fn a_url_that_is_none_is_told_without_repeating_it() {
        let settings = DatabaseSettings {
            url: "mysecretpassword".to_owned().into(),
            max_connections: 0,
            statement_timeout_seconds: 30,
            tls: DatabaseTls::default(),
        };
        let told = problems("database", &settings).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            told,
            [
                "database.url: should be like `postgres://user:password@host:5432/database`",
                "database.max_connections: should be 1 or more",
            ]
        );
    }
}
