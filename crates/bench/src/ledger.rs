//! A year of bars through the ledger, on one core.

use std::time::Duration;

use liqheat_market::convert::approx_f64;
use liqheat_model::{ClassDetail, Ledger, LeverageClass, ParamValues, Params};

use super::data::Year;
use super::{median, print_limit, timed};

const ROUNDS: usize = 3;
const LIMIT: Duration = Duration::from_secs(1);

pub(super) fn run(year: &Year) -> anyhow::Result<()> {
    figure(year, &Params::default(), "a year of bars through the ledger")?;
    figure(year, &closed_by_class()?, "the same with nine classes, each closed at its own rate")
}

fn figure(year: &Year, params: &Params, what: &str) -> anyhow::Result<()> {
    let mut took = Vec::new();
    let mut hashes = Vec::new();
    for _ in 0..ROUNDS {
        let mut ledger = Ledger::new(params.clone(), year.tiers.clone());
        let (broken, time) =
            timed(|| year.bars.iter().map(|bar| ledger.apply(bar, &[]).broken.len()).sum::<usize>());
        anyhow::ensure!(broken == 0 && ledger.check().hold(), "invariants of the ledger are broken");
        took.push(time);
        hashes.push(ledger.state_hash());
    }
    anyhow::ensure!(hashes.windows(2).all(|pair| pair[0] == pair[1]), "the same bars gave another state");
    let took = median(took);
    let each = took.as_secs_f64() * 1e6 / approx_f64(year.bars.len());
    print_limit(what, took, LIMIT, &format!("{each:.2} us a bar"));
    Ok(())
}

fn closed_by_class() -> anyhow::Result<Params> {
    let rates = [
        (150.0, 3.3),
        (125.0, 3.3),
        (100.0, 3.3),
        (50.0, 2.8),
        (25.0, 1.0),
        (23.0, 1.1),
        (12.7, 0.56),
        (6.5, 0.3),
        (3.1, 0.15),
    ];
    let classes = rates.map(|(leverage, closing_rate)| LeverageClass {
        leverage,
        taker_weight: 1.0,
        detail: ClassDetail { closing_rate, ..ClassDetail::default() },
    });
    let mut values = ParamValues { unlevelled_closing_rate: 0.2, ..ParamValues::default() };
    values.set_classes(&classes)?;
    Ok(Params::new(values)?)
}
