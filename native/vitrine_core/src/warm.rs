//! What was used and is kept for the next user with the memory that it has: a page that is there costs
//! nothing, one that the system has to give again takes longer than many calls.

/// How many pages all that is kept may have.
const MOST: usize = 1024;
/// As so many counts what has fewer: it also has addresses, and mappings.
const LEAST: usize = 8;

pub(crate) struct Warm<T> {
    items: Vec<(T, usize)>,
    pages: usize,
}

impl<T> Warm<T> {
    pub(crate) const fn new() -> Self {
        Warm {
            items: Vec::new(),
            pages: 0,
        }
    }

    /// Keeps `item`, which has so many pages; gives it back if that would be too much.
    pub(crate) fn keep(&mut self, item: T, pages: usize) -> Result<(), T> {
        let pages = pages.max(LEAST);
        if self.pages + pages > MOST {
            return Err(item);
        }
        self.pages += pages;
        self.items.push((item, pages));
        Ok(())
    }

    /// What was kept last of that for which `fits`, or else of all.
    pub(crate) fn take(&mut self, fits: impl Fn(&T) -> bool) -> Option<T> {
        let fitting = self.items.iter().rposition(|(item, _)| fits(item));
        let at = fitting.or(self.items.len().checked_sub(1))?;
        let (item, pages) = self.items.remove(at);
        self.pages -= pages;
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_taken_first_and_then_what_was_kept_last() {
        let mut warm = Warm::new();
        for item in [1, 2, 3, 4] {
            warm.keep(item, 7).unwrap();
        }
        assert_eq!(warm.take(|item| item % 2 == 1), Some(3));
        assert_eq!(warm.take(|item| *item == 9), Some(4));
        assert_eq!(warm.take(|_| true), Some(2));
        assert_eq!(warm.take(|_| false), Some(1));
        assert_eq!(warm.take(|_| true), None);
    }

    #[test]
    fn there_is_a_most_of_pages_and_what_is_taken_makes_room() {
        let mut warm = Warm::new();
        for item in 0..4 {
            warm.keep(item, MOST / 4).unwrap();
        }
        assert_eq!(warm.keep(4, 0), Err(4));
        assert_eq!(warm.take(|_| true), Some(3));
        assert_eq!(warm.keep(4, MOST / 4 + 1), Err(4));
        assert_eq!(warm.keep(4, MOST / 4), Ok(()));
    }
}
