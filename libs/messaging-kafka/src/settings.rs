//! How to reach a Kafka cluster, as an operator writes it down. Separate from the clients, so that every client is
//! reached, secured and logged the same way.

use std::{collections::BTreeMap, fmt};

use rdkafka::{ClientConfig, config::RDKafkaLogLevel};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

const MASKED: &str = "***";

/// How connections are secured and who we say we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// Neither encrypted nor authenticated.
    #[default]
    Plaintext,
    /// TLS; with `cert_location` and `key_location`, the client is authenticated too.
    Tls,
    /// SASL PLAIN: user name and password as they are.
    SaslPlain,
    /// SASL SCRAM-SHA-256.
    #[serde(rename = "sasl_scram_256")]
    SaslScram256,
    /// SASL SCRAM-SHA-512.
    #[serde(rename = "sasl_scram_512")]
    SaslScram512,
}

/// The protocol by which a group shares lanes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupProtocol {
    /// Cooperative-sticky; the session timeout is ours to set.
    #[default]
    Classic,
    /// KIP-848; the broker sets the session timeout (45 s unless changed there).
    Consumer,
}

/// Everything needed to reach a cluster. `Debug` and `Serialize` mask secrets.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaSettings {
    /// `host:port`, several separated by commas.
    pub bootstrap: String,
    /// How we appear in the broker's logs and quotas.
    #[serde(default = "default_client_id")]
    pub client_id: String,
    /// Encryption and authentication.
    #[serde(default)]
    pub security: Security,
    /// Whether SASL goes over TLS. On unless said otherwise; without meaning for the rest.
    #[serde(default = "yes")]
    pub sasl_over_tls: bool,
    /// SASL user name.
    #[serde(default)]
    pub username: Option<String>,
    /// SASL password.
    #[serde(default, serialize_with = "masked")]
    pub password: Option<SecretString>,
    /// PEM file of the authorities we trust; the system's where none is given.
    #[serde(default)]
    pub ca_location: Option<String>,
    /// PEM file of our own certificate.
    #[serde(default)]
    pub cert_location: Option<String>,
    /// PEM file of our own key.
    #[serde(default)]
    pub key_location: Option<String>,
    /// What opens the key, if it is locked.
    #[serde(default, serialize_with = "masked")]
    pub key_password: Option<SecretString>,
    /// How lanes are shared out.
    #[serde(default)]
    pub group_protocol: GroupProtocol,
    /// How long a silent member keeps its lanes, milliseconds (classic protocol only).
    #[serde(default = "default_session_timeout_ms")]
    pub session_timeout_ms: u32,
    /// Static membership: a member that comes back under this id within the session timeout keeps its lanes.
    #[serde(default)]
    pub instance_id: Option<String>,
    /// How long a rebalance waits for a lane's work to be handed over, milliseconds.
    #[serde(default = "default_hand_over_timeout_ms")]
    pub hand_over_timeout_ms: u32,
    /// Raw librdkafka settings, which win over ours. They go to every client; a name that begins with `membership.`,
    /// `reader.` or `publisher.` goes, without that beginning, to that one alone.
    #[serde(default)]
    pub extra: Extra,
}

/// Raw librdkafka settings by name. Values whose names speak of secrets are masked when shown.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Extra(pub BTreeMap<String, String>);

impl Extra {
    fn shown(&self) -> BTreeMap<&str, &str> {
        const SECRET: [&str; 6] = ["password", "secret", "pem", "token", "oauthbearer", "jaas"];
        let show = |name: &str| !SECRET.iter().any(|word| name.contains(word));
        self.0.iter().map(|(name, value)| (name.as_str(), if show(name) { value.as_str() } else { MASKED })).collect()
    }
}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown().fmt(f)
    }
}

impl Serialize for Extra {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.shown().serialize(serializer)
    }
}

impl KafkaSettings {
    /// Plaintext, everything else by default.
    #[must_use]
    pub fn plaintext(bootstrap: impl Into<String>) -> Self {
        Self {
            bootstrap: bootstrap.into(),
            client_id: default_client_id(),
            security: Security::Plaintext,
            sasl_over_tls: true,
            username: None,
            password: None,
            ca_location: None,
            cert_location: None,
            key_location: None,
            key_password: None,
            group_protocol: GroupProtocol::Classic,
            session_timeout_ms: default_session_timeout_ms(),
            instance_id: None,
            hand_over_timeout_ms: default_hand_over_timeout_ms(),
            extra: Extra::default(),
        }
    }

    /// Everything that is wrong with these settings, in words for the operator.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.bootstrap.trim().is_empty() {
            problems.push("kafka.bootstrap is empty; expected host:port".to_owned());
        }
        if self.mechanism().is_some() && (self.username.is_none() || self.password.is_none()) {
            problems.push("kafka.security is SASL, which needs kafka.username and kafka.password".to_owned());
        }
        if self.cert_location.is_some() != self.key_location.is_some() {
            problems.push("kafka.cert_location and kafka.key_location belong together".to_owned());
        }
        if !(1_000..=300_000).contains(&self.session_timeout_ms) {
            problems.push("kafka.session_timeout_ms is not between 1000 and 300000".to_owned());
        }
        problems
    }

    fn mechanism(&self) -> Option<&'static str> {
        match self.security {
            Security::Plaintext | Security::Tls => None,
            Security::SaslPlain => Some("PLAIN"),
            Security::SaslScram256 => Some("SCRAM-SHA-256"),
            Security::SaslScram512 => Some("SCRAM-SHA-512"),
        }
    }

    /// What every client of ours begins with; [`Self::finish`] ends it.
    pub(crate) fn base(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("client.id", &self.client_id)
            // A broker that comes back is found within two seconds, not ten.
            .set("reconnect.backoff.ms", "100")
            .set("reconnect.backoff.max.ms", "2000")
            // Dead peers behind load balancers and NAT are noticed.
            .set("socket.keepalive.enable", "true")
            // Small requests leave at once.
            .set("socket.nagle.disable", "true")
            .set_log_level(RDKafkaLogLevel::Info);
        let over_tls = self.security == Security::Tls || (self.mechanism().is_some() && self.sasl_over_tls);
        let protocol = match (self.mechanism(), over_tls) {
            (None, false) => "plaintext",
            (None, true) => "ssl",
            (Some(_), false) => "sasl_plaintext",
            (Some(_), true) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        let plain = [
            ("sasl.mechanism", self.mechanism()),
            ("sasl.username", self.username.as_deref()),
            ("ssl.ca.location", self.ca_location.as_deref()),
            ("ssl.certificate.location", self.cert_location.as_deref()),
            ("ssl.key.location", self.key_location.as_deref()),
            ("sasl.password", self.password.as_ref().map(ExposeSecret::expose_secret)),
            ("ssl.key.password", self.key_password.as_ref().map(ExposeSecret::expose_secret)),
        ];
        for (name, value) in plain {
            if let Some(value) = value {
                config.set(name, value);
            }
        }
        config
    }

    /// Lets the operator's raw settings win.
    pub(crate) fn finish(&self, kind: ClientKind, mut config: ClientConfig) -> ClientConfig {
        let of_one = |name: &str| ClientKind::OF_ONE.iter().any(|kind| name.starts_with(kind.prefix()));
        for (name, value) in self.extra.0.iter().filter(|(name, _)| !of_one(name)) {
            config.set(name, value);
        }
        let own = |name: &'_ String| name.strip_prefix(kind.prefix()).map(ToOwned::to_owned);
        for (name, value) in self.extra.0.iter().filter_map(|(name, value)| Some((own(name)?, value))) {
            config.set(name, value);
        }
        config
    }
}

/// Which of our clients a configuration is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientKind {
    Membership,
    Reader,
    Publisher,
    /// Those that only ask.
    Asker,
}

impl ClientKind {
    const OF_ONE: [Self; 3] = [Self::Membership, Self::Reader, Self::Publisher];

    fn prefix(self) -> &'static str {
        match self {
            Self::Membership => "membership.",
            Self::Reader => "reader.",
            Self::Publisher => "publisher.",
            Self::Asker => "asker.",
        }
    }
}

fn default_client_id() -> String {
    "backstitch".to_owned()
}

fn yes() -> bool {
    true
}

fn default_session_timeout_ms() -> u32 {
    6_000
}

fn default_hand_over_timeout_ms() -> u32 {
    3_000
}

fn masked<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(|_| MASKED).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scram() -> KafkaSettings {
        serde_json::from_value(serde_json::json!({
            "bootstrap": "broker:9093",
            "security": "sasl_scram_512",
            "username": "orders",
            "password": "hush-hush",
            "key_password": "hush-hush",
            "extra": { "ssl.keystore.password": "hush-hush", "debug": "cgrp" },
        }))
        .expect("settings")
    }

    #[test]
    fn secrets_are_never_shown() {
        let shown = format!("{:?} {}", scram(), serde_json::to_string(&scram()).expect("json"));
        assert!(!shown.contains("hush"), "{shown}");
        assert!(shown.contains("***") && shown.contains("cgrp"), "{shown}");
    }

    #[test]
    fn sasl_goes_over_tls_unless_said_otherwise() {
        assert_eq!(scram().base().get("security.protocol"), Some("sasl_ssl"));
        assert_eq!(scram().base().get("sasl.password"), Some("hush-hush"));
        let bare = KafkaSettings { sasl_over_tls: false, ..scram() };
        assert_eq!(bare.base().get("security.protocol"), Some("sasl_plaintext"));
    }

    #[test]
    fn every_way_in_is_built_into_the_client() {
        let every =
            [Security::Plaintext, Security::Tls, Security::SaslPlain, Security::SaslScram256, Security::SaslScram512];
        for security in every {
            let settings = KafkaSettings { security, extra: Extra::default(), key_password: None, ..scram() };
            let client: Result<rdkafka::producer::BaseProducer, _> = settings.base().create();
            assert!(client.is_ok(), "{security:?}: {:?}", client.err());
        }
    }

    #[test]
    fn a_raw_setting_reaches_every_client_or_the_one_it_names() {
        let extra = [("debug", "cgrp"), ("membership.debug", "all"), ("reader.fetch.wait.max.ms", "7")];
        let extra = Extra(extra.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        let settings = KafkaSettings { extra, ..KafkaSettings::plaintext("b:1") };
        let of = |kind, name: &str| settings.finish(kind, settings.base()).get(name).map(ToOwned::to_owned);
        assert_eq!(of(ClientKind::Publisher, "debug").as_deref(), Some("cgrp"));
        assert_eq!(of(ClientKind::Membership, "debug").as_deref(), Some("all"));
        assert_eq!(of(ClientKind::Reader, "fetch.wait.max.ms").as_deref(), Some("7"));
        assert_eq!(of(ClientKind::Asker, "fetch.wait.max.ms"), None);
    }

    #[test]
    fn a_typo_is_refused_and_every_problem_is_named() {
        assert!(serde_json::from_str::<KafkaSettings>(r#"{"bootstrap":"b:1","sesion_timeout_ms":1}"#).is_err());
        let wrong = KafkaSettings {
            security: Security::SaslPlain,
            session_timeout_ms: 5,
            cert_location: Some("cert.pem".into()),
            ..KafkaSettings::plaintext("")
        };
        assert_eq!(wrong.problems().len(), 4, "{:?}", wrong.problems());
    }
}
