//! What it takes to run the peers, got by their own clients: cargo, npm and Go, each from a manifest in `tools/bench-peers` that
//! pins version and content.
//!
//! Whoever cannot be had is named with the reason, and the others are measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use super::Peer;
use super::lab::run;
use crate::artifacts::{cache_dir, hex};
use crate::progress::Board;
use crate::stack::workspace;

/// What every peer needs.
const COMMON: [&str; 2] = ["peer-load", "peer-participant"];

/// Where everything lies.
#[derive(Debug, Default)]
pub(super) struct Installed {
    /// Those that can be measured.
    pub(super) peers: Vec<Peer>,
    /// Restate's server.
    pub(super) restate_server: PathBuf,
    /// Temporal's programs.
    pub(super) temporal: Temporal,
}

/// Temporal's programs.
#[derive(Debug, Default)]
pub(super) struct Temporal {
    /// The folder of its own: `server` and `sql`.
    pub(super) bin: PathBuf,
    /// Its database schemas.
    pub(super) schema: PathBuf,
    /// The saga, its participants and the door.
    pub(super) saga: PathBuf,
}

/// Gets `wanted`. Whom it could not get it names, with the reason.
pub(super) fn peers(wanted: &[Peer]) -> Result<(Installed, Vec<(Peer, String)>)> {
    build(&COMMON)?;
    let (mut installed, mut skipped) = (Installed::default(), Vec::new());
    let board = Board::new();
    for peer in wanted {
        let task = board.task(peer.name());
        task.step("getting it");
        let outcome = match peer {
            Peer::Restate => restate(&mut installed),
            Peer::Dbos => build(&["peer-dbos"]),
            Peer::Temporal => temporal(&mut installed),
        };
        match outcome {
            Ok(()) => {
                task.done("is there");
                installed.peers.push(*peer);
            }
            Err(error) => {
                task.failed();
                skipped.push((*peer, format!("{error:#}")));
            }
        }
    }
    Ok((installed, skipped))
}

/// Builds programs of the workspace in `tools/bench-peers`, with optimisation; cargo's own progress is shown.
pub(in crate::commands::bench) fn build(packages: &[&str]) -> Result<()> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(sources()).args(["build", "--release", "--locked"]).arg("--target-dir").arg(target());
    for package in packages {
        cargo.args(["--package", package]);
    }
    let status = cargo.status().context("could not run cargo")?;
    ensure!(status.success(), "could not build {}", packages.join(", "));
    Ok(())
}

/// A program that [`build`] has built.
pub(in crate::commands::bench) fn built(package: &str) -> PathBuf {
    target().join("release").join(package)
}

fn restate(installed: &mut Installed) -> Result<()> {
    build(&["peer-restate"])?;
    let machine = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => bail!("there is no server for {other}"),
    };
    let package = format!("@restatedev/restate-server-linux-{machine}");
    installed.restate_server = npm("restate-server")?.join(package).join("bin/restate-server");
    ensure!(installed.restate_server.is_file(), "{} is missing", installed.restate_server.display());
    Ok(())
}

/// The packages that a manifest of ours names, with no script of theirs run. Returns their folder.
pub(in crate::commands::bench) fn npm(manifest: &str) -> Result<PathBuf> {
    let files = ["package.json", "package-lock.json"];
    let home = kept(manifest, &files)?;
    if !home.is_dir() {
        let arriving = home.with_extension("arriving");
        let _ = fs::remove_dir_all(&arriving);
        fs::create_dir_all(&arriving)?;
        for file in files {
            fs::copy(sources().join(manifest).join(file), arriving.join(file))?;
        }
        let options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
        run(Command::new("npm").current_dir(&arriving).args(options)).context("npm could not get it")?;
        fs::rename(&arriving, &home)?;
    }
    Ok(home.join("node_modules"))
}

fn temporal(installed: &mut Installed) -> Result<()> {
    let server = sources().join("temporal-server");
    let bin = kept("temporal-server", &["go.mod", "go.sum"])?;
    if !bin.join("server").is_file() || !bin.join("sql").is_file() {
        fs::create_dir_all(&bin)?;
        let programs = ["go.temporal.io/server/cmd/server", "go.temporal.io/server/cmd/tools/sql"];
        go(&server, &bin, &programs).context("its server could not be built")?;
    }
    let module = ["list", "-m", "-f", "{{.Dir}}", "go.temporal.io/server"];
    let found = Command::new("go").current_dir(&server).args(module).output().context("Go is needed")?;
    installed.temporal.schema = Path::new(String::from_utf8_lossy(&found.stdout).trim()).join("schema");
    ensure!(installed.temporal.schema.is_dir(), "{} is missing", installed.temporal.schema.display());
    installed.temporal.bin = bin;
    installed.temporal.saga = target().join("temporal-saga");
    go(&sources().join("temporal"), &installed.temporal.saga, &["."]).context("the saga for it could not be built")
}

fn go(module: &Path, out: &Path, packages: &[&str]) -> Result<()> {
    run(Command::new("go").current_dir(module).arg("build").arg("-o").arg(out).args(packages))
}

/// Where what these files pin is kept: another content, another folder.
fn kept(manifest: &str, files: &[&str]) -> Result<PathBuf> {
    let mut content = Sha256::new();
    for file in files {
        content.update(fs::read(sources().join(manifest).join(file))?);
    }
    Ok(cache_dir()?.join(format!("peers-{manifest}-{}", &hex(&content.finalize())[..12])))
}

fn sources() -> PathBuf {
    workspace().join("tools/bench-peers")
}

/// Beside our own, so that `cargo clean` takes it, too.
fn target() -> PathBuf {
    workspace().join("target/bench-peers")
}
