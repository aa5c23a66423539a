//! The orchestrator's HTTP API as this tool uses it. Separate, so that its errors become exit codes in one place.

use std::time::Duration;

use anyhow::Context;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

use crate::cli::Cli;
use crate::exit::{Code, coded};

/// Longer than the longest wait the API allows.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A client of one orchestrator, or of the order service, whose errors look alike.
pub(crate) struct Orchestrator {
    who: &'static str,
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

/// An answer that is no error.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Whether the command was sent and its outcome is not known yet.
    pub(crate) accepted_only: bool,
    /// The body.
    pub(crate) body: Value,
}

impl Orchestrator {
    /// The one the command line names.
    ///
    /// # Errors
    /// If no HTTP client can be made.
    pub(crate) fn of(cli: &Cli) -> anyhow::Result<Self> {
        Self::at("the orchestrator", &cli.orchestrator, cli)
    }

    /// The order service that the command line names.
    ///
    /// # Errors
    /// If no HTTP client can be made.
    pub(crate) fn order_service(cli: &Cli, url: &str) -> anyhow::Result<Self> {
        Self::at("the order service", url, cli)
    }

    fn at(who: &'static str, url: &str, cli: &Cli) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).build().context("no HTTP client can be made")?;
        Ok(Self { who, http, url: url.trim_end_matches('/').to_owned(), token: cli.token.clone() })
    }

    /// Reads.
    ///
    /// # Errors
    /// With the exit code of what went wrong.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<Value> {
        Ok(self.send(self.request(Method::GET, path).query(query)).await?.body)
    }

    /// Changes something.
    ///
    /// # Errors
    /// With the exit code of what went wrong.
    pub(crate) async fn post(&self, path: &str, wait: f64, body: &Value) -> anyhow::Result<Answer> {
        self.send(self.request(Method::POST, path).query(&[("wait", wait)]).json(body)).await
    }

    /// Changes something at once: there is nothing to wait for.
    ///
    /// # Errors
    /// With the exit code of what went wrong.
    pub(crate) async fn change(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        Ok(self.send(self.request(Method::POST, path).json(body)).await?.body)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> anyhow::Result<Answer> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let text = response.text().await.map_err(|error| self.unreachable(&error))?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(Answer { accepted_only: status == StatusCode::ACCEPTED, body });
        }
        let detail = body["detail"].as_str().or_else(|| body["title"].as_str());
        let what = detail.map_or_else(|| format!("{} answered {status}", self.url), ToOwned::to_owned);
        Err(coded(code(status), what))
    }

    fn unreachable(&self, error: &reqwest::Error) -> anyhow::Error {
        let why = if error.is_timeout() { "no answer in time" } else { "no connection" };
        coded(Code::Unreachable, format!("{} at {} cannot be reached: {why}", self.who, self.url))
    }
}

fn code(status: StatusCode) -> Code {
    match status {
        StatusCode::NOT_FOUND => Code::Unknown,
        StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => Code::Refused,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Code::NotAllowed,
        StatusCode::BAD_REQUEST => Code::Usage,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT | StatusCode::BAD_GATEWAY => Code::Unreachable,
        _ => Code::Failed,
    }
}
