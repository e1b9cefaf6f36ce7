//! What is read off the parts of the server when somebody asks, instead of being counted as it happens.

#![expect(clippy::disallowed_methods, reason = "the moment of a scrape, by which lateness is judged")]

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use liqheat_market::convert::{approx_f64, signed_len};
use liqheat_store::Store;
use liqheat_stream::Hub;
use liqheat_wire::FeedState;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

use crate::ops::process;
use crate::reads::Reads;

/// How each symbol stands, read off the boards when somebody asks.
#[derive(Debug)]
pub(super) struct Boards(pub(super) Arc<Hub>);

impl Collector for Boards {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut states = encoder.encode_descriptor(
            "liqheat_feed_state",
            "1 for the state of a symbol's data, 0 for the other states",
            None,
            MetricType::Gauge,
        )?;
        for slot in self.0.listed() {
            let now = slot.feed().state;
            for state in FeedState::ALL {
                let labels = [("symbol", slot.symbol()), ("state", state.name())];
                states.encode_family(&labels)?.encode_gauge(&i64::from(state == now))?;
            }
        }
        let mut gauge = |name, help, of: &dyn Fn(&liqheat_stream::BoardSlot) -> Option<f64>| {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for slot in self.0.listed() {
                if let Some(value) = of(&slot) {
                    family.encode_family(&[("symbol", slot.symbol())])?.encode_gauge(&value)?;
                }
            }
            Ok::<(), fmt::Error>(())
        };
        gauge("liqheat_board_seq", "Last change of the board", &|slot| {
            slot.with_board(|board| approx_f64(board.seq()))
        })?;
        gauge("liqheat_board_levels", "Levels with mass", &|slot| {
            slot.with_board(|board| approx_f64(board.levels()))
        })?;
        gauge("liqheat_market_time_seconds", "Time of the newest market event shown", &|slot| {
            slot.feed().as_of.map(|as_of| approx_f64(as_of.0) / 1_000.0)
        })
    }
}

/// How late the updater is.
#[derive(Debug)]
pub(super) struct Lateness(pub(super) super::NextDue);

impl Collector for Lateness {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let late = super::late(&self.0, Instant::now()).map_or(0.0, |(_, late)| late.as_secs_f64());
        let help = "Delay of the most overdue update";
        encoder
            .encode_descriptor("liqheat_update_late_seconds", help, None, MetricType::Gauge)?
            .encode_gauge(&late)
    }
}

/// Requests that read the database.
#[derive(Debug)]
pub(super) struct Turns(pub(super) Arc<Reads>);

impl Collector for Turns {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (running, waiting) = self.0.depth();
        for (name, help, value) in [
            ("liqheat_reads_running", "Requests that read the database", running),
            ("liqheat_reads_waiting", "Requests that wait for a turn to read the database", waiting),
        ] {
            encoder
                .encode_descriptor(name, help, None, MetricType::Gauge)?
                .encode_gauge(&signed_len(value))?;
        }
        Ok(())
    }
}

/// What the database has done, read off its own counters.
pub(super) struct Database(pub(super) Store);

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Database")
    }
}

impl Collector for Database {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counts = self.0.counters();
        let mut counter = |name, help, value: f64| {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(metric)
        };
        counter("liqheat_store_commands", "Commands the database answered", approx_f64(counts.commands))?;
        counter("liqheat_store_failures", "Commands answered with an error", approx_f64(counts.failures))?;
        counter("liqheat_store_busy_seconds", "Time spent in commands", counts.busy.as_secs_f64())?;
        let mut gauge = |name, help, value: f64| {
            encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
        };
        let longest = counts.longest_command.as_secs_f64();
        gauge("liqheat_store_longest_command_seconds", "The longest any command took", longest)?;
        gauge("liqheat_store_waiting", "Commands in the queue", approx_f64(counts.waiting))?;
        let in_place = if counts.file.problem().is_none() { 1.0 } else { 0.0 };
        gauge("liqheat_store_file_in_place", "0 when the database file was deleted or replaced", in_place)
    }
}

/// The process, as the system sees it.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) started: Instant,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut gauge = |name, help, value: Option<f64>| match value {
            Some(value) => {
                encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
            }
            None => Ok(()),
        };
        let uptime = self.started.elapsed().as_secs_f64();
        gauge("liqheat_uptime_seconds", "Seconds since the start", Some(uptime))?;
        let memory = process::resident_bytes().map(approx_f64);
        gauge("process_resident_memory_bytes", "Memory of the process", memory)?;
        let open = process::open_descriptors().map(approx_f64);
        gauge("process_open_fds", "Open descriptors", open)?;
        let most = process::descriptors_max().map(approx_f64);
        gauge("process_max_fds", "Largest number of descriptors that the process may open", most)?;
        let dropped = process::log_lines_dropped().load(Ordering::Relaxed);
        let help = "Log lines that standard error did not accept";
        let metric =
            encoder.encode_descriptor("liqheat_log_lines_dropped", help, None, MetricType::Counter)?;
        ConstCounter::new(dropped).encode(metric)
    }
}
