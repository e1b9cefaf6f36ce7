//! The report for a terminal.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};
use indicatif::HumanCount;
use liqheat_score::{ConfidenceInterval, ExpectedHorizon, ExpectedModel};
use liqheat_wire::format_time;

use super::Report;

pub(super) fn text(report: &Report) -> String {
    let mut out = String::new();
    for section in sections(report) {
        // Writing into a string cannot fail.
        let _ = writeln!(out, "{}", section.title);
        if !section.rows.is_empty() {
            let mut table = Table::new();
            table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
            if !section.header.is_empty() {
                table.set_header(section.header);
            }
            table.add_rows(section.rows);
            for column in table.column_iter_mut().skip(1) {
                column.set_cell_alignment(CellAlignment::Right);
            }
            let _ = writeln!(out, "{table}");
        }
        for note in section.notes {
            let _ = writeln!(out, "{note}");
        }
        let _ = writeln!(out);
    }
    out
}

/// What the page draws below a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Picture {
    /// Nothing.
    None,
    /// The skill of each leverage class.
    ByClass,
}

/// One table with its title, in the order of the report; the page has the same ones.
pub(super) struct Section {
    pub(super) title: String,
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
    pub(super) notes: Vec<String>,
    pub(super) picture: Picture,
}

pub(super) fn sections(report: &Report) -> Vec<Section> {
    let mut sections = vec![coverage(report), invariants(report)];
    sections.extend(given_touch(report));
    sections.push(without_touch(report));
    sections.push(calibration(report));
    sections.push(leverage(report));
    sections.push(reduced(report));
    sections.extend(report.fits.then(|| fitted(report)));
    sections
}

/// The expected view as fitted on this run, in the form of the file of model parameters.
fn fitted(report: &Report) -> Section {
    let line = |name: &str, horizon: &ExpectedHorizon| {
        let touch: Vec<String> = horizon.touch.iter().map(|value| format!("{value:.4}")).collect();
        format!("{name} = {{ touch = [{}], mass_exponent = {:.3} }}", touch.join(", "), horizon.mass_exponent)
    };
    let notes = report.card.fitted.as_ref().map_or_else(
        || vec!["too few touched cells or liquidations to fit on".to_owned()],
        |model| {
            let version = format!("version = {}", ExpectedModel::VERSION);
            vec!["[expected]".to_owned(), version, line("1h", &model.hour), line("4h", &model.four_hours)]
        },
    );
    Section {
        title: "Expected view fitted on this run, for a file of --model".to_owned(),
        header: Vec::new(),
        rows: Vec::new(),
        notes,
        picture: Picture::None,
    }
}

fn coverage(report: &Report) -> Section {
    let found = &report.card.coverage;
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let windows = report.card.given_touch.iter().map(|horizon| {
        let of = &horizon.given_touch;
        format!("{}: {} of {}", length(horizon.window_ms), of.windows_with_events, of.windows)
    });
    let open_interest = found.open_interest_assumed.map_or_else(
        || format!("known in {} of bars", percent(found.open_interest_known_share)),
        |coins| format!("not known; {coins:.0} coins assumed throughout"),
    );
    let rows = [
        ("symbol", report.symbol.clone()),
        ("graded period", format!("{} to {}", format_time(found.from), format_time(found.to))),
        (
            "bars",
            format!(
                "{} of {} from {}, {} missing",
                HumanCount(found.bars as u64),
                length(found.bar_ms),
                report.bars_of,
                found.bars_missing
            ),
        ),
        (
            "warm-up",
            format!(
                "from {}; {} of the mass seen opening when grading begins",
                format_time(found.first_bar),
                percent(found.seen_share_at_start)
            ),
        ),
        (
            "liquidations",
            format!(
                "{} of {}, {:.1} million USD",
                HumanCount(found.liquidations as u64),
                report.liquidations_of,
                found.liquidated_usd / 1e6
            ),
        ),
        ("feed", report.feed_limit.to_owned()),
        (
            "converted from bankruptcy prices",
            format!(
                "{}; {} of all lie inside the range of their bar",
                HumanCount(report.bankruptcy_prices as u64),
                found.inside_bar_share.map_or_else(|| "-".to_owned(), percent)
            ),
        ),
        ("windows with liquidations", windows.collect::<Vec<_>>().join("; ")),
        (
            "consumed by",
            format!("mark price in {} of bars, else the last price", percent(found.mark_price_share)),
        ),
        ("open interest", open_interest),
        ("margin tiers", report.tiers.clone()),
        ("parameters", found.params_fingerprint.clone()),
        ("coefficients of the expected view", found.expected_fingerprint.clone()),
    ];
    Section {
        title: "Coverage".to_owned(),
        header: Vec::new(),
        rows: rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect(),
        notes: Vec::new(),
        picture: Picture::None,
    }
}

fn invariants(report: &Report) -> Section {
    let found = &report.card.invariants;
    let rows = [
        (
            "I1 largest relative distance of a side from the open interest",
            format!("{:.1e}", found.balance_error_max),
        ),
        ("I2 smallest mass of a cell, coins", format!("{}", found.mass_min)),
        ("I3 mass on the wrong side of the price, coins", format!("{}", found.mass_beyond_price)),
        ("I4 replays that differ by a bit, of 2", found.replays_that_differ.to_string()),
        ("I5 change of the total with cells twice as wide", format!("{:.1e}", found.total_by_cell_width)),
        ("   change of the consumed coins", format!("{:.2} %", found.consumed_by_cell_width * 100.0)),
        ("bars with something broken", found.bars_broken.to_string()),
    ];
    Section {
        title: "Invariants".to_owned(),
        header: Vec::new(),
        rows: rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect(),
        notes: Vec::new(),
        picture: Picture::None,
    }
}

fn given_touch(report: &Report) -> impl Iterator<Item = Section> + '_ {
    report.card.given_touch.iter().map(|horizon| {
        let of = &horizon.given_touch;
        let scores = of.scores.iter().filter(|_| of.windows > 0);
        let rows = scores.map(|score| {
            vec![
                score.predictor.title().to_owned(),
                figure(score.spearman),
                score.top_tenth_lift.map_or_else(dash, |lift| format!("{lift:.2}")),
                figure(score.area_under_curve),
                figure(score.in_hour_partial),
                interval(score.in_hour_partial_interval),
            ]
        });
        Section {
            title: format!(
                "Given touch, windows of {}: {} touched cells, {} hit",
                length(horizon.window_ms),
                HumanCount(of.cells as u64),
                HumanCount(of.cells_hit as u64)
            ),
            header: ["", "rank correlation", "top-tenth lift", "AUC", "in-window partial", "95 %"].map(str::to_owned).to_vec(),
            rows: rows.collect(),
            notes: vec![if of.windows == 0 {
                format!("The graded period holds no whole window of {}.", length(horizon.window_ms))
            } else {
                "In-window partial: rank correlation with USD liquidated after distance is removed, ranks taken inside each window and side."
                    .to_owned()
            }],
            picture: Picture::None,
        }
    })
}

fn without_touch(report: &Report) -> Section {
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    for horizon in &report.card.without_touch {
        let window = format!("{}, within {:.1} %:", length(horizon.window_ms), horizon.reach * 100.0);
        let Some(found) = &horizon.without_touch else {
            notes.push(format!("{window} too few days to fit on what lies before"));
            continue;
        };
        let models = [
            ("chance of a touch", Some(found.touch_chance)),
            ("distance and volatility", Some(found.distance_and_volatility)),
            ("the same with this map", Some(found.with_map)),
            ("the expected view", found.expected),
        ];
        for (name, model) in models.into_iter().filter_map(|(name, model)| Some((name, model?))) {
            let gain = if name.ends_with("map") {
                let of = |value: Option<f64>, at, is_gain: bool| {
                    let verdict = if is_gain { "" } else { " (no gain)" };
                    format!("{} {}{verdict}", figure(value), interval(at))
                };
                [
                    of(found.area_gain, found.area_gain_interval, found.is_gain),
                    of(found.precision_gain, found.precision_gain_interval, found.is_precision_gain),
                ]
            } else {
                [String::new(), String::new()]
            };
            let [area, precision] = gain;
            let figures =
                [figure(model.area_under_curve), figure(model.top_tenth_precision), area, precision];
            rows.push([vec![format!("{window} {name}")], figures.to_vec()].concat());
        }
    }
    Section {
        title: "Not given touch: all cells that the price may reach".to_owned(),
        header: ["", "AUC", "precision of the top tenth", "gain in AUC", "gain in precision"]
            .map(str::to_owned)
            .to_vec(),
        rows,
        notes,
        picture: Picture::None,
    }
}

fn calibration(report: &Report) -> Section {
    let found = &report.card.calibration;
    let ratio = found.consumed_over_liquidated.map_or_else(dash, |ratio| {
        format!("{:.2} (quartiles {:.2} to {:.2})", ratio.median, ratio.lower, ratio.upper)
    });
    Section {
        title: format!("USD consumed a day over USD liquidated, {} days", found.days),
        header: Vec::new(),
        rows: vec![
            vec!["median".to_owned(), ratio],
            vec!["log-log slope by day".to_owned(), figure(found.log_slope)],
        ],
        notes: Vec::new(),
        picture: Picture::None,
    }
}

fn leverage(report: &Report) -> Section {
    let rows = report.card.leverage.iter().map(|class| {
        let verdict = if class.is_identified { "" } else { "not identified" };
        vec![
            format!("{}x", class.leverage),
            figure(class.in_hour_partial),
            interval(class.interval),
            verdict.to_owned(),
        ]
    });
    Section {
        title: format!("By leverage class alone, windows of {}", length(report.card.leverage_window_ms)),
        header: ["", "in-window partial", "95 %", ""].map(str::to_owned).to_vec(),
        rows: rows.collect(),
        notes: Vec::new(),
        picture: Picture::ByClass,
    }
}

fn reduced(report: &Report) -> Section {
    let rows = report.card.reduced.iter().map(|reduced| match &reduced.score {
        None => vec![format!("without {}", reduced.without), "it was constant anyway".to_owned()],
        Some(score) => vec![
            format!("without {}", reduced.without),
            figure(score.spearman),
            score.top_tenth_lift.map_or_else(dash, |lift| format!("{lift:.2}")),
            figure(score.area_under_curve),
            figure(score.in_hour_partial),
            interval(score.in_hour_partial_interval),
        ],
    });
    Section {
        title: format!("This map with less input, windows of {}", length(report.card.leverage_window_ms)),
        header: ["", "rank correlation", "top-tenth lift", "AUC", "in-window partial", "95 %"]
            .map(str::to_owned)
            .to_vec(),
        rows: rows.collect(),
        notes: Vec::new(),
        picture: Picture::None,
    }
}

/// Three places, or a dash.
pub(super) fn figure(value: Option<f64>) -> String {
    value.map_or_else(dash, |value| format!("{value:.3}"))
}

fn interval(interval: Option<ConfidenceInterval>) -> String {
    interval.map_or_else(dash, |interval| format!("[{:.3}, {:.3}]", interval.low, interval.high))
}

fn dash() -> String {
    "-".to_owned()
}

/// A length of time as people write it.
pub(super) fn length(ms: i64) -> String {
    match ms / 60_000 {
        minutes if minutes % 1_440 == 0 => format!("{} d", minutes / 1_440),
        minutes if minutes % 60 == 0 => format!("{} h", minutes / 60),
        minutes => format!("{minutes} min"),
    }
}
