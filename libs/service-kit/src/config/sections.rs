//! The sections that all services share. Separate from the reading, so that a service's settings are a struct of these
//! and its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{Problem, redact_option, redact_url};

/// `process`: how the process ends.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProcessSettings {
    /// How long running work may take to finish after SIGTERM. Keep it below the orchestrator's own grace period
    /// (30 s in Kubernetes).
    pub drain_seconds: u64,
}

impl Default for ProcessSettings {
    fn default() -> Self {
        Self { drain_seconds: 25 }
    }
}

impl ProcessSettings {
    pub(super) fn problems(&self) -> Vec<Problem> {
        let reasonable = (1..=3600).contains(&self.drain_seconds);
        if reasonable { Vec::new() } else { vec![Problem::new("process.drain_seconds", "should be from 1 to 3600")] }
    }
}

/// `http`: where the process answers.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSettings {
    /// Address and port to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The longest body of a request, in bytes.
    pub body_bytes_max: usize,
    /// How long one request may take.
    pub timeout_seconds: u64,
    /// How many requests may run at once; more are answered 503.
    pub concurrency_max: usize,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            body_bytes_max: 1024 * 1024,
            timeout_seconds: 30,
            concurrency_max: 512,
        }
    }
}

/// What a caller may do; each role includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May read.
    Viewer,
    /// May change sagas.
    Operator,
    /// May do everything.
    Admin,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        })
    }
}

/// `auth`: who may call.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthSettings {
    /// The known callers.
    pub tokens: Vec<TokenSettings>,
    /// Whether reading needs a token too.
    pub read_requires_token: bool,
}

/// One caller: a name, a role, and the token or its SHA-256.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSettings {
    /// The name that is journaled with what the caller changes.
    pub name: String,
    /// What the caller may do.
    pub role: Role,
    /// The token itself, at least 16 characters.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "redact_option")]
    pub token: Option<SecretString>,
    /// Or the SHA-256 of the token, in hex, so that the settings hold no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// Fewer characters than this can be guessed.
const TOKEN_CHARS_MIN: usize = 16;

impl AuthSettings {
    /// What is wrong with the tokens. A service with an `auth` section adds these to its own problems.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let wrong = |(index, token): (usize, &TokenSettings)| {
            token.wrong().map(|what| Problem::new(format!("auth.tokens.{index}"), what))
        };
        self.tokens.iter().enumerate().filter_map(wrong).collect()
    }
}

impl TokenSettings {
    fn wrong(&self) -> Option<&'static str> {
        match (&self.token, &self.sha256) {
            _ if self.name.trim().is_empty() => Some("`name` is empty; name the caller"),
            (None, None) => Some("needs `token` or `sha256`"),
            (Some(_), Some(_)) => Some("has both `token` and `sha256`; keep one"),
            (Some(token), None) if token.expose_secret().chars().count() < TOKEN_CHARS_MIN => {
                Some("`token` is shorter than 16 characters; take a long random one")
            }
            (None, Some(hex)) if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Some("`sha256` should be 64 hexadecimal digits, as `printf %s TOKEN | sha256sum` prints")
            }
            _ => None,
        }
    }
}

/// `database`: the service's own Postgres database.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// `postgres://user:password@host:port/database`.
    #[serde(serialize_with = "redact_url")]
    pub url: SecretString,
    /// How many connections the process may hold.
    #[serde(default = "connections_max")]
    pub max_connections: u32,
    /// After how long Postgres ends a statement of ours.
    #[serde(default = "statement_timeout_seconds")]
    pub statement_timeout_seconds: u32,
    /// Encryption of the connection.
    #[serde(default)]
    pub tls: DatabaseTls,
}

fn connections_max() -> u32 {
    20
}

fn statement_timeout_seconds() -> u32 {
    30
}

/// `database.tls`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseTls {
    /// What is demanded of the server; the URL's `sslmode` where absent.
    pub mode: Option<TlsMode>,
    /// The authorities to trust, PEM.
    pub ca_file: Option<PathBuf>,
    /// Our certificate, PEM, where the server wants one.
    pub cert_file: Option<PathBuf>,
    /// Its key, PEM.
    pub key_file: Option<PathBuf>,
}

/// As libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// Never.
    Disable,
    /// If the server offers it.
    Prefer,
    /// Encrypted, by whomever.
    Require,
    /// And the certificate is trusted.
    VerifyCa,
    /// And it names the host.
    VerifyFull,
}

/// `telemetry`: what the process says about itself.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetrySettings {
    /// Which logs are written: a level, or `target=level` pairs with commas.
    pub log: String,
    /// One JSON object a line, or lines for people.
    pub log_format: LogFormat,
    /// Where traces go: an OTLP collector over HTTP, such as `http://jaeger:4318`. Nowhere if absent.
    pub otlp_endpoint: Option<String>,
    /// The share of new traces that is kept, 0 to 1. Traces begun elsewhere keep what was decided there.
    pub trace_sample_ratio: f64,
    /// A password-like header for the collector, as `name: value`.
    #[serde(serialize_with = "redact_option")]
    pub otlp_header: Option<SecretString>,
}

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For programs.
    Json,
    /// For people.
    Pretty,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self {
            log: "info".to_owned(),
            log_format: LogFormat::Json,
            otlp_endpoint: None,
            trace_sample_ratio: 1.0,
            otlp_header: None,
        }
    }
}

impl TelemetrySettings {
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Err(error) = self.log.parse::<tracing_subscriber::filter::Targets>() {
            problems.push(Problem::new("telemetry.log", format!("should be like `info,backstitch=debug`: {error}")));
        }
        if !(0.0..=1.0).contains(&self.trace_sample_ratio) {
            problems.push(Problem::new("telemetry.trace_sample_ratio", "should be from 0 to 1"));
        }
        if self.otlp_endpoint.as_ref().is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
            problems.push(Problem::new("telemetry.otlp_endpoint", "should begin with `http://` or `https://`"));
        }
        if self.otlp_header.as_ref().is_some_and(|header| !header.expose_secret().contains(':')) {
            problems.push(Problem::new("telemetry.otlp_header", "should be like `name: value`"));
        }
        problems
    }
}
