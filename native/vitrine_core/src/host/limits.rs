//! Limits of memories, tables and instances in one store.

use wasmtime::{ResourceLimiter, Result};

use crate::error::Stop;
use crate::host::stats::MemoryShare;

/// The limits of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory. The memories that an instance begins with must fit. All that these and the kernel's memory grow by
    /// afterwards must fit, too, counted anew.
    pub memory: u64,
    /// Elements of all tables.
    pub table_elements: u64,
    /// Bytes of a call's output.
    pub output: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory: 1 << 30,
            table_elements: 1_000_000,
            output: 1 << 30,
        }
    }
}

/// The most instances for each module, including the kernel's and the additional instances of a command.
const INSTANCES: usize = 16;
/// The most memories and tables for each module.
pub(crate) const MEMORIES: usize = 15;
pub(crate) const TABLES: usize = 64;
/// The host's own memories: the kernel's, a blank one, and the heap of the garbage collector. Its own table is that of the
/// trampolines.
const OWN_MEMORIES: usize = 3;
const OWN_TABLES: usize = 1;

/// The phase that a store is in, which decides how its memories and tables are counted.
#[derive(PartialEq, Eq)]
enum Phase {
    /// The host makes its own memories, such as the kernel's first pages, which do not count as the plugin's.
    Host,
    Instantiation,
    Running,
}

/// Counts what a store uses against its [`Limits`].
pub(crate) struct Limiter {
    limits: Limits,
    phase: Phase,
    memory_left: u64,
    elements_left: u64,
    modules: usize,
    /// The store's share in the memory that the plugin's statistics show.
    share: MemoryShare,
}

impl Limiter {
    pub(crate) fn new(limits: Limits, modules: usize, share: MemoryShare) -> Self {
        Limiter {
            limits,
            modules,
            phase: Phase::Host,
            memory_left: limits.memory,
            elements_left: limits.table_elements,
            share,
        }
    }

    /// From now on the plugin's own memories are counted.
    pub(crate) fn begin(&mut self) {
        self.phase = Phase::Instantiation;
    }

    /// Ends instantiation: from now on growth is counted, with the full budget.
    pub(crate) fn refill(&mut self) {
        self.memory_left = self.limits.memory;
        self.phase = Phase::Running;
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, now: usize, wanted: usize, max: Option<usize>) -> Result<bool> {
        if max.is_some_and(|max| wanted > max) {
            return Ok(false);
        }
        let more = wanted.saturating_sub(now) as u64;
        if self.phase == Phase::Host {
            self.share.grow(more);
            return Ok(true);
        }
        if more > self.memory_left {
            let limit = self.limits.memory;
            return Err(Stop::OutOfMemory(format!(
                "the plugin asks for {more} bytes more, and {} bytes are left; the limit is {limit} bytes (memory: \
                 %{{max_pages: {}}})",
                self.memory_left,
                limit >> 16
            ))
            .into());
        }
        self.memory_left -= more;
        self.share.grow(more);
        Ok(true)
    }

    fn table_growing(&mut self, now: usize, wanted: usize, max: Option<usize>) -> Result<bool> {
        let more = wanted.saturating_sub(now) as u64;
        if self.phase == Phase::Host {
            return Ok(true);
        }
        if more > self.elements_left && self.phase == Phase::Instantiation {
            let limit = self.limits.table_elements;
            return Err(Stop::OutOfMemory(format!(
                "the plugin's tables ask for {more} elements more, and {} are left; the limit is {limit} elements \
                 (limits: [table_elements: {limit}])",
                self.elements_left
            ))
            .into());
        }
        if max.is_some_and(|max| wanted > max) || more > self.elements_left {
            return Ok(false);
        }
        self.elements_left -= more;
        Ok(true)
    }

    fn instances(&self) -> usize {
        INSTANCES * self.modules
    }

    fn memories(&self) -> usize {
        MEMORIES * self.modules + OWN_MEMORIES
    }

    fn tables(&self) -> usize {
        TABLES * self.modules + OWN_TABLES
    }
}
