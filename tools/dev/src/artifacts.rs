//! The servers' archives: fetched by Maven on pinned versions, compared with pinned checksums, kept in the user's cache.
//!
//! Separate from the stack, because an archive outlives every stack and is shared by all clones on the machine.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::progress::Task;

/// Pinned like the archives themselves: the plug-in decides what lands in the cache.
const PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";

/// One server's archives, named as its Maven profile.
#[derive(Debug, Clone, Copy)]
pub struct Artifacts {
    name: &'static str,
    goal: &'static [&'static str],
    checksums: &'static str,
}

/// Apache Kafka with its class path.
pub const KAFKA: Artifacts =
    Artifacts { name: "kafka", goal: &["copy-dependencies"], checksums: include_str!("../artifacts/kafka.sha256") };

/// Apicurio Registry as one archive.
pub const REGISTRY: Artifacts = Artifacts {
    name: "registry",
    goal: &["copy-dependencies"],
    checksums: include_str!("../artifacts/registry.sha256"),
};

/// The Postgres server programs, an archive inside a jar.
pub const POSTGRES: Artifacts = Artifacts {
    name: "postgres",
    goal: &["unpack-dependencies", "-Dmdep.unpack.includes=*.txz"],
    checksums: include_str!("../artifacts/postgres.sha256"),
};

impl Artifacts {
    /// The folder that holds exactly the pinned files, fetched now if need be.
    ///
    /// # Errors
    /// When Maven is missing or fails, or when a file is not the pinned one.
    pub fn fetch(&self, task: &Task) -> Result<PathBuf> {
        let cache = cache_dir()?;
        let home = cache.join(format!("{}-{}", self.name, &hex(&Sha256::digest(self.checksums))[..12]));
        if home.is_dir() {
            return Ok(home);
        }
        task.step("fetching");
        let arriving = cache.join(format!(".{}-{}", self.name, std::process::id()));
        let _ = fs::remove_dir_all(&arriving);
        fs::create_dir_all(&arriving).with_context(|| format!("could not create {}", arriving.display()))?;
        self.run_maven(&arriving, task)?;
        task.step("checking checksums");
        self.verify(&arriving)?;
        // The rename is what makes a folder trusted: an interrupted download never has the final name.
        match fs::rename(&arriving, &home) {
            Ok(()) => {}
            Err(_) if home.is_dir() => fs::remove_dir_all(&arriving)?,
            Err(error) => return Err(error).with_context(|| format!("could not create {}", home.display())),
        }
        Ok(home)
    }

    fn run_maven(&self, into: &Path, task: &Task) -> Result<()> {
        let pom = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts/pom.xml");
        let log_path = cache_dir()?.join(format!("{}-maven.log", self.name));
        let mut child = Command::new("mvn")
            .args(["-B", "-P", self.name, "-f"])
            .arg(pom)
            .arg(format!("{PLUGIN}:{}", self.goal[0]))
            .args(&self.goal[1..])
            .arg(format!("-DoutputDirectory={}", into.display()))
            .arg(format!("-DmarkersDirectory={}", cache_dir()?.join(".markers").join(self.name).display()))
            .arg("-Dmdep.overIfNewer=false")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(log_path.with_extension("err"))?)
            .spawn()
            .context("Maven is needed to fetch the servers; get it with `apt-get install maven` (or your system's package manager)")?;
        let mut said = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(file) = line.strip_prefix("Downloading from ").and_then(|rest| rest.rsplit('/').next()) {
                    task.step(&format!("fetching {file}"));
                }
                said.push(line);
            }
        }
        let status = child.wait()?;
        fs::write(&log_path, said.join("\n"))?;
        if !status.success() {
            let errors: Vec<_> =
                said.iter().filter(|line| line.contains("ERROR")).take(8).map(String::as_str).collect();
            bail!("Maven could not fetch {} (all it said: {})\n{}", self.name, log_path.display(), errors.join("\n"));
        }
        Ok(())
    }

    fn verify(&self, folder: &Path) -> Result<()> {
        let mut expected = 0;
        for line in self.checksums.lines() {
            let (checksum, file) =
                line.split_once("  ").with_context(|| format!("odd line in a checksum list: {line}"))?;
            let found = sha256(&folder.join(file))?;
            ensure!(found == checksum, "{file} is not the pinned file: its sha256 is {found}, not {checksum}");
            expected += 1;
        }
        let present = fs::read_dir(folder)?.count();
        ensure!(present == expected, "{} has {present} files where {expected} are pinned", folder.display());
        Ok(())
    }
}

/// Where everything fetched is kept: `$XDG_CACHE_HOME/backstitch`, else `~/.cache/backstitch`.
///
/// # Errors
/// When neither variable is set, or the folder cannot be made.
pub fn cache_dir() -> Result<PathBuf> {
    let base = match (std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME")) {
        (Some(cache), _) if !cache.is_empty() => PathBuf::from(cache),
        (_, Some(home)) => Path::new(&home).join(".cache"),
        _ => bail!("neither XDG_CACHE_HOME nor HOME is set, so there is nowhere to keep downloads"),
    };
    let dir = base.join("backstitch");
    fs::create_dir_all(&dir).with_context(|| format!("could not create {}", dir.display()))?;
    Ok(dir)
}

/// Unpacks an archive with the system's `tar`.
///
/// # Errors
/// When `tar` (or `xz`, for a `.txz`) is missing or fails.
pub fn unpack(archive: &Path, into: &Path) -> Result<()> {
    fs::create_dir_all(into)?;
    let output = Command::new("tar")
        .args(["--no-same-owner", "-xf"])
        .arg(archive)
        .arg("-C")
        .arg(into)
        .output()
        .context("tar is needed; get it with `apt-get install tar xz-utils`")?;
    ensure!(
        output.status.success(),
        "could not unpack {}: {} (is xz installed? `apt-get install xz-utils`)",
        archive.display(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("{} was not fetched", path.display()))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..read]);
    }
}

/// Lower-case hexadecimal, as in checksum lists.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
