//! `model`: the parameters of the model.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  liqheat model > model.toml                      the shipped parameters, to be edited
  liqheat model --model model.toml                check a file; a fingerprint a section
  liqheat serve --db btc.duckdb --model model.toml")]
pub(crate) struct Model {
    /// Print the shipped parameters; also done without any flag.
    #[arg(long)]
    pub(crate) print: bool,
    /// The file to check.
    #[arg(long, env = "LIQHEAT_MODEL", value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
}
