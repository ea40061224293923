//! What was used and is kept for the next user with the memory that it has: a page that is there costs
//! nothing, one that the system has to give again takes longer than many calls.

/// How many pages all that is kept may have.
const MOST: usize = 4096;
/// As so many counts what has fewer: it also has addresses, and mappings.
const LEAST: usize = 32;

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

    /// Keeps `item`, and as much else as there is room for, what was kept last first: gives back the rest.
    pub(crate) fn keep_newest(&mut self, item: T, pages: usize) -> Vec<T> {
        let (mut rest, mut item) = (Vec::new(), item);
        while let Err(refused) = self.keep(item, pages) {
            if self.items.is_empty() {
                rest.push(refused);
                return rest;
            }
            rest.push(self.remove(0));
            item = refused;
        }
        rest
    }

    /// What was kept last of that for which `fits`, or else of all.
    pub(crate) fn take(&mut self, fits: impl Fn(&T) -> bool) -> Option<T> {
        self.take_fitting(fits).or_else(|| {
            let last = self.items.len().checked_sub(1)?;
            Some(self.remove(last))
        })
    }

    /// What was kept last of that for which `fits`.
    pub(crate) fn take_fitting(&mut self, fits: impl Fn(&T) -> bool) -> Option<T> {
        let at = self.items.iter().rposition(|(item, _)| fits(item))?;
        Some(self.remove(at))
    }

    fn remove(&mut self, at: usize) -> T {
        let (item, pages) = self.items.remove(at);
        self.pages -= pages;
        item
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

    #[test]
    fn what_was_kept_first_makes_room_for_the_newest() {
        let mut warm = Warm::new();
        for item in 0..4 {
            assert!(warm.keep_newest(item, MOST / 4).is_empty());
        }
        assert_eq!(warm.keep_newest(4, MOST / 4), [0]);
        assert_eq!(warm.keep_newest(5, MOST / 2), [1, 2]);
        assert_eq!(warm.take_fitting(|item| *item < 3), None);
        assert_eq!(warm.take_fitting(|item| *item == 3), Some(3));
        assert_eq!(warm.keep_newest(6, MOST + 1), [4, 5, 6]);
        assert_eq!(warm.take(|_| true), None);
    }
}
