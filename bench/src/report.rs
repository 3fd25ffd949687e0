//! The table, and the figures that many measurements come to.

use std::fmt;
use std::time::Duration;

/// Rows in the order in which they were measured.
#[derive(Default)]
pub struct Report {
    rows: Vec<[String; 3]>,
}

impl Report {
    /// Adds a row, and says it at once: a run takes minutes.
    pub fn row(&mut self, name: &str, value: &str, target: &str) {
        eprintln!("{name}: {value}");
        self.rows.push([name.to_owned(), value.to_owned(), target.to_owned()]);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | measured | target |\n|---|---|---|")?;
        for [name, value, target] in &self.rows {
            writeln!(f, "| {name} | {value} | {target} |")?;
        }
        Ok(())
    }
}

/// Measurements of one thing.
pub struct Samples(Vec<Duration>);

impl Samples {
    pub fn new(mut samples: Vec<Duration>) -> Self {
        samples.sort();
        Self(samples)
    }

    /// The smallest sample that this share of all does not exceed: the nearest rank.
    pub fn at(&self, share: f64) -> Duration {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index into a short list"
        )]
        let rank = (self.0.len() as f64 * share).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }

    /// Median and 95th percentile.
    pub fn spread(&self) -> String {
        format!(
            "{} median, {} p95 (n = {})",
            ms(self.at(0.5)),
            ms(self.at(0.95)),
            self.0.len()
        )
    }
}

/// What two measurements that were made in pairs differ by, in milliseconds.
pub struct Differences(Vec<f64>);

impl Differences {
    pub fn new(one: &[Duration], other: &[Duration]) -> Self {
        let ms = |duration: &Duration| duration.as_secs_f64() * 1000.0;
        let mut differences: Vec<f64> = one.iter().zip(other).map(|(one, other)| ms(one) - ms(other)).collect();
        differences.sort_by(f64::total_cmp);
        Self(differences)
    }

    /// The median, and between which two differences the true one lies in 95 of 100 such runs: by their ranks, whatever the
    /// distribution (n/2 ± 0.98 √n).
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "ranks in a short list"
    )]
    pub fn middle(&self) -> String {
        let n = self.0.len() as f64;
        let at = |rank: f64| {
            let last = self.0.len().saturating_sub(1);
            self.0
                .get((rank.max(0.0) as usize).min(last))
                .copied()
                .unwrap_or_default()
        };
        format!(
            "{:.1} ms (95 %: {:.1} to {:.1}, n = {})",
            at(n / 2.0),
            at((n / 2.0 - 0.98 * n.sqrt()).floor()),
            at((n / 2.0 + 0.98 * n.sqrt()).ceil()),
            self.0.len()
        )
    }
}

/// Milliseconds for people.
pub fn ms(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1000.0;
    if ms < 10.0 {
        format!("{ms:.1} ms")
    } else if ms < 10_000.0 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.1} s", ms / 1000.0)
    }
}
