//! How to reach a schema registry, as an operator writes it down. Separate from the client, which never shows it.

use std::{fmt, fs, io, time::Duration};

use reqwest::{Certificate, ClientBuilder, Identity};
use schema_registry_converter::async_impl::schema_registry::SrSettings;
use schema_registry_converter::error::SRCError;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

/// Where the registry is and who we say we are. `Debug` and `Serialize` mask the password.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrySettings {
    /// Addresses of the Confluent API, several separated by commas; tried in order.
    pub url: String,
    /// Basic authentication: user name, or API key.
    #[serde(default)]
    pub username: Option<String>,
    /// Basic authentication: password, or API secret.
    #[serde(default, serialize_with = "masked")]
    pub password: Option<SecretString>,
    /// PEM file of authorities to trust beside the system's.
    #[serde(default)]
    pub ca_location: Option<String>,
    /// PEM file of our own certificate.
    #[serde(default)]
    pub cert_location: Option<String>,
    /// PEM file of our own key, PKCS #8.
    #[serde(default)]
    pub key_location: Option<String>,
    /// How long one call may take, milliseconds.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u32,
}

/// Why the registry's client could not be set up. Nothing has been sent by then.
#[derive(Debug, thiserror::Error)]
pub enum RegistrySettingsError {
    /// A file named in the settings cannot be read.
    #[error("the file `{path}` cannot be read")]
    File {
        /// Which one.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A certificate or key is none.
    #[error("the file `{path}` is no PEM as expected")]
    Pem {
        /// Which one.
        path: String,
        /// Why not.
        #[source]
        source: reqwest::Error,
    },
    /// Half of a pair is missing.
    #[error("a certificate of our own needs `cert_location` and `key_location`")]
    Pair,
    /// No address, or one that is no URL.
    #[error("`{url}` is no address of a schema registry")]
    Url {
        /// What was given.
        url: String,
    },
    /// The client refuses the settings.
    #[error("the schema registry's client cannot be built: {reason}")]
    Client {
        /// The client's words.
        reason: String,
    },
}

impl RegistrySettings {
    /// A registry that asks for no credentials.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            username: None,
            password: None,
            ca_location: None,
            cert_location: None,
            key_location: None,
            timeout_ms: default_timeout_ms(),
        }
    }

    /// The addresses, without the slash at the end.
    pub(super) fn urls(&self) -> Result<Vec<String>, RegistrySettingsError> {
        let urls: Vec<String> = self.url.split(',').map(|url| url.trim().trim_end_matches('/').to_owned()).collect();
        let wrong = urls.iter().find(|url| reqwest::Url::parse(url).map_or(true, |url| url.cannot_be_a_base()));
        match wrong {
            Some(url) => Err(RegistrySettingsError::Url { url: url.clone() }),
            None => Ok(urls),
        }
    }

    pub(super) fn converter(&self) -> Result<SrSettings, RegistrySettingsError> {
        let mut urls = self.urls()?.into_iter();
        let mut builder = SrSettings::new_builder(urls.next().unwrap_or_default());
        for url in urls {
            builder.add_url(url);
        }
        if let Some(username) = &self.username {
            builder.set_basic_authorization(username, self.password.as_ref().map(ExposeSecret::expose_secret));
        }
        builder.set_timeout(self.timeout());
        let unusable = |error: SRCError| RegistrySettingsError::Client { reason: error.error };
        builder.build_with(self.client()?).map_err(unusable)
    }

    /// A client that trusts and shows what the settings say.
    pub(super) fn client(&self) -> Result<ClientBuilder, RegistrySettingsError> {
        let mut builder = ClientBuilder::new().timeout(self.timeout());
        if let Some(path) = &self.ca_location {
            let certificates = Certificate::from_pem_bundle(&read(path)?);
            builder = builder.tls_certs_merge(certificates.map_err(|source| pem(path, source))?);
        }
        match (&self.cert_location, &self.key_location) {
            (Some(cert), Some(key)) => {
                let identity = Identity::from_pkcs8_pem(&read(cert)?, &read(key)?);
                builder = builder.identity(identity.map_err(|source| pem(cert, source))?);
            }
            (None, None) => {}
            _ => return Err(RegistrySettingsError::Pair),
        }
        Ok(builder)
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(u64::from(self.timeout_ms))
    }
}

fn read(path: &str) -> Result<Vec<u8>, RegistrySettingsError> {
    fs::read(path).map_err(|source| RegistrySettingsError::File { path: path.to_owned(), source })
}

fn pem(path: &str, source: reqwest::Error) -> RegistrySettingsError {
    RegistrySettingsError::Pem { path: path.to_owned(), source }
}

impl fmt::Debug for RegistrySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistrySettings")
            .field("url", &self.url)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| MASKED))
            .field("ca_location", &self.ca_location)
            .field("cert_location", &self.cert_location)
            .field("key_location", &self.key_location)
            .field("timeout_ms", &self.timeout_ms)
            .finish()
    }
}

const MASKED: &str = "***";

fn masked<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(|_| MASKED).serialize(serializer)
}

const fn default_timeout_ms() -> u32 {
    3_000
}
