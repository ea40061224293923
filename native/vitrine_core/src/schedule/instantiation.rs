//! Predicts whether the next instance of a module can be made quickly enough for a normal scheduler.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// The longest time that a normal scheduler may spend on making an instance, including its initialisers.
const QUICK: Duration = Duration::from_micros(250);
/// After so many slow instances in a row, the next one is not made on a normal scheduler. One slow instance says little: a
/// thread that the operating system held up looks the same.
const DOUBTS: u32 = 3;

/// Past instances of the same modules, counted as doubts that the next one is quick.
pub(crate) struct Predictor(AtomicU32);

impl Default for Predictor {
    /// Nothing is known yet, so the first instance is made on a dirty scheduler.
    fn default() -> Self {
        Predictor(AtomicU32::new(DOUBTS))
    }
}

impl Predictor {
    pub(crate) fn note(&self, took: Duration) {
        let doubts = self.0.load(Relaxed);
        let doubts = if took <= QUICK {
            doubts.saturating_sub(1)
        } else {
            (doubts + 1).min(DOUBTS)
        };
        self.0.store(doubts, Relaxed);
    }

    pub(crate) fn is_quick(&self) -> bool {
        self.0.load(Relaxed) < DOUBTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Duration = Duration::from_millis(1);

    #[test]
    fn first_instance_is_predicted_to_be_slow() {
        let predictor = Predictor::default();
        assert!(!predictor.is_quick());
        predictor.note(SLOW);
        assert!(!predictor.is_quick());
        predictor.note(QUICK);
        assert!(predictor.is_quick());
    }

    #[test]
    fn one_slow_instance_does_not_change_the_prediction_and_three_in_a_row_do() {
        let predictor = Predictor::default();
        (0..100).for_each(|_| predictor.note(QUICK));
        for _ in 1..DOUBTS {
            predictor.note(SLOW);
            assert!(predictor.is_quick());
        }
        predictor.note(SLOW);
        assert!(!predictor.is_quick());
    }
}
