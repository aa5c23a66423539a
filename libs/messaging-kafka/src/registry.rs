//! The schema registry: which schema an id names, which id a schema has. Separate from Kafka's clients, because it is
//! another system with outages of its own.
//!
//! Only what Confluent's registry, Apicurio and Karapace do alike is used. The converter's own cache keeps errors for
//! ever, so an outage would never heal; here a schema once found is kept, and a failure never.

mod settings;

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use schema_registry_converter::async_impl::schema_registry::{SrSettings, perform_sr_call};
use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::{RawError, RawRegisteredSchema, SrCall};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::json;

pub use settings::{RegistrySettings, RegistrySettingsError};

/// Why something could not be looked up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// The registry answered in its own words: there is none. Definite.
    #[error("the schema registry has no {what}")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// No answer, or none of the registry's own (a proxy's 404 is no word on schemas). Worth asking again.
    #[error("the schema registry could not be asked for {what}: {reason}")]
    Unavailable {
        /// What was looked for.
        what: String,
        /// What was seen.
        reason: String,
    },
}

/// Why something could not be changed or checked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The registry says no: not compatible, no schema, not allowed.
    #[error("the schema registry refuses {what}: {reason}")]
    Refused {
        /// What was asked for.
        what: String,
        /// The registry's words.
        reason: String,
    },
    /// No answer, or none that means anything.
    #[error("the schema registry could not be asked to take {what}: {reason}")]
    Unavailable {
        /// What was asked for.
        what: String,
        /// What was seen.
        reason: String,
    },
}

/// How schemas of a subject must go together.
pub const BACKWARD_TRANSITIVE: &str = "BACKWARD_TRANSITIVE";

/// A schema as the registry has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Its id, as written before the data.
    pub id: u32,
    /// Its version within the subject, where the registry says so.
    pub version: Option<u32>,
    /// Its text.
    pub schema: String,
}

type LookUp = Shared<BoxFuture<'static, Result<Arc<str>, FindError>>>;

/// A client of one registry. Clones share its cache.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

struct Inner {
    converter: SrSettings,
    client: Client,
    urls: Vec<String>,
    settings: RegistrySettings,
    look_ups: Mutex<HashMap<u32, LookUp>>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

impl Registry {
    /// A client by these settings. Nothing is sent yet.
    ///
    /// # Errors
    /// [`RegistrySettingsError`] if a file cannot be read, or the settings do not go together.
    pub fn new(settings: RegistrySettings) -> Result<Self, RegistrySettingsError> {
        let refused = |error: reqwest::Error| RegistrySettingsError::Client { reason: error.to_string() };
        let inner = Inner {
            converter: settings.converter()?,
            client: settings.client()?.build().map_err(refused)?,
            urls: settings.urls()?,
            settings,
            look_ups: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The text of the schema that this id names. Asked once, whoever wants it; then kept. Failures are not kept.
    ///
    /// # Errors
    /// [`FindError`]: not there, or not to be had now.
    pub async fn schema(&self, id: u32) -> Result<Arc<str>, FindError> {
        let look_up = self.look_ups().entry(id).or_insert_with(|| self.begin(id)).clone();
        let found = look_up.clone().await;
        if found.is_err() {
            let mut look_ups = self.look_ups();
            // Another caller may have begun anew already: only the one that failed is forgotten.
            if look_ups.get(&id).is_some_and(|current| current.ptr_eq(&look_up)) {
                look_ups.remove(&id);
            }
        }
        found
    }

    /// The id of this very schema under a subject. Registers nothing.
    ///
    /// # Errors
    /// [`FindError`]: not registered there, or not to be had now.
    pub async fn id_of(&self, subject: &str, schema: &str) -> Result<u32, FindError> {
        let what = || format!("schema like ours under `{subject}`");
        let body = avro(schema);
        let call = perform_sr_call(&self.inner.converter, SrCall::PostForVersion(subject, &body));
        let raw = call.await.map_err(|error| not_found(&error, what()))?;
        raw.id.ok_or_else(|| FindError::Unavailable { what: what(), reason: NO_ID.to_owned() })
    }

    /// The newest schema of a subject.
    ///
    /// # Errors
    /// [`FindError`]: no such subject, or not to be had now.
    pub async fn latest(&self, subject: &str) -> Result<Registered, FindError> {
        let what = || format!("subject `{subject}`");
        let raw = perform_sr_call(&self.inner.converter, SrCall::GetLatest(subject)).await;
        match raw.map_err(|error| not_found(&error, what()))? {
            RawRegisteredSchema { id: Some(id), schema: Some(schema), version, .. } => {
                Ok(Registered { id, version, schema })
            }
            _ => Err(FindError::Unavailable { what: what(), reason: NO_ID.to_owned() }),
        }
    }

    /// Registers a schema, or finds the one that is registered already, and answers its id.
    ///
    /// # Errors
    /// [`ChangeError`]: refused (not compatible), or not to be had now.
    pub async fn register(&self, subject: &str, schema: &str) -> Result<u32, ChangeError> {
        let what = || format!("a schema for `{subject}`");
        let body = avro(schema);
        let raw = perform_sr_call(&self.inner.converter, SrCall::PostNew(subject, &body)).await;
        let raw = raw.map_err(|error| refused(&error, what()))?;
        raw.id.ok_or_else(|| ChangeError::Unavailable { what: what(), reason: NO_ID.to_owned() })
    }

    /// Sets how schemas of a subject must go together, which registries leave at different defaults.
    ///
    /// # Errors
    /// [`ChangeError`]: refused, or not to be had now.
    pub async fn set_compatibility(&self, subject: &str, level: &str) -> Result<(), ChangeError> {
        let what = format!("compatibility `{level}` for `{subject}`");
        let body = json!({ "compatibility": level });
        let answer = self.send(Method::PUT, &["config", subject], Some(&body), &what).await?;
        understood::<serde::de::IgnoredAny>(answer, &what).await.map(|_| ())
    }

    /// The versions of a subject that this schema could not follow; empty if it may be registered.
    ///
    /// Asked version by version: not every registry can be asked for all at once.
    ///
    /// # Errors
    /// [`ChangeError`]: the schema is none, or the registry is not to be had now.
    pub async fn check(&self, subject: &str, schema: &str) -> Result<Vec<u32>, ChangeError> {
        let what = format!("the question whether a schema fits `{subject}`");
        let answer = self.send(Method::GET, &["subjects", subject, "versions"], None, &what).await?;
        let versions: Vec<u32> = if answer.status() == StatusCode::NOT_FOUND {
            match understood::<Vec<u32>>(answer, &what).await {
                // The registry's own word that nothing is there to fit to.
                Err(ChangeError::Refused { .. }) => return Ok(Vec::new()),
                other => other?,
            }
        } else {
            understood(answer, &what).await?
        };
        let body = json!({ "schema": schema, "schemaType": "AVRO" });
        let mut misfits = Vec::new();
        for version in versions {
            let path = ["compatibility", "subjects", subject, "versions", &version.to_string()];
            let answer = self.send(Method::POST, &path, Some(&body), &what).await?;
            let verdict: Verdict = understood(answer, &what).await?;
            if !verdict.is_compatible {
                misfits.push(version);
            }
        }
        Ok(misfits)
    }

    fn begin(&self, id: u32) -> LookUp {
        let converter = self.inner.converter.clone();
        let ask = async move {
            let what = || format!("schema {id}");
            let raw = perform_sr_call(&converter, SrCall::GetById(id)).await;
            let raw = raw.map_err(|error| not_found(&error, what()))?;
            raw.schema.map(Arc::from).ok_or_else(|| FindError::Unavailable { what: what(), reason: NO_ID.to_owned() })
        };
        ask.boxed().shared()
    }

    fn look_ups(&self) -> std::sync::MutexGuard<'_, HashMap<u32, LookUp>> {
        self.inner.look_ups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the converter has no call for. Addresses are tried in order, until one answers.
    async fn send(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&serde_json::Value>,
        what: &str,
    ) -> Result<Response, ChangeError> {
        let mut reason = String::from("no address answers");
        for base in &self.inner.urls {
            match self.request(base, &method, path, body).send().await {
                Ok(answer) => return Ok(answer),
                Err(error) => reason = with_causes(&error),
            }
        }
        Err(ChangeError::Unavailable { what: what.to_owned(), reason })
    }

    fn request(&self, base: &str, method: &Method, path: &[&str], body: Option<&serde_json::Value>) -> RequestBuilder {
        let escaped: Vec<String> = path.iter().map(|part| part.replace('/', "%2F")).collect();
        let mut request = self.inner.client.request(method.clone(), format!("{base}/{}", escaped.join("/")));
        if let Some(username) = &self.inner.settings.username {
            let password = self.inner.settings.password.as_ref().map(|password| password.expose_secret());
            request = request.basic_auth(username, password);
        }
        if let Some(body) = body {
            request = request.header("content-type", CONTENT_TYPE).body(body.to_string());
        }
        request.header("accept", CONTENT_TYPE)
    }
}

const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";
const NO_ID: &str = "the answer lacks the id or the schema";

#[derive(Deserialize)]
struct Verdict {
    is_compatible: bool,
}

fn avro(schema: &str) -> String {
    json!({ "schema": schema, "schemaType": "AVRO" }).to_string()
}

/// The registry's own error code, if the answer was its own: 404xx for what is not there, 409, 422xx, …
fn code(error: &SRCError) -> Option<&RawError> {
    error.source().and_then(|source| source.downcast_ref::<RawError>()).filter(|raw| raw.error_code != 0)
}

fn not_found(error: &SRCError, what: String) -> FindError {
    match code(error) {
        Some(raw) if (40400..40500).contains(&raw.error_code) => FindError::NotFound { what },
        _ => FindError::Unavailable { what, reason: said(error) },
    }
}

fn refused(error: &SRCError, what: String) -> ChangeError {
    match code(error) {
        Some(raw) if is_refusal(raw.error_code) => ChangeError::Refused { what, reason: raw.message.clone() },
        _ => ChangeError::Unavailable { what, reason: said(error) },
    }
}

/// 4xx and 4xxyy; but a 408 and a 429 pass.
const fn is_refusal(code: u32) -> bool {
    let status = if code >= 10_000 { code / 100 } else { code };
    status >= 400 && status < 500 && status != 408 && status != 429
}

fn said(error: &SRCError) -> String {
    match &error.cause {
        Some(cause) => format!("{}: {cause}", error.error),
        None => error.error.clone(),
    }
}

/// The answer's content, or the registry's refusal in its own words.
async fn understood<T: for<'de> Deserialize<'de>>(answer: Response, what: &str) -> Result<T, ChangeError> {
    let status = answer.status();
    let unavailable = |reason: String| ChangeError::Unavailable { what: what.to_owned(), reason };
    let body = answer.bytes().await.map_err(|error| unavailable(with_causes(&error)))?;
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|error| unavailable(error.to_string()));
    }
    match serde_json::from_slice::<RawError>(&body) {
        Ok(raw) if is_refusal(raw.error_code) => {
            Err(ChangeError::Refused { what: what.to_owned(), reason: raw.message })
        }
        _ => Err(unavailable(format!("it answers {status}"))),
    }
}

fn with_causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        text = format!("{text}: {deeper}");
        cause = deeper.source();
    }
    text
}
