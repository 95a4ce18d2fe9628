//! Figures of the process itself, read from `/proc` when asked. Names are Prometheus' own.

use prometheus::{Counter, Gauge, IntGauge, Registry};
use std::fs;

/// Clock ticks per second in `/proc`: fixed by the kernel's interface, whatever its own clock.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU, memory, threads, open files. Where `/proc` is missing they stay 0.
#[derive(Debug)]
pub(super) struct ProcessMetrics {
    cpu_seconds: Counter,
    resident_bytes: IntGauge,
    virtual_bytes: IntGauge,
    start_time_seconds: Gauge,
    threads: IntGauge,
    open_fds: IntGauge,
}

impl ProcessMetrics {
    /// Registers them. Names and help are constants.
    pub(super) fn new(registry: &Registry) -> Self {
        let gauge = |name, help| {
            let gauge = IntGauge::new(name, help).expect("a valid name");
            registry.register(Box::new(gauge.clone())).expect("a name of its own");
            gauge
        };
        let cpu_seconds = Counter::new("process_cpu_seconds_total", "User and system CPU time.");
        let cpu_seconds = cpu_seconds.expect("a valid name");
        let start = "Start of the process since the Unix epoch.";
        let start = Gauge::new("process_start_time_seconds", start).expect("a valid name");
        registry.register(Box::new(cpu_seconds.clone())).expect("a name of its own");
        registry.register(Box::new(start.clone())).expect("a name of its own");
        Self {
            cpu_seconds,
            start_time_seconds: start,
            resident_bytes: gauge("process_resident_memory_bytes", "Resident memory."),
            virtual_bytes: gauge("process_virtual_memory_bytes", "Virtual memory."),
            threads: gauge("process_threads", "Threads."),
            open_fds: gauge("process_open_fds", "Open file descriptors."),
        }
    }

    /// Reads the figures of this moment.
    pub(super) fn refresh(&self) {
        if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(stat) {
            self.cpu_seconds.inc_by((stat.cpu_seconds - self.cpu_seconds.get()).max(0.0));
            self.threads.set(stat.threads);
            if let Some(boot) = boot_time() {
                self.start_time_seconds.set(boot + stat.started_after_boot_seconds);
            }
        }
        if let Ok(status) = fs::read_to_string("/proc/self/status") {
            let bytes = |key| kibibytes(&status, key).map_or(0, |kib| kib * 1024);
            self.resident_bytes.set(bytes("VmRSS:"));
            self.virtual_bytes.set(bytes("VmSize:"));
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            self.open_fds.set(i64::try_from(files.count()).unwrap_or(i64::MAX));
        }
    }
}

struct Stat {
    cpu_seconds: f64,
    threads: i64,
    started_after_boot_seconds: f64,
}

/// Reads `/proc/self/stat`. The program's name stands in parentheses and may hold anything.
fn stat(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split_whitespace().collect();
    // Counted as in proc_pid_stat(5), whose third field comes first after the name.
    let field = |number: usize| fields.get(number - 3).and_then(|f| f.parse::<f64>().ok());
    Some(Stat {
        cpu_seconds: (field(14)? + field(15)?) / TICKS_PER_SECOND,
        threads: fields.get(20 - 3)?.parse().ok()?,
        started_after_boot_seconds: field(22)? / TICKS_PER_SECOND,
    })
}

fn boot_time() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn kibibytes(status: &str, key: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_stat_line_whatever_the_name() {
        let line = "7 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 9 0 300 1 2";
        let stat = stat(line).unwrap();
        let seconds = (stat.cpu_seconds, stat.started_after_boot_seconds);
        assert_eq!((seconds, stat.threads), ((2.0, 3.0), 9));
    }

    #[test]
    fn shows_this_process() {
        let registry = Registry::new();
        let process = ProcessMetrics::new(&registry);
        process.refresh();
        assert!(process.resident_bytes.get() > 1_000_000);
        assert!(process.threads.get() >= 1 && process.open_fds.get() >= 3);
        assert!(process.start_time_seconds.get() > 1.6e9);
        let cpu = process.cpu_seconds.get();
        process.refresh();
        assert!(process.cpu_seconds.get() >= cpu);
    }
}
