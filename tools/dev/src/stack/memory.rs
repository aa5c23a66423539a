//! What a stack remembers across restarts: ports, secrets and its size.
//!
//! Separate from the layout, because these are facts chosen once, not places.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::layout::Layout;
use super::services::{Profile, ServiceSettings};
use crate::artifacts::hex;

/// Below the range from which the kernel picks the near end of outgoing connections: a port of a component that
/// is down for a moment must not be taken by somebody's client.
const PORTS: std::ops::Range<u16> = 18_000..32_000;

/// The facts of one stack, on disk.
///
/// Read anew each time: a test and a command may use one stack at once, and neither may overwrite what the other chose.
#[derive(Debug)]
pub(super) struct Memory {
    file: PathBuf,
    lock: PathBuf,
}

impl Memory {
    /// The memory of the stack laid out there.
    ///
    /// # Errors
    /// When there is one that cannot be read.
    pub(super) fn open(layout: &Layout) -> Result<Self> {
        let file = layout.memory_file();
        let memory = Self { lock: file.with_extension("lock"), file };
        memory.load()?;
        Ok(memory)
    }

    /// What is known now.
    pub(super) fn read(&self) -> Facts {
        self.load().unwrap_or_default()
    }

    /// Changes what is known; writes it, readable by its owner only, if that made a difference.
    ///
    /// # Errors
    /// When the change fails or cannot be written.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Facts) -> Result<T>) -> Result<T> {
        let turn = File::options().create(true).truncate(false).write(true).open(&self.lock)?;
        turn.lock()?;
        let before = self.load()?;
        let mut facts = before.clone();
        let answer = change(&mut facts)?;
        if facts != before {
            write_private(&self.file, &serde_json::to_string_pretty(&facts)?)?;
        }
        Ok(answer)
    }

    fn load(&self) -> Result<Facts> {
        match fs::read(&self.file) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).with_context(|| format!("could not read {}", self.file.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Facts::default()),
            Err(error) => Err(error).with_context(|| format!("could not read {}", self.file.display())),
        }
    }
}

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    /// Kafka brokers, 1 or 3.
    pub(super) brokers: u16,
    /// Partitions of each topic.
    pub(super) partitions: u32,
    /// Kafka's cluster id.
    pub(super) cluster: String,
    /// How our programs were built when they were last started.
    pub(super) profile: Profile,
    /// Where our programs lie, when they were built elsewhere.
    pub(super) binaries: Option<PathBuf>,
    /// What services are told beyond the usual.
    pub(super) settings: ServiceSettings,
    ports: BTreeMap<String, u16>,
    secrets: BTreeMap<String, String>,
}

impl Facts {
    /// The port of this name, chosen when first asked for.
    ///
    /// # Errors
    /// When no port is free.
    pub(super) fn port(&mut self, name: &str) -> Result<u16> {
        if let Some(port) = self.ports.get(name) {
            return Ok(*port);
        }
        self.choose_port(name)
    }

    /// Gives `name` another port when somebody else took the remembered one.
    ///
    /// # Errors
    /// When no port is free.
    pub(super) fn reclaim_port(&mut self, name: &str) -> Result<u16> {
        match self.ports.get(name) {
            Some(port) if is_free(*port) => Ok(*port),
            _ => self.choose_port(name),
        }
    }

    fn choose_port(&mut self, name: &str) -> Result<u16> {
        for _ in 0..500 {
            let [high, low] = random::<2>()?;
            let port = PORTS.start + u16::from_be_bytes([high, low]) % (PORTS.end - PORTS.start);
            if !self.ports.values().any(|taken| *taken == port) && is_free(port) {
                self.ports.insert(name.to_owned(), port);
                return Ok(port);
            }
        }
        bail!("no free port between {} and {}", PORTS.start, PORTS.end)
    }

    /// The secret of this name, drawn when first asked for.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub(super) fn secret(&mut self, name: &str) -> Result<String> {
        if let Some(secret) = self.secrets.get(name) {
            return Ok(secret.clone());
        }
        let secret = hex(&random::<16>()?);
        self.secrets.insert(name.to_owned(), secret.clone());
        Ok(secret)
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// Bytes nobody can guess.
///
/// # Errors
/// When the system has none to give.
pub(super) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file that only its owner may read, all of it or nothing.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn write_private(path: &Path, text: &str) -> Result<()> {
    let arriving = path.with_extension("arriving");
    let _ = fs::remove_file(&arriving);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&arriving)
        .with_context(|| format!("could not write {}", path.display()))?;
    file.write_all(text.as_bytes())?;
    fs::rename(&arriving, path).with_context(|| format!("could not write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{Facts, is_free};

    #[test]
    fn a_port_and_a_secret_are_chosen_once() {
        let mut facts = Facts::default();
        let port = facts.port("kafka").unwrap();
        let secret = facts.secret("order").unwrap();
        assert_eq!(facts.port("kafka").unwrap(), port);
        assert_eq!(facts.secret("order").unwrap(), secret);
        assert_ne!(facts.port("registry").unwrap(), port);
        assert_ne!(facts.secret("payment").unwrap(), secret);
    }

    #[test]
    fn a_port_that_somebody_else_took_is_given_up() {
        let mut facts = Facts::default();
        let port = facts.port("kafka").unwrap();
        let squatter = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
        assert!(!is_free(port));
        assert_ne!(facts.reclaim_port("kafka").unwrap(), port);
        drop(squatter);
    }
}
