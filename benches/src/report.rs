//! Cells, their statistics, and how they are shown: a table for people, JSON lines for programs.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde::Serialize;

/// One figure.
#[derive(Serialize)]
struct Cell<'a> {
    table: &'a str,
    row: &'a str,
    engine: &'a str,
    /// Median nanoseconds of one operation.
    ns: f64,
    /// `ns` by that of the baseline, round by round; the median.
    ratio: f64,
    /// The engine that the ratio is against.
    baseline: &'a str,
    /// Half the range of the middle half of the rounds, by the median: 0.05 is 5 %.
    spread: f64,
}

/// An engine of a row: its name, and what runs it once and says how many nanoseconds one operation took.
pub(crate) struct Engine<'a> {
    /// Name, the same in every row.
    pub(crate) name: &'static str,
    /// Measures one round.
    pub(crate) round: Box<dyn FnMut() -> Result<f64, String> + 'a>,
}

/// Where cells go.
pub(crate) struct Report {
    table: &'static str,
    json: Option<File>,
}

impl Report {
    pub(crate) fn new(json: Option<&Path>) -> Result<Self, String> {
        let open = |path: &Path| File::create(path).map_err(|error| format!("{}: {error}", path.display()));
        Ok(Report { table: "", json: json.map(open).transpose()? })
    }

    /// Starts a table.
    pub(crate) fn begin(&mut self, table: &'static str) {
        self.table = table;
        println!("{table}");
        println!(
            "  {:<28} {:<24} {:>12} {:>8}  {:<12} {:>7}",
            "row", "engine", "ns", "ratio", "baseline", "spread"
        );
    }

    /// Ends a table.
    pub(crate) fn end(&mut self) -> Result<(), String> {
        println!();
        self.json.as_mut().map_or(Ok(()), Write::flush).map_err(|error| error.to_string())
    }

    /// Says what a table lacks on this machine.
    pub(crate) fn skip(&self, what: &str, why: &str) {
        println!("  skipped: {what}: {why}");
    }

    /// Measures a row: all engines once in each of `rounds` rounds, after a warm-up. The first engine is the baseline.
    pub(crate) fn row(&mut self, row: &str, rounds: usize, engines: &mut [Engine<'_>]) -> Result<(), String> {
        let mut figures = vec![Vec::with_capacity(rounds); engines.len()];
        for round in 0..=rounds {
            for (engine, figures) in engines.iter_mut().zip(&mut figures) {
                let ns = (engine.round)().map_err(|error| format!("{row}, {}: {error}", engine.name))?;
                if round > 0 {
                    figures.push(ns);
                }
            }
        }
        let baseline = figures[0].clone();
        for (engine, figures) in engines.iter().zip(&figures) {
            let ratios: Vec<f64> = figures.iter().zip(&baseline).map(|(ns, base)| ns / base).collect();
            self.cell(&Cell {
                table: self.table,
                row,
                engine: engine.name,
                ns: quantile(figures, 0.5),
                ratio: quantile(&ratios, 0.5),
                baseline: engines[0].name,
                spread: (quantile(figures, 0.75) - quantile(figures, 0.25)) / 2.0 / quantile(figures, 0.5),
            })?;
        }
        Ok(())
    }

    fn cell(&mut self, cell: &Cell<'_>) -> Result<(), String> {
        println!(
            "  {:<28} {:<24} {:>12.1} {:>8.3}  {:<12} {:>6.1}%",
            cell.row,
            cell.engine,
            cell.ns,
            cell.ratio,
            cell.baseline,
            cell.spread * 100.0
        );
        let Some(file) = &mut self.json else { return Ok(()) };
        let line = serde_json::to_string(cell).map_err(|error| error.to_string())?;
        writeln!(file, "{line}").map_err(|error| error.to_string())
    }
}

/// The value below which a share of the figures lies.
fn quantile(figures: &[f64], share: f64) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len().saturating_sub(1)) as f64 * share;
    sorted.get(at.round() as usize).copied().unwrap_or(f64::NAN)
}
