//! Runs of pages: found by size in binned lists, split when longer than needed, joined with their
//! free neighbours when they come back.
//!
//! No free run ever touches the frontier: it moves the frontier back instead. The next allocation
//! can so extend that run, and the memory grows only by what is really missing.

use crate::held;
use crate::layout::{
    FRONTIER, HEAP_PAGE, LOADABLE, MAX_PAGES, PAGE_SHIFT, PEAK, entry::PAGES, kind,
};
use crate::list::{List, RUNS};
use crate::memory::Memory;
use crate::page::Page;
use crate::size_class::bin_of;

/// Takes a run of `pages` pages, `1 <= pages <= MAX_PAGES`, and makes the first one a page of a
/// kind.
#[inline]
pub fn take<M: Memory>(memory: &mut M, pages: u32, first: u8) -> Option<Page> {
    let run = match find(memory, pages) {
        Some(Found { run, length, start }) => {
            list(length).remove(memory, run);
            let (end, rest) = (start + pages, run.number() + length);
            add_free(memory, run.number(), start - run.number());
            add_free(memory, end, rest - end);
            Page::nth(start)
        }
        None => advance(memory, pages)?,
    };
    run.assign(memory, first);
    if pages > 1 {
        Page::nth(run.number() + pages - 1).assign(memory, kind::LARGE_END);
    }
    Some(run)
}

/// Gives back a run that [`take`] gave out.
#[inline]
pub fn give_back<M: Memory>(memory: &mut M, run: Page, pages: u32) {
    let frontier = frontier(memory);
    let (mut start, mut end) = (run.number(), run.number() + pages);
    // It may soon lie inside a longer run, where no page may look like the start of a block.
    run.assign(memory, kind::FREE);

    let before = Page::nth(start.wrapping_sub(1));
    if start > HEAP_PAGE && before.kind(memory) == Some(kind::FREE) {
        let length = before.u32(memory, PAGES);
        if (1..=start - HEAP_PAGE).contains(&length) {
            start -= length;
            list(length).remove(memory, Page::nth(start));
        }
    }
    if end >= frontier {
        memory.store_u32(FRONTIER, start.saturating_sub(HEAP_PAGE));
        return;
    }
    let after = Page::nth(end);
    if after.kind(memory) == Some(kind::FREE) {
        let length = after.u32(memory, PAGES);
        if (1..=frontier - end).contains(&length) {
            list(length).remove(memory, after);
            end += length;
        }
    }
    add_free(memory, start, end - start);
}

/// Notes for inlined code how far it may load.
#[inline]
pub fn note_size<M: Memory>(memory: &mut M) {
    let heap = u64::from(memory.pages().saturating_sub(HEAP_PAGE)) << PAGE_SHIFT;
    memory.store_u64(LOADABLE, heap.saturating_sub(7));
}

/// The number of the first page that is not in use or in a list.
#[inline]
fn frontier<M: Memory>(memory: &M) -> u32 {
    HEAP_PAGE + memory.load_u32(FRONTIER).min(MAX_PAGES - HEAP_PAGE)
}

/// The list that free runs of a length are in.
#[inline]
fn list(length: u32) -> List {
    List::new(RUNS, bin_of(length))
}

/// A free run, its length, and where in it pages are that may be handed out.
struct Found {
    run: Page,
    length: u32,
    start: u32,
}

/// A free run with room for `pages`.
#[inline]
fn find<M: Memory>(memory: &M, pages: u32) -> Option<Found> {
    let exact = list(pages);
    let fits = |list: List| {
        let run = list.first(memory)?;
        let length = run.u32(memory, PAGES);
        // The bounds hold unless the kernel's data was overwritten.
        let fits = length >= pages
            && run.number() >= HEAP_PAGE
            && length <= frontier(memory).saturating_sub(run.number());
        if !fits {
            return None;
        }
        let start = held::skip(memory, run.number(), pages);
        (start + pages <= run.number() + length).then_some(Found { run, length, start })
    };
    // In the bin of this size some may be too short, and only the first is looked at; in the bins
    // above all are long enough.
    fits(exact).or_else(|| fits(exact.next_used(memory)?))
}

/// Takes a run at the frontier, growing the memory if it ends there.
#[inline]
fn advance<M: Memory>(memory: &mut M, pages: u32) -> Option<Page> {
    let frontier = frontier(memory);
    let start = held::skip(memory, frontier, pages);
    let end = start + pages;
    let missing = end.saturating_sub(memory.pages());
    // More than can ever be had is asked for as well: a host that limits memory answers that with
    // its own error.
    if missing > 0 && !memory.grow(missing) {
        return None;
    }
    add_free(memory, frontier, start - frontier);
    let used = end - HEAP_PAGE;
    memory.store_u32(FRONTIER, used);
    if used > memory.load_u32(PEAK) {
        memory.store_u32(PEAK, used);
    }
    note_size(memory);
    Some(Page::nth(start))
}

/// Puts a run, if there is one, into the list of its length.
#[inline]
fn add_free<M: Memory>(memory: &mut M, start: u32, length: u32) {
    if length == 0 {
        return;
    }
    for end in [Page::nth(start + length - 1), Page::nth(start)] {
        end.assign(memory, kind::FREE);
        end.set_u32(memory, PAGES, length);
    }
    list(length).push(memory, Page::nth(start));
}
