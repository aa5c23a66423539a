//! What the machine spent: CPU and memory of each process under measurement, and of everything else. Separate from the loads,
//! because whoever is compared must be counted by the same code.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// Clock ticks a second; fixed on Linux for user space.
const TICKS: f64 = 100.0;

/// CPU seconds used so far, by process name; `others` is the rest of the machine.
pub type Cpu = BTreeMap<String, f64>;

/// What everything runs on.
#[must_use]
pub fn described() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("{cores} cores, everything on them")
}

/// Processes that ran or wanted to, on average over the last minute: a shared machine shows itself.
#[must_use]
pub fn busy() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0.0)
}

/// The stack's processes by name, from the files that `cargo xtask up` keeps.
///
/// # Errors
/// When there is no stack in this folder.
pub fn processes(stack: &Path) -> Result<BTreeMap<String, u32>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(stack.join("pids")).context("no stack is up here")? {
        let path = entry?.path();
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
        let identity: Value = serde_json::from_slice(&fs::read(&path)?).unwrap_or_default();
        if let (Some(name), Some(pid)) = (name, identity["pid"].as_u64()) {
            found.insert(name, u32::try_from(pid)?);
        }
    }
    Ok(found)
}

/// CPU used by each, children included, by the calling process (`load`), and by all else (`others`).
#[must_use]
pub fn cpu(processes: &BTreeMap<String, u32>) -> Cpu {
    let mut used: Cpu = BTreeMap::new();
    let parents = parents();
    for (name, pid) in processes {
        let family = parents.iter().filter(|(child, _)| descends(**child, *pid, &parents));
        used.insert(name.clone(), family.map(|(child, _)| ticks(*child) / TICKS).sum());
    }
    used.insert("load".to_owned(), ticks(std::process::id()) / TICKS);
    let known: f64 = used.values().sum();
    used.insert("others".to_owned(), total() - known);
    used
}

/// Resident memory of each, MiB.
#[must_use]
pub fn memory(processes: &BTreeMap<String, u32>) -> BTreeMap<String, f64> {
    let pages = |pid: &u32| -> Option<f64> {
        fs::read_to_string(format!("/proc/{pid}/statm")).ok()?.split(' ').nth(1)?.parse().ok()
    };
    processes.iter().filter_map(|(name, pid)| Some((name.clone(), (pages(pid)? * 4.0 / 1024.0).round()))).collect()
}

/// Bytes that all disks of the machine have written so far, whoever asked for them: what the kernel counts for a process is
/// the pages it has touched, of which it may count 64 where a few bytes changed.
#[must_use]
pub fn written() -> f64 {
    let disks = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    disks.filter_map(|disk| written_by(&disk.path())).sum()
}

/// Waits until the disks have all that was written so far: an earlier window's pages would be written during the next one, half
/// a minute later, and each commit would wait for them.
///
/// # Errors
/// When the system's `sync` cannot be run.
pub fn settle() -> Result<()> {
    let settled = Command::new("sync").status().context("could not run sync")?;
    ensure!(settled.success(), "sync ended with {settled}");
    Ok(())
}

/// Memory, images of files and layers over other disks count with those that they lie on.
fn written_by(disk: &Path) -> Option<f64> {
    const SECTOR: f64 = 512.0;
    let name = disk.file_name()?.to_str()?;
    if ["loop", "ram", "zram", "dm-", "md"].iter().any(|kind| name.starts_with(kind)) {
        return None;
    }
    let sectors: f64 = fs::read_to_string(disk.join("stat")).ok()?.split_whitespace().nth(6)?.parse().ok()?;
    Some(sectors * SECTOR)
}

fn parents() -> BTreeMap<u32, u32> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    pids.filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((pid, stat(pid)?.get(1)?.parse().ok()?))
    })
    .collect()
}

fn descends(mut pid: u32, from: u32, parents: &BTreeMap<u32, u32>) -> bool {
    while pid != from {
        match parents.get(&pid) {
            Some(parent) if *parent != 0 => pid = *parent,
            _ => return false,
        }
    }
    true
}

/// The fields of `/proc/PID/stat` after the name, which may hold spaces.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(") ")?.1.split(' ').map(str::to_owned).collect())
}

/// User and system time of the process and of its children that ended.
fn ticks(pid: u32) -> f64 {
    let Some(fields) = stat(pid) else { return 0.0 };
    fields.iter().skip(11).take(4).filter_map(|field| field.parse::<f64>().ok()).sum()
}

fn total() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let mut fields = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let mut next = || fields.next().and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    let (user, nice, system, _idle, _wait, irq, softirq) = (next(), next(), next(), next(), next(), next(), next());
    (user + nice + system + irq + softirq) / TICKS
}
