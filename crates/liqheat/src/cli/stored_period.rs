//! Flags that choose a symbol and a period of what is stored: those of `alerts` and `backtest`.

use clap::Args;
use liqheat_market::UnixMs;

use super::values::moment;

/// What the commands call start and end differs, so each sets the help of `--from` and `--to`.
#[derive(Debug, Args)]
pub(crate) struct StoredPeriod {
    /// The symbol, such as BTCUSDT, or BTCUSDT@binance for the bars of one venue [default: the only one stored]
    #[arg(long, env = "LIQHEAT_SYMBOL", value_name = "SYMBOL")]
    pub(crate) symbol: Option<String>,
    /// Start of the period.
    #[arg(long, env = "LIQHEAT_FROM", value_parser = moment, value_name = "TIME")]
    pub(crate) from: Option<UnixMs>,
    /// End of the period.
    #[arg(long, env = "LIQHEAT_TO", value_parser = moment, value_name = "TIME")]
    pub(crate) to: Option<UnixMs>,
}
