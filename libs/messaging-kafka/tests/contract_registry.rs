//! The registry's client against a real registry at `SCHEMA_REGISTRY_URL`: that it says what our fake says.
#![cfg(feature = "system")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use backstitch_messaging_kafka::registry::{BACKWARD_TRANSITIVE, ChangeError, FindError, Registry, RegistrySettings};
use uuid::Uuid;

fn registry() -> Registry {
    Registry::new(RegistrySettings::at(std::env::var("SCHEMA_REGISTRY_URL").unwrap())).unwrap()
}

/// A record that no other run has registered.
fn record(name: &str, fields: &str) -> String {
    format!(r#"{{"type": "record", "name": "{name}", "fields": [{{"name": "a", "type": "int"}}{fields}]}}"#)
}

#[tokio::test]
async fn a_subject_goes_from_unknown_to_registered_to_grown() {
    let (registry, name) = (registry(), format!("T{}", Uuid::new_v4().simple()));
    let subject = format!("{name}-value");
    let first = record(&name, "");
    assert!(matches!(registry.latest(&subject).await, Err(FindError::NotFound { .. })));
    assert!(matches!(registry.id_of(&subject, &first).await, Err(FindError::NotFound { .. })));
    assert_eq!(registry.check(&subject, &first).await.unwrap(), Vec::<u32>::new());

    let id = registry.register(&subject, &first).await.unwrap();
    registry.set_compatibility(&subject, BACKWARD_TRANSITIVE).await.unwrap();
    assert_eq!(registry.register(&subject, &first).await.unwrap(), id);
    assert_eq!(registry.id_of(&subject, &first).await.unwrap(), id);
    assert_eq!(registry.latest(&subject).await.unwrap().id, id);
    let text = registry.schema(id).await.unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&text).unwrap(),
        serde_json::from_str::<serde_json::Value>(&first).unwrap()
    );

    let misfit = record(&name, r#", {"name": "b", "type": "string"}"#);
    assert_eq!(registry.check(&subject, &misfit).await.unwrap(), vec![1]);
    assert!(matches!(registry.register(&subject, &misfit).await, Err(ChangeError::Refused { .. })));
    assert!(matches!(registry.id_of(&subject, &misfit).await, Err(FindError::NotFound { .. })));

    let grown = record(&name, r#", {"name": "b", "type": "string", "default": ""}"#);
    assert_eq!(registry.check(&subject, &grown).await.unwrap(), Vec::<u32>::new());
    let second = registry.register(&subject, &grown).await.unwrap();
    assert_ne!(second, id);
    assert_eq!(registry.latest(&subject).await.unwrap().id, second);
    assert_eq!(registry.id_of(&subject, &first).await.unwrap(), id, "an older schema is still found");
}

#[tokio::test]
async fn an_id_that_was_never_given_is_not_found() {
    assert!(matches!(registry().schema(2_000_000_000).await, Err(FindError::NotFound { .. })));
}

#[tokio::test]
async fn what_is_no_schema_is_refused() {
    let subject = format!("T{}-value", Uuid::new_v4().simple());
    let refused = registry().register(&subject, r#"{"type": "nonsense"}"#).await;
    assert!(matches!(refused, Err(ChangeError::Refused { .. })), "{refused:?}");
}
