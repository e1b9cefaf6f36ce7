//! The measured server as a process of its own, so that its processor time and memory are its own.
//!
//! A line on its standard input starts it, and it ends when that closes, so it cannot outlive the
//! benchmark however that ends.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

use super::arrivals::{Stamps, now_micros};
use liqheat::terminal::say;

/// The line that starts a child.
pub(crate) const GO: &str = "go";

/// What a child prints when it publishes something.
pub(crate) fn print_stamp(symbol: usize, seq: u64, micros: u64) {
    say!("stamp {symbol} {seq} {micros}");
}

fn read_stamp(line: &str) -> Option<((usize, u64), u64)> {
    let mut words = line.strip_prefix("stamp ")?.split(' ');
    let update = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((update, words.next()?.parse().ok()?))
}

/// A process that never outlives its owner.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        Ok(Self(command.spawn().with_context(|| format!("starting {program}"))?))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// What it prints; once, where it was started with a pipe.
    pub(crate) fn take_output(&mut self) -> Option<ChildStdout> {
        self.0.stdout.take()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        const PATIENCE: Duration = Duration::from_secs(15);
        let deadline = Instant::now() + PATIENCE;
        if !self.has_ended()
            && let Some(id) = Pid::from_raw(self.0.id().cast_signed())
        {
            // Not a kill: a master has to end its workers. It is our own child and not yet waited for, so the
            // number is still its own.
            let _ = kill_process(id, Signal::TERM);
        }
        while !self.has_ended() {
            if Instant::now() > deadline {
                // It may have ended at this very moment, which is as good.
                let _ = self.0.kill();
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// This program again, as a server to measure.
pub(crate) struct Server {
    // Closed first: it is what ends the process.
    input: Option<ChildStdin>,
    process: Process,
    pub(crate) address: SocketAddr,
    pub(crate) stamps: Stamps,
}

impl Server {
    /// Starts it and waits for its address.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn start(arguments: &[String]) -> anyhow::Result<Self> {
        const PATIENCE: Duration = Duration::from_secs(60);
        let program = std::env::current_exe()?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command)?;
        let input = Some(process.0.stdin.take().context("the server has no input")?);
        let output = process.0.stdout.take().context("the server has no output")?;
        let stamps = Stamps::default();
        let (found, address) = mpsc::channel();
        let put = stamps.clone();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some((update, micros)) = read_stamp(&line) {
                    put.put(update, micros);
                } else if let Some(url) = line.strip_prefix("liqheat: http://") {
                    // Nobody waits any more when the benchmark is ending.
                    let _ = found.send(url.trim_end_matches('/').to_owned());
                }
            }
        });
        let address = address.recv_timeout(PATIENCE).context("the server did not start")?;
        let address = address.parse().context("the server's address")?;
        Ok(Self { input, process, address, stamps })
    }

    /// Lets traffic begin.
    pub(crate) fn go(&mut self) -> anyhow::Result<()> {
        let input = self.input.as_mut().context("the server was told to end")?;
        writeln!(input, "{GO}").context("the server has ended")
    }

    /// Asks it to stop in order; [`Server::has_ended`] says when it has.
    pub(crate) fn begin_to_stop(&mut self) {
        self.input = None;
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.has_ended()
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Processor time of all its threads, user and kernel.
    pub(crate) cpu: Duration,
    /// Resident memory.
    pub(crate) rss_bytes: u64,
    /// When this was.
    pub(crate) at_micros: u64,
}

impl Usage {
    /// # Errors
    /// When the process is gone or the system has no /proc.
    pub(crate) fn of(process: u32) -> anyhow::Result<Self> {
        let folder = format!("/proc/{process}");
        let missing = || format!("reading {folder}; these figures need Linux");
        let mut nanos = 0;
        for task in fs::read_dir(format!("{folder}/task")).with_context(missing)? {
            nanos += task_nanos(&task?.path()).unwrap_or(0);
        }
        let status = fs::read_to_string(format!("{folder}/status")).with_context(missing)?;
        let kilobytes = status.lines().find_map(|line| {
            line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
        });
        let rss_bytes = kilobytes.with_context(missing)? << 10;
        Ok(Self { cpu: Duration::from_nanos(nanos), rss_bytes, at_micros: now_micros() })
    }
}

/// The scheduler's own count, which is exact; the one in `stat` has steps of 10 ms.
fn task_nanos(task: &Path) -> Option<u64> {
    fs::read_to_string(task.join("schedstat")).ok()?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_read_as_they_are_printed() {
        assert_eq!(read_stamp("stamp 2 17 1764000000123456"), Some(((2, 17), 1_764_000_000_123_456)));
        for bad in ["", "stamp", "stamp 1 2", "stamp 1 x 3", "liqheat: http://127.0.0.1:1/"] {
            assert_eq!(read_stamp(bad), None, "{bad}");
        }
    }

    #[test]
    fn work_shows_in_the_usage() {
        let own = std::process::id();
        let before = Usage::of(own).unwrap();
        assert!(before.rss_bytes > 100_000);
        let began = Instant::now();
        let mut sum = 0u64;
        while began.elapsed() < Duration::from_millis(60) {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(Usage::of(own).unwrap().cpu > before.cpu + Duration::from_millis(10));
    }
}
