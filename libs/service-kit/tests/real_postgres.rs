//! The pool as Postgres sees it, on the real server of `cargo xtask up`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by falling")]

use backstitch_service_kit::config::{DatabaseSettings, DatabaseTls, TlsMode};
use backstitch_service_kit::database::{ConnectError, connect, connect_lazily};

fn settings() -> DatabaseSettings {
    let url = std::env::var("ORDER_DATABASE_URL");
    DatabaseSettings {
        url: url.unwrap_or_else(|_| panic!("load target/stack/env: this test needs a real Postgres")).into(),
        max_connections: 2,
        statement_timeout_seconds: 7,
        tls: DatabaseTls::default(),
    }
}

#[tokio::test]
async fn every_session_has_a_name_and_its_bounds() {
    for pool in [connect(&settings(), "kit-test").await.unwrap(), connect_lazily(&settings(), "kit-test").unwrap()] {
        for (setting, value) in [
            ("application_name", "kit-test"),
            ("statement_timeout", "7s"),
            ("idle_in_transaction_session_timeout", "10s"),
        ] {
            let shown: String =
                sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(&pool).await.unwrap();
            assert_eq!(shown, value, "{setting}");
        }
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_demanded() {
    let tls = DatabaseTls { mode: Some(TlsMode::Require), ..DatabaseTls::default() };
    let refused = connect(&DatabaseSettings { tls, ..settings() }, "kit-test").await.unwrap_err();
    assert!(matches!(refused, ConnectError::Unreachable { .. }), "{refused:?}");
    let password = settings();
    let url = secrecy::ExposeSecret::expose_secret(&password.url).to_owned();
    let secret = url.split(':').nth(2).unwrap().split('@').next().unwrap();
    assert!(!format!("{refused:?}{refused}").contains(secret), "{refused:?}");
}
