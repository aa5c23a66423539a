//! What a stack remembers across restarts: ports, secrets and its size.
//!
//! Separate from the layout, because these are facts chosen once, not places.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::artifacts::hex;

/// Below the range from which the kernel picks the near end of outgoing connections: a port of a component that
/// is down for a moment must not be taken by somebody's client.
const PORTS: std::ops::Range<u16> = 18_000..32_000;

/// The facts of one stack.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    /// Kafka brokers, 1 or 3.
    pub brokers: u16,
    /// Partitions of each topic.
    pub partitions: u32,
    /// Kafka's cluster id.
    pub cluster: String,
    ports: BTreeMap<String, u16>,
    secrets: BTreeMap<String, String>,
}

impl Memory {
    /// Reads what was written, or begins anew.
    ///
    /// # Errors
    /// When the file exists and cannot be read.
    pub(super) fn load(path: &Path) -> Result<Self> {
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| format!("could not read {}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("could not read {}", path.display())),
        }
    }

    /// Writes everything, readable by its owner only.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn save(&self, path: &Path) -> Result<()> {
        write_private(path, &serde_json::to_string_pretty(self)?)
    }

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
    use super::{Memory, is_free};

    #[test]
    fn a_port_and_a_secret_are_chosen_once() {
        let mut memory = Memory::default();
        let port = memory.port("kafka").unwrap();
        let secret = memory.secret("order").unwrap();
        assert_eq!(memory.port("kafka").unwrap(), port);
        assert_eq!(memory.secret("order").unwrap(), secret);
        assert_ne!(memory.port("registry").unwrap(), port);
        assert_ne!(memory.secret("payment").unwrap(), secret);
    }

    #[test]
    fn a_port_that_somebody_else_took_is_given_up() {
        let mut memory = Memory::default();
        let port = memory.port("kafka").unwrap();
        let squatter = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
        assert!(!is_free(port));
        assert_ne!(memory.reclaim_port("kafka").unwrap(), port);
        drop(squatter);
    }
}
