//! What the process takes from its machine, read from `/proc` at each scrape. A few lines of ours, since the crates for
//! it bring more code than that; other systems than Linux show nothing.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

/// `USER_HZ`, which Linux has kept at 100 for programs on every architecture.
const TICKS_PER_SECOND: u64 = 100;

pub(crate) fn describe() {
    describe_gauge!("process_resident_memory_bytes", Unit::Bytes, "Memory held in RAM");
    describe_gauge!("process_open_fds", "Open file descriptors");
    describe_counter!("process_cpu_seconds_total", Unit::Seconds, "CPU time used, rounded down");
}

pub(crate) fn observe() {
    if let Some(bytes) = std::fs::read_to_string("/proc/self/status").ok().as_deref().and_then(resident_bytes) {
        gauge!("process_resident_memory_bytes").set(bytes);
    }
    if let Some(seconds) = std::fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(cpu_seconds) {
        counter!("process_cpu_seconds_total").absolute(seconds);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        gauge!("process_open_fds").set(u32::try_from(open.count()).map_or(f64::MAX, f64::from));
    }
}

fn resident_bytes(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u32 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(f64::from(kib) * 1024.0)
}

fn cpu_seconds(stat: &str) -> Option<u64> {
    // The name in brackets may hold spaces; user and system time are the 12th and 13th field after it.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (times.next()?.parse().ok()?, times.next()?.parse().ok()?);
    Some((user + system) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::{cpu_seconds, resident_bytes};

    #[test]
    fn linux_tells_memory_and_time() {
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t  2048 kB\n"), Some(2_097_152.0));
        let stat = "1 (a b) c) S 0 1 1 0 -1 0 0 0 0 0 250 150 0 0 20 0";
        assert_eq!(cpu_seconds(stat), Some(4));
    }
}
