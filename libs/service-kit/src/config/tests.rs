//! What wrong settings are answered, as one reads it.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    kafka: Kafka,
    database: DatabaseSettings,
    #[serde(default)]
    http: HttpSettings,
    #[serde(default)]
    auth: AuthSettings,
    #[serde(default)]
    process: ProcessSettings,
    #[serde(default)]
    telemetry: TelemetrySettings,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Kafka {
    bootstrap: String,
    #[serde(default, serialize_with = "redact_option")]
    password: Option<SecretString>,
    #[serde(default)]
    extra: std::collections::BTreeMap<String, String>,
}

impl Config for Settings {
    fn process(&self) -> &ProcessSettings {
        &self.process
    }

    fn telemetry(&self) -> &TelemetrySettings {
        &self.telemetry
    }

    fn problems(&self) -> Vec<Problem> {
        self.auth.problems()
    }
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::from_variables(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

const COMPLETE: &str = r#"
    [kafka]
    bootstrap = "kafka:9092"
    [database]
    url = "postgres://order:topsecret@db/order"
"#;

fn problems(file: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let problems = load::<Settings>(Some(file), &environment(variables)).unwrap_err();
    problems.0.iter().map(ToString::to_string).collect()
}

#[test]
fn the_environment_goes_before_the_file_and_the_file_before_the_defaults() {
    let file = format!("{COMPLETE}\n[http]\ntimeout_seconds = 7\n[process]\ndrain_seconds = 9");
    let variables = [("BACKSTITCH_HTTP__TIMEOUT_SECONDS", "8"), ("BACKSTITCH_HTTP__LISTEN", "0.0.0.0:81")];
    let settings: Settings = load(Some(&file), &environment(&variables)).unwrap();
    assert_eq!(settings.http.timeout_seconds, 8);
    assert_eq!(settings.http.listen.to_string(), "0.0.0.0:81");
    assert_eq!(settings.process.drain_seconds, 9);
    assert_eq!(settings.http.concurrency_max, HttpSettings::default().concurrency_max);
}

#[test]
fn the_environment_alone_is_enough() {
    let variables = [
        ("BACKSTITCH_KAFKA__BOOTSTRAP", "kafka:9092"),
        ("BACKSTITCH_KAFKA__EXTRA", r#"{"client.rack"="a"}"#),
        ("BACKSTITCH_DATABASE__URL", "postgres://db/order"),
        ("BACKSTITCH_AUTH__READ_REQUIRES_TOKEN", "true"),
        ("BACKSTITCH_AUTH__TOKENS", r#"[{name="ann",role="operator",token="a long random token"}]"#),
    ];
    let settings: Settings = load(None, &environment(&variables)).unwrap();
    assert_eq!(settings.kafka.extra["client.rack"], "a");
    assert!(settings.auth.read_requires_token);
    assert_eq!(settings.auth.tokens[0].role, Role::Operator);
}

#[test]
fn a_password_of_digits_keeps_its_zeros() {
    let settings: Settings = load(Some(COMPLETE), &environment(&[("BACKSTITCH_KAFKA__PASSWORD", "007")])).unwrap();
    assert_eq!(settings.kafka.password.unwrap().expose_secret(), "007");
}

#[test]
fn every_problem_is_told_at_once_with_the_way_out() {
    let file = r#"
        [kafka]
        bootstap = "kafka:9092"
        [http]
        listen = "nowhere"
        timeout_seconds = "soon"
        [telemetry]
        log_format = "xml"
        [auth]
        tokens = [{ name = "ann", role = "boss", token = "a long random token" }]
        [gateway]
    "#;
    assert_eq!(
        problems(file, &[("BACKSTITCH_PROCESS__DRAIN_SECONDS", "[1]")]),
        [
            "auth.tokens.0.role: `boss` is none of `viewer`, `operator`, `admin`",
            "gateway: there is no such setting; there are `kafka`, `database`, `http`, `auth`, `process`, `telemetry`",
            "http.listen: invalid socket address syntax",
            "http.timeout_seconds: is a text and should be u64",
            "kafka.bootstap: there is no such setting; there are `bootstrap`, `password`, `extra`",
            "kafka.bootstrap: is missing; set `kafka.bootstrap` in the file or BACKSTITCH_KAFKA__BOOTSTRAP in the environment",
            "process.drain_seconds: is a list and should be u64 (it comes from BACKSTITCH_PROCESS__DRAIN_SECONDS)",
            "telemetry.log_format: `xml` is none of `json`, `pretty`",
            "database.url: is missing; set `database.url` in the file or BACKSTITCH_DATABASE__URL in the environment",
        ]
    );
}

#[test]
fn settings_that_are_well_formed_are_checked_against_each_other() {
    let file = format!(
        "{COMPLETE}
        [telemetry]
        log = \"no=such=level\"
        trace_sample_ratio = 2.0
        otlp_endpoint = \"jaeger:4317\"
        [[auth.tokens]]
        name = \"ann\"
        role = \"viewer\"
        token = \"short\"
        [[auth.tokens]]
        name = \"bob\"
        role = \"viewer\"
        "
    );
    let told = problems(&file, &[]);
    let paths: Vec<&str> = told.iter().filter_map(|problem| problem.split(": ").next()).collect();
    assert_eq!(
        paths,
        ["telemetry.log", "telemetry.trace_sample_ratio", "telemetry.otlp_endpoint", "auth.tokens.0", "auth.tokens.1"]
    );
}

#[test]
fn no_problem_repeats_a_value_that_may_be_secret() {
    let file = r#"
        [kafka]
        bootstrap = ["hush"]
        password = { hush = 4711 }
        [database]
        url = 4711
        [auth]
        tokens = "hush"
    "#;
    for told in problems(file, &[]).into_iter().chain(problems("[kafka]\npassword = \"hush", &[])) {
        assert!(!told.contains("hush") && !told.contains("4711"), "{told}");
    }
}

#[test]
fn settings_that_are_shown_hide_their_secrets() {
    let file = format!("{COMPLETE}\n[telemetry]\notlp_header = \"authorization: topsecret\"");
    let variables = [
        ("BACKSTITCH_KAFKA__PASSWORD", "topsecret"),
        ("BACKSTITCH_AUTH__TOKENS", r#"[{name="ann",role="admin",token="topsecret topsecret"}]"#),
    ];
    let settings: Settings = load(Some(&file), &environment(&variables)).unwrap();
    let shown = serde_json::to_string(&settings).unwrap();
    assert!(shown.contains("postgres://order:[redacted]@db/order"), "{shown}");
    assert!(shown.contains("ann"), "{shown}");
    for shown in [shown, format!("{settings:?}")] {
        assert!(!shown.contains("topsecret"), "{shown}");
    }
}

#[test]
fn variables_without_a_section_are_left_to_others() {
    let variables = [("BACKSTITCH_STACK_DIR", "/tmp/x"), ("HOME", "/root")];
    assert!(load::<Settings>(Some(COMPLETE), &environment(&variables)).is_ok());
}

#[test]
fn the_manual_names_every_shared_setting_with_its_default() {
    let manual = include_str!("../../../../docs/configuration.md");
    let settings: Settings = load(Some(COMPLETE), &Environment::default()).unwrap();
    let shown = serde_json::to_value(&settings).unwrap();
    let mut rows = 0;
    for section in ["database", "http", "auth", "telemetry", "process"] {
        let (_, text) = manual.split_once(&format!("### `{section}`\n")).unwrap();
        let text = text.split("\n### ").next().unwrap_or_default();
        for (name, value) in shown[section].as_object().unwrap() {
            let row = text.lines().find(|line| line.starts_with('|') && line.contains(&format!("`{name}")));
            let row = row.unwrap_or_else(|| panic!("{section}.{name} is not in the manual"));
            let default = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            let simple = value.is_number() || value.is_boolean();
            assert!(!simple || row.contains(&default), "{section}.{name} is {default}, not as in: {row}");
            rows += 1;
        }
    }
    assert!(rows > 12, "only {rows} settings were looked at");
}
