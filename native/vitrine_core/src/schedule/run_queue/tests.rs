use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use super::*;

/// A process: its permit, and how often it was invited.
struct Caller {
    permit: Permit,
    told: Arc<AtomicUsize>,
    limit: usize,
    /// Whether it can be told.
    there: Arc<AtomicBool>,
}

impl Caller {
    fn ask(&mut self) -> bool {
        let (told, there) = (Arc::clone(&self.told), Arc::clone(&self.there));
        self.permit.ask(self.limit, || {
            Box::new(move || {
                let can = there.load(SeqCst);
                told.fetch_add(usize::from(can), SeqCst);
                can
            })
        })
    }

    fn told(&self) -> usize {
        self.told.load(SeqCst)
    }

    /// Runs a slice of a process that was invited.
    fn slice(&mut self) {
        assert!(self.ask());
        self.permit.begin();
        self.permit.leave();
    }
}

fn queue(limit: usize) -> &'static RunQueue {
    Box::leak(Box::new(RunQueue::new(limit)))
}

fn callers(queue: &'static RunQueue, count: usize) -> Vec<Caller> {
    let limit = queue.counts().limit;
    let caller = || Caller {
        permit: Permit::of(queue),
        told: Arc::default(),
        limit,
        there: Arc::new(AtomicBool::new(true)),
    };
    (0..count).map(|_| caller()).collect()
}

/// `[taken, invited, waiting]`
fn counts(queue: &RunQueue) -> [usize; 3] {
    let counts = queue.counts();
    [counts.taken, counts.invited, counts.waiting]
}

fn later(span: Duration) -> u64 {
    clock::now() + span.as_nanos() as u64 + 1
}

#[test]
fn callers_beyond_the_number_of_permits_wait() {
    let queue = queue(2);
    let mut callers = callers(queue, 5);
    let given: Vec<_> = callers.iter_mut().map(Caller::ask).collect();
    assert_eq!(given, [true, true, false, false, false]);
    assert_eq!(counts(queue), [2, 0, 3]);
    // A caller that asks again still has its permit, and one that waits keeps its place.
    assert!(callers[0].ask());
    assert!(!callers[2].ask());
    assert_eq!(counts(queue), [2, 0, 3]);
    drop(callers);
    assert_eq!(counts(queue), [0, 0, 0]);
}

#[test]
fn callers_take_turns_in_order_of_arrival() {
    let queue = queue(1);
    let mut callers = callers(queue, 4);
    assert!(callers[0].ask());
    (1..4).for_each(|n| assert!(!callers[n].ask()));
    callers[0].permit.begin();
    for _round in 1..10 {
        for n in 0..4 {
            // Its slice is over and it wants another one, which comes after those of all others.
            callers[n].permit.leave();
            assert!(!callers[n].ask(), "a caller overtook one that was invited");
            let next = (n + 1) % 4;
            assert_eq!(counts(queue), [0, 1, 3]);
            assert!(callers[next].ask());
            callers[next].permit.begin();
        }
    }
    let told: Vec<_> = callers.iter().map(Caller::told).collect();
    assert_eq!(told, [9; 4]);
}

#[test]
fn caller_that_dies_waiting_invited_or_with_a_permit_leaves_it_to_the_next() {
    let queue = queue(1);
    let mut callers = callers(queue, 6);
    let last = callers.pop();
    for caller in &mut callers {
        caller.ask();
    }
    let mut last = last.unwrap();
    assert!(!last.ask());
    // Callers are dropped that wait, are on their way to a scheduler, were invited, and are on a scheduler.
    drop(callers.remove(1));
    drop(callers.remove(0));
    assert_eq!(callers[0].told(), 1);
    drop(callers.remove(0));
    assert!(callers[0].ask());
    callers[0].permit.begin();
    drop(callers);
    assert_eq!(last.told(), 1);
    last.slice();
    assert_eq!(counts(queue), [0, 0, 0]);
}

#[test]
fn invited_caller_that_does_not_come_is_passed_over_and_may_come_late() {
    let queue = queue(1);
    let mut callers = callers(queue, 3);
    assert!(callers[0].ask());
    assert!(!callers[1].ask());
    assert!(!callers[2].ask());
    callers[0].permit.begin();
    callers[0].permit.leave();
    queue.0.lock().reclaim(clock::now());
    assert_eq!([callers[1].told(), callers[2].told()], [1, 0]);
    queue.0.lock().reclaim(later(PATIENCE));
    assert_eq!([callers[1].told(), callers[2].told()], [1, 1]);
    assert!(callers[2].ask());
    // The late caller keeps its place before those that came after it.
    assert!(!callers[1].ask());
    assert!(!callers[0].ask());
    callers[2].slice();
    assert_eq!([callers[0].told(), callers[1].told()], [0, 2]);
    callers[1].slice();
    callers[0].slice();
    assert_eq!(counts(queue), [0, 0, 0]);
}

#[test]
fn first_to_come_gets_the_permit_when_all_invited_callers_are_late() {
    let queue = queue(1);
    let mut callers = callers(queue, 50);
    for caller in &mut callers {
        caller.ask();
    }
    callers[0].permit.leave();
    // The processes are starved: each is invited long before it comes.
    for round in 1..50 {
        queue.0.lock().reclaim(later(PATIENCE * round));
    }
    for caller in &mut callers[1..] {
        caller.slice();
    }
    assert_eq!(counts(queue), [0, 0, 0]);
}

#[test]
fn permit_that_does_not_arrive_at_a_scheduler_is_reclaimed_and_not_counted_twice() {
    let queue = queue(1);
    let mut callers = callers(queue, 2);
    assert!(callers[0].ask());
    assert!(!callers[1].ask());
    queue.0.lock().reclaim(later(PATIENCE));
    assert_eq!(callers[1].told(), 0);
    queue.0.lock().reclaim(later(LOST));
    assert_eq!(callers[1].told(), 1);
    assert!(callers[1].ask());
    callers[1].permit.begin();
    // The permit arrives after it was reclaimed.
    callers[0].permit.begin();
    assert_eq!(counts(queue), [2, 0, 0]);
    callers[0].permit.leave();
    callers[1].permit.leave();
    assert_eq!(counts(queue), [0, 0, 0]);
    // A permit in use is never reclaimed.
    assert!(callers[0].ask());
    callers[0].permit.begin();
    queue.0.lock().reclaim(later(LOST * 100));
    assert_eq!(counts(queue), [1, 0, 0]);
}

#[test]
fn number_of_permits_follows_the_limit_of_the_last_caller() {
    let queue = queue(1);
    let mut callers = callers(queue, 6);
    let given = |callers: &mut [Caller], limit| {
        callers.iter_mut().for_each(|caller| caller.limit = limit);
        callers
            .iter_mut()
            .filter_map(|caller| caller.ask().then_some(()))
            .count()
    };
    assert_eq!(given(&mut callers[..5], 1), 1);
    // There are two more permits at once, for callers that wait.
    assert_eq!(given(&mut callers[5..], 3), 0);
    assert_eq!(counts(queue), [1, 2, 3]);
    assert_eq!(given(&mut callers[1..3], 3), 2);
    // There are two permits fewer: no caller is invited until less than one is taken.
    assert_eq!(given(&mut callers[5..], 1), 0);
    callers[0].permit.leave();
    callers[1].permit.leave();
    assert_eq!(counts(queue), [1, 0, 3]);
    callers[2].permit.leave();
    assert_eq!(counts(queue), [0, 1, 2]);
}

#[test]
fn caller_that_a_thread_could_not_invite_is_invited_or_passed_over_by_the_ticker() {
    let queue = queue(1);
    let mut callers = callers(queue, 4);
    for caller in &mut callers {
        caller.ask();
    }
    callers[1].there.store(false, SeqCst);
    // The process was killed in the middle of its slice, so the thread that works for it cannot send.
    callers[0].permit.leave();
    assert_eq!(counts(queue), [0, 0, 3]);
    callers[1].there.store(true, SeqCst);
    queue.0.lock().reclaim(clock::now());
    assert_eq!(counts(queue), [0, 1, 2]);
    callers[2].there.store(false, SeqCst);
    callers[1].slice();
    queue.0.lock().reclaim(clock::now());
    assert_eq!([callers[2].told(), callers[3].told()], [0, 1]);
    callers[3].slice();
    assert_eq!(counts(queue), [0, 0, 0]);
}
