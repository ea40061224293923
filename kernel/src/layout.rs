//! Where everything is: the one description of the kernel's memory, for the kernel, for the host,
//! and for the code that the host inlines into plugins.
//!
//! ```text
//! 0x000000 ┌──────────────────────────┐
//!          │ shadow stack of the wasm │  1 KiB; Rust's, grows down, hardly used
//! 0x000400 ├──────────────────────────┤
//!          │ control block            │  generation, frontier, input, output, error, lists in use, peak
//! 0x000480 ├──────────────────────────┤
//!          │ heads of the slab lists  │  per size class: the pages with a free block
//! 0x000500 ├──────────────────────────┤
//!          │ heads of the run lists   │  per size bin: the free runs of pages
//! 0x000800 ├──────────────────────────┤
//!          │ page table               │  65 536 entries of 32 bytes, indexed by address / 64 KiB
//! 0x200800 ├──────────────────────────┤
//!          │ (unused)                 │
//! 0x210000 ├──────────────────────────┤  HEAP_START: every handle is at least this
//!          │ heap                     │  64 KiB pages: slabs, large blocks, free runs
//!          ├──────────────────────────┤  frontier: where pages that are not in use begin
//!          │ (not yet used)           │
//!          └──────────────────────────┘  the end of the memory; only `memory.grow` moves it
//! ```
//!
//! Memory that is all zero is a valid, empty kernel, so there is no start function and no data
//! segment.  Most of the page table is never touched and therefore costs address space only; what a
//! small call touches is the first 4 KiB and a page.
//!
//! # A page in the heap
//!
//! A *slab* holds small blocks of one size.  Its header, which the guest cannot write, has an entry
//! for each block:
//!
//! ```text
//! ┌────┬────┬────┬─────┬─────────┬─────────┬─────────┐
//! │ u16│ u16│ u16│ ... │ block 0 │ block 1 │ ...     │   ACTIVE | length, or the next
//! └────┴────┴────┴─────┴─────────┴─────────┴─────────┘   free block, counted from 1
//! ```
//!
//! A *large block* is a run of whole pages without any header: what is known about it stands in the
//! entries of its first and last page, and what is known about a free run as well.
//!
//! # What inlined code may do
//!
//! Each check is one comparison, with arithmetic that wraps. Where it fails, the kernel's function
//! is to be called: it knows the rare cases. Over a memory that is all zero every check fails.
//!
//! * 1 or 8 bytes may be loaded from `p` when `p - HEAP_START < ` [`LOADABLE`]. The last seven bytes
//!   of the memory are left to the kernel, and so is everything while its memory was grown and nothing
//!   in the new pages allocated.
//! * A byte may be stored to `p` when `(p ^ 0xFFFF) & `[`LEFT_IN_PAGE`] is below the `u32`
//!   [`entry::STORABLE`] of the page `p >> 16`: this is how many bytes follow it in the page, or
//!   far more if `p` is no address. Of 8 bytes, that number less 7 must be below
//!   [`entry::STORABLE_U64`], so that they end in the page. Both fields are caches, which the
//!   kernel's `store_u8` and `store_u64` fill, and 0 in the pages that the memory does not have.
//! * A byte of the input may be loaded, from [`INPUT_OFFSET`]` + i`, when `i < `
//!   [`INPUT_LENGTH`], and 8 of them when `i < ` [`INPUT_LOADABLE_U64`]: that range was checked when
//!   it was set, and the memory never shrinks.

/// Bytes in a page of WebAssembly memory.
pub const PAGE_SIZE: u32 = 1 << PAGE_SHIFT;
/// `address >> PAGE_SHIFT` is the page's number.
pub const PAGE_SHIFT: u32 = 16;
/// Pages in a 4 GiB memory, and entries in the page table.
pub const MAX_PAGES: u32 = 65_536;
/// Alignment of every block.
pub const ALIGN: u32 = 16;

/// The linker's `-zstack-size`; below this, Rust's shadow stack.
pub const STACK_SIZE: u32 = 0x400;

/// `u64`: counts the resets. A page whose entry has `generation + 1` was assigned since the last
/// one.
pub const GENERATION: u32 = STACK_SIZE;
/// `u32`: heap pages below the frontier.
pub const FRONTIER: u32 = STACK_SIZE + 0x08;
/// `u64`: handle of the input.
pub const INPUT_OFFSET: u32 = STACK_SIZE + 0x10;
/// `u64`: length of the input.
pub const INPUT_LENGTH: u32 = STACK_SIZE + 0x18;
/// `u64`: where the output starts.
pub const OUTPUT_OFFSET: u32 = STACK_SIZE + 0x20;
/// `u64`: length of the output.
pub const OUTPUT_LENGTH: u32 = STACK_SIZE + 0x28;
/// `u64`: handle of the error message, 0 for none.
pub const ERROR: u32 = STACK_SIZE + 0x30;
/// `u64`: a bit for each size class whose list is not empty.
pub const SLAB_LISTS_USED: u32 = STACK_SIZE + 0x38;
/// `u64`: a bit for each bin whose list is not empty.
pub const RUN_LISTS_USED: u32 = STACK_SIZE + 0x40;
/// `u64`: at how many addresses, from the heap's start on, 8 bytes can be loaded. Never too high.
pub const LOADABLE: u32 = STACK_SIZE + 0x48;
/// `u64`: at how many indices of the input 8 bytes can be loaded.
pub const INPUT_LOADABLE_U64: u32 = STACK_SIZE + 0x50;
/// `u64`: length of the error message, as its block was when it was set; 0 for what was no block.
pub const ERROR_LENGTH: u32 = STACK_SIZE + 0x58;
/// The end of the control block.
pub const CONTROL_END: u32 = STACK_SIZE + 0x60;
/// `u32`: the most heap pages that were ever below the frontier, until the host sets it back. Not
/// cleared by a reset.
pub const PEAK: u32 = CONTROL_END;

/// `u16` each: the first page of each list of slabs with a free block, one list per size class.
pub const SLAB_LISTS: u32 = 0x480;
/// `u16` each: the first page of each list of free runs, one list per bin.
pub const RUN_LISTS: u32 = 0x500;

/// Of an address with its low 16 bits inverted: how many bytes follow it in its page, and whatever no
/// address has.
pub const LEFT_IN_PAGE: u64 = 0xFFFF_FFFF_0000_FFFF;

/// The page table.
pub const PAGE_TABLE: u32 = 0x800;
/// Bytes in an entry of the page table.
pub const ENTRY_SIZE: u32 = 32;

/// The first page of the heap.
pub const HEAP_PAGE: u32 = (PAGE_TABLE + MAX_PAGES * ENTRY_SIZE).div_ceil(PAGE_SIZE);
/// The first address of the heap.
pub const HEAP_START: u32 = HEAP_PAGE << PAGE_SHIFT;
/// Pages that the memory has from the start: what is above, and 15 pages of heap, so that small
/// calls need not grow it.
pub const MIN_PAGES: u32 = 48;

/// Fields of a page table entry.
pub mod entry {
    /// `u32`: the bytes at the *end* of the page that stores may write. 0 means "not known, ask the
    /// kernel".
    pub const STORABLE: u32 = 0;
    /// `u8`: what the page is, one of the constants of [`super::kind`].
    pub const KIND: u32 = 4;
    /// `u8`: size class of a slab.
    pub const CLASS: u32 = 5;
    /// `u64`: the generation in which the page was assigned, plus 1.
    pub const GENERATION: u32 = 8;
    /// `u16`: the next page in the list that this page is in, or 0.
    pub const NEXT: u32 = 16;
    /// `u16`: the previous page in the list that this page is in, or 0.
    pub const PREV: u32 = 18;
    /// `u32`: [`STORABLE`] less 7, or 0.
    pub const STORABLE_U64: u32 = 20;
    /// `u16` four times: of a slab, how many blocks are active; the first freed block, counted from
    /// 1, or 0; how many blocks were ever handed out (the header entries of the others are
    /// undefined); how many there is room for.
    pub const BLOCKS: u32 = 24;
    /// `u32`: length in bytes of a large block, in the entry of its first page.
    pub const LENGTH: u32 = 24;
    /// `u32`: pages in a free run, in the entries of its first and last page.
    pub const PAGES: u32 = 24;
}

/// The bit of a slab's block entry that tells an active block; the other bits are then its length.
pub const ACTIVE: u16 = 0x8000;

/// What a page is. The first and the last page of a run are up to date; those between may have a
/// stale `FREE` or `LARGE_END`.
pub mod kind {
    /// Part of a free run, or handed back to the frontier.
    pub const FREE: u8 = 0;
    /// A slab of small blocks.
    pub const SLAB: u8 = 1;
    /// The first page of a large block.
    pub const LARGE: u8 = 2;
    /// The last page, when it is not also the first, of a large block.
    pub const LARGE_END: u8 = 3;
}

const _: () = {
    assert!(PEAK + 4 <= SLAB_LISTS);
    assert!(SLAB_LISTS + 2 * crate::size_class::CLASSES <= RUN_LISTS);
    assert!(RUN_LISTS + 2 * crate::size_class::BINS <= PAGE_TABLE);
    assert!(HEAP_PAGE < MIN_PAGES);
};
