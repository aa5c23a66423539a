//! Jaeger and Prometheus: to be had on request, never needed.
//!
//! Separate, because they are found on the machine instead of fetched by Maven.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::Stack;
use super::component::Service;
use super::process::Launch;
use crate::artifacts::cache_dir;
use crate::progress::Task;

const JAEGER: &str = "github.com/jaegertracing/jaeger@v1.76.0";

/// Prometheus, told to scrape every service.
pub(super) fn prometheus(stack: &Stack) -> Result<Launch> {
    let Some(program) = on_path("prometheus") else {
        bail!("prometheus is not on PATH; get it with `apt-get install prometheus`")
    };
    let home = stack.layout().data("prometheus");
    fs::create_dir_all(&home)?;
    let mut text = String::from("global:\n  scrape_interval: 5s\nscrape_configs:\n");
    for service in Service::ALL {
        let port = stack.port(service.name())?;
        let name = service.name();
        writeln!(text, "  - job_name: {name}\n    static_configs: [{{ targets: ['127.0.0.1:{port}'] }}]")?;
    }
    let settings = home.join("prometheus.yml");
    fs::write(&settings, text)?;
    Ok(Launch::new(program, &home)
        .arg(format!("--config.file={}", settings.display()))
        .arg(format!("--storage.tsdb.path={}", home.join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{}", stack.port("prometheus")?)))
}

/// Jaeger, all in one process, with its traces in memory.
pub(super) fn jaeger(stack: &Stack, task: &Task) -> Result<Launch> {
    let program = match on_path("jaeger") {
        Some(program) => program,
        None => built_jaeger(task)?,
    };
    let home = stack.layout().data("jaeger");
    fs::create_dir_all(&home)?;
    let settings = home.join("jaeger.yml");
    fs::write(&settings, jaeger_settings(stack)?)?;
    Ok(Launch::new(program, &home).arg("--config").arg(&settings))
}

fn jaeger_settings(stack: &Stack) -> Result<String> {
    let port = |name: &str| stack.port(name).map(|port| format!("127.0.0.1:{port}"));
    Ok(format!(
        "service:\n  extensions: [jaeger_storage, jaeger_query]\n  \
           pipelines:\n    traces: {{ receivers: [otlp], exporters: [jaeger_storage_exporter] }}\n  \
           telemetry: {{ metrics: {{ level: none }} }}\n\
         extensions:\n  jaeger_storage:\n    backends: {{ memory: {{ memory: {{ max_traces: 100000 }} }} }}\n  \
           jaeger_query:\n    storage: {{ traces: memory }}\n    \
             http: {{ endpoint: '{}' }}\n    grpc: {{ endpoint: '{}' }}\n\
         receivers:\n  otlp:\n    protocols: {{ http: {{ endpoint: '{}' }} }}\n\
         exporters:\n  jaeger_storage_exporter: {{ trace_storage: memory }}\n",
        port("jaeger")?,
        port("jaeger grpc")?,
        port("jaeger otlp")?,
    ))
}

/// Built once from its Go module, some minutes long, and kept in the cache.
fn built_jaeger(task: &Task) -> Result<PathBuf> {
    let program = cache_dir()?.join(JAEGER.rsplit('/').next().unwrap_or(JAEGER)).join("jaeger");
    if program.is_file() {
        return Ok(program);
    }
    let Some(go) = on_path("go") else {
        bail!(
            "jaeger is not on PATH, and neither is Go to build it; put a jaeger 2 program on PATH, or `apt-get install golang-go`"
        )
    };
    task.step("fetching its source");
    let output = Command::new(&go).args(["mod", "download", "-json", JAEGER]).stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "could not fetch Jaeger: {}", String::from_utf8_lossy(&output.stdout).trim());
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let module = answer["Dir"].as_str().context("go did not say where it put Jaeger")?;
    // It refuses `go install` because of a replace line; built from a copy of its source it is content.
    let source = program.with_file_name("source");
    let _ = fs::remove_dir_all(&source);
    fs::create_dir_all(program.parent().unwrap_or(Path::new("/")))?;
    let copied = Command::new("cp").args(["-R", "--no-preserve=mode", module]).arg(&source).status()?;
    ensure!(copied.success(), "could not copy Jaeger's source");
    task.step("building it, about ten minutes, once");
    let built =
        Command::new(&go).args(["build", "-o"]).arg(&program).arg("./cmd/jaeger").current_dir(&source).output()?;
    fs::remove_dir_all(&source)?;
    ensure!(built.status.success(), "could not build Jaeger: {}", String::from_utf8_lossy(&built.stderr).trim());
    Ok(program)
}

fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(program)).find(|file| file.is_file())
}
