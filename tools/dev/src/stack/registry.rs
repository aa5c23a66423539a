//! The schema registry: Apicurio, spoken to in Confluent's protocol, with its schemas in Postgres.
//!
//! Separate, because nothing else knows which product answers.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use super::Stack;
use super::process::Launch;
use crate::progress::Task;
use crate::{artifacts, java};

/// Where its Confluent-compatible interface begins.
pub(super) const API: &str = "/apis/ccompat/v7";

/// The folder of its program, fetched and unpacked where it is new.
///
/// # Errors
/// When the archive is not to be had.
pub(super) fn install(task: &Task) -> Result<PathBuf> {
    let archive = artifacts::REGISTRY.fetch(task)?;
    let server = archive.with_extension("unpacked");
    if !server.is_dir() {
        task.step("unpacking");
        let arriving = archive.with_extension(format!("arriving-{}", std::process::id()));
        for file in fs::read_dir(&archive)? {
            artifacts::unpack(&file?.path(), &arriving)?;
        }
        if fs::rename(&arriving, &server).is_err() {
            fs::remove_dir_all(&arriving)?;
        }
    }
    Ok(server)
}

/// Says how to start it.
///
/// # Errors
/// When Java or the archive is not to be had.
pub(super) fn launch(stack: &Stack, task: &Task) -> Result<Launch> {
    let java = java::find(task)?;
    let server = install(task)?;
    let home = stack.layout().data("registry");
    fs::create_dir_all(&home)?;
    let database = stack.port("postgres")?;
    Ok(Launch::new(java, &home)
        .args([
            "-Xms64m",
            "-Xmx384m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:+ExitOnOutOfMemoryError",
            "-jar",
        ])
        .arg(server.join("quarkus-run.jar"))
        .env("QUARKUS_HTTP_HOST", "127.0.0.1")
        .env("QUARKUS_HTTP_PORT", stack.port("registry")?.to_string())
        // Else it listens on every interface, at a fixed port.
        .env("QUARKUS_MANAGEMENT_HOST", "127.0.0.1")
        .env("QUARKUS_MANAGEMENT_PORT", stack.port("registry management")?.to_string())
        .env("QUARKUS_HTTP_ACCESS_LOG_ENABLED", "false")
        .env("APICURIO_STORAGE_KIND", "sql")
        .env("APICURIO_STORAGE_SQL_KIND", "postgresql")
        .env("APICURIO_DATASOURCE_URL", format!("jdbc:postgresql://127.0.0.1:{database}/registry"))
        .env("APICURIO_DATASOURCE_USERNAME", "registry")
        .env("APICURIO_DATASOURCE_PASSWORD", stack.secret("registry")?))
}
