//! A year of bars through the ledger, on one core.

use std::time::Duration;

use liqheat_model::{Ledger, Params};

use super::data::Year;
use super::{median, print_limit, timed};

const ROUNDS: usize = 3;
const LIMIT: Duration = Duration::from_secs(1);

pub(super) fn run(year: &Year) -> anyhow::Result<()> {
    let mut took = Vec::new();
    let mut hashes = Vec::new();
    for _ in 0..ROUNDS {
        let mut ledger = Ledger::new(Params::default(), year.tiers.clone());
        let (broken, time) =
            timed(|| year.bars.iter().map(|bar| ledger.apply(bar, &[]).broken.len()).sum::<usize>());
        anyhow::ensure!(broken == 0 && ledger.check().hold(), "invariants of the ledger are broken");
        took.push(time);
        hashes.push(ledger.state_hash());
    }
    anyhow::ensure!(hashes.windows(2).all(|pair| pair[0] == pair[1]), "the same bars gave another state");
    let took = median(took);
    let each = took.as_secs_f64() * 1e6 / year.bars.len() as f64;
    print_limit("a year of bars through the ledger", took, LIMIT, &format!("{each:.2} us a bar"));
    Ok(())
}
