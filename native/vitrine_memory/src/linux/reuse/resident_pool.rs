//! A bounded pool of things that still own resident pages. A page that is resident costs its next user nothing. One
//! that the system has to hand out again takes longer than many calls.

/// The most pages that the items of a pool may have together.
const MOST: usize = 4096;
/// An item with fewer pages counts as so many: it also has addresses, and mappings.
const LEAST: usize = 32;

pub(super) struct ResidentPool<T> {
    /// Each item with the pages that it counts as. The item that was returned last is the last.
    items: Vec<(T, usize)>,
    pages: usize,
}

impl<T> ResidentPool<T> {
    pub(super) const fn new() -> Self {
        ResidentPool {
            items: Vec::new(),
            pages: 0,
        }
    }

    /// Keeps an item that has so many pages. Gives it back if the pool is full.
    pub(super) fn keep(&mut self, item: T, pages: usize) -> Result<(), T> {
        let pages = pages.max(LEAST);
        if self.pages + pages > MOST {
            return Err(item);
        }
        self.pages += pages;
        self.items.push((item, pages));
        Ok(())
    }

    /// Keeps an item, and removes the oldest others until there is room for it. Gives back all that is not kept.
    pub(super) fn keep_newest(&mut self, item: T, pages: usize) -> Vec<T> {
        let (mut removed, mut item) = (Vec::new(), item);
        while let Err(refused) = self.keep(item, pages) {
            if self.items.is_empty() {
                removed.push(refused);
                return removed;
            }
            removed.push(self.remove(0));
            item = refused;
        }
        removed
    }

    /// Takes the newest item that fits, or the newest of all if none does.
    pub(super) fn take(&mut self, fits: impl Fn(&T) -> bool) -> Option<T> {
        self.take_fitting(fits).or_else(|| {
            let last = self.items.len().checked_sub(1)?;
            Some(self.remove(last))
        })
    }

    /// Takes the newest item that fits.
    pub(super) fn take_fitting(&mut self, fits: impl Fn(&T) -> bool) -> Option<T> {
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
    fn an_item_that_fits_is_taken_before_the_newest() {
        let mut pool = ResidentPool::new();
        for item in [1, 2, 3, 4] {
            pool.keep(item, 7).unwrap();
        }
        assert_eq!(pool.take(|item| item % 2 == 1), Some(3));
        assert_eq!(pool.take(|item| *item == 9), Some(4));
        assert_eq!(pool.take(|_| true), Some(2));
        assert_eq!(pool.take(|_| false), Some(1));
        assert_eq!(pool.take(|_| true), None);
    }

    #[test]
    fn a_pool_is_full_at_a_number_of_pages_until_an_item_is_taken() {
        let mut pool = ResidentPool::new();
        for item in 0..4 {
            pool.keep(item, MOST / 4).unwrap();
        }
        assert_eq!(pool.keep(4, 0), Err(4));
        assert_eq!(pool.take(|_| true), Some(3));
        assert_eq!(pool.keep(4, MOST / 4 + 1), Err(4));
        assert_eq!(pool.keep(4, MOST / 4), Ok(()));
    }

    #[test]
    fn the_oldest_items_make_room_for_the_newest() {
        let mut pool = ResidentPool::new();
        for item in 0..4 {
            assert!(pool.keep_newest(item, MOST / 4).is_empty());
        }
        assert_eq!(pool.keep_newest(4, MOST / 4), [0]);
        assert_eq!(pool.keep_newest(5, MOST / 2), [1, 2]);
        assert_eq!(pool.take_fitting(|item| *item < 3), None);
        assert_eq!(pool.take_fitting(|item| *item == 3), Some(3));
        assert_eq!(pool.keep_newest(6, MOST + 1), [4, 5, 6]);
        assert_eq!(pool.take(|_| true), None);
    }
}
