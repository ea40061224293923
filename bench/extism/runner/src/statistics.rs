//! The statistics of some samples.

/// The median and the quartiles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    pub lower: f64,
    pub median: f64,
    pub upper: f64,
}

impl Summary {
    /// Of at least one number.
    pub fn of(mut numbers: Vec<f64>) -> Summary {
        numbers.sort_by(f64::total_cmp);
        Summary {
            lower: quantile(&numbers, 0.25),
            median: quantile(&numbers, 0.5),
            upper: quantile(&numbers, 0.75),
        }
    }

    /// Half of what is between the quartiles, as a part of the median.
    pub fn spread(&self) -> f64 {
        (self.upper - self.lower) / 2.0 / self.median
    }
}

/// Between two of the sorted numbers, where it is between them.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let at = part * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_numbers_in_any_order() {
        let summary = Summary::of(vec![4.0, 1.0, 3.0, 2.0]);
        assert_eq!(
            summary,
            Summary {
                lower: 1.75,
                median: 2.5,
                upper: 3.25
            }
        );
        assert!((summary.spread() - 0.3).abs() < 1e-9);
        assert_eq!(Summary::of(vec![7.0]).upper, 7.0);
    }
}
