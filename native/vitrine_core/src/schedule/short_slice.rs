//! Asks Linux to run this thread soon after it wakes.
//!
//! The thread that interrupts guests runs for microseconds, twice in a millisecond. Guests keep processors busy, and a
//! thread that wakes waits until the time slice of one that runs is over: up to a tick of the operating system, four
//! milliseconds, in which no guest is interrupted. Linux lets a thread with a shorter time slice preempt one with a
//! longer one. A thread may shorten its own without any privilege.

/// The time slice of this thread, in nanoseconds: the shortest that Linux knows.
#[cfg(target_os = "linux")]
const SLICE: u64 = 100_000;

/// Shortens the time slice of this thread. Linux before version 6.12, and other systems, leave it as it is.
#[cfg(target_os = "linux")]
pub(super) fn shorten() {
    /// The first version of the kernel's `struct sched_attr`.
    #[repr(C)]
    #[derive(Default)]
    struct Attributes {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        runtime: u64,
        deadline: u64,
        period: u64,
    }
    const THIS_THREAD: libc::pid_t = 0;
    const SIZE: u32 = size_of::<Attributes>() as u32;
    let mut attributes = Attributes::default();
    let attributes: *mut Attributes = &mut attributes;
    // SAFETY: the kernel writes `SIZE` bytes at most to the attributes, and reads as many as their `size` says, which is
    // what it wrote. They are plain numbers, and they are not referred to otherwise meanwhile.
    #[allow(unsafe_code)]
    unsafe {
        if libc::syscall(libc::SYS_sched_getattr, THIS_THREAD, attributes, SIZE, 0) == 0 {
            (*attributes).size = SIZE;
            (*attributes).runtime = SLICE;
            libc::syscall(libc::SYS_sched_setattr, THIS_THREAD, attributes, 0);
        }
    }
}

/// Other systems have no such slice.
#[cfg(not(target_os = "linux"))]
pub(super) fn shorten() {}
