//! The ring buffer as its producers and its consumer see it.

use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use skep_catalog::MapType;
use skep_maps::{MapSpec, RingBuffer, RingQuery, WakeFlags, create};

fn ring(size: u32) -> Arc<RingBuffer> {
    let spec = MapSpec {
        map_type: MapType::Ringbuf,
        key_size: 0,
        value_size: 0,
        max_entries: size,
        ..MapSpec::default()
    };
    Arc::clone(create(&spec).unwrap().ring().unwrap())
}

fn consume(consumer: &mut skep_maps::RingConsumer) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    let count = consumer.consume(&mut |record| records.push(record.to_vec())).unwrap();
    assert_eq!(count, records.len());
    records
}

/// Records and where they stand.
#[derive(Clone, Debug)]
enum Op {
    Reserve(u16),
    /// The oldest, or a younger one, of those reserved.
    Submit(usize),
    Discard(usize),
    Output(u16),
    Consume,
}

fn op() -> impl Strategy<Value = Op> {
    let len = || prop_oneof![4 => 0..100u16, 1 => 0..5000u16];
    prop_oneof![
        2 => len().prop_map(Op::Reserve),
        2 => (0..4usize).prop_map(Op::Submit),
        1 => (0..4usize).prop_map(Op::Discard),
        2 => len().prop_map(Op::Output),
        1 => Just(Op::Consume),
    ]
}

#[derive(PartialEq)]
enum State {
    Busy(NonNull<u8>),
    Done,
    Discarded,
}

proptest! {
    /// Positions, room, order and contents against a queue.
    #[test]
    fn behaves_as_a_queue(ops in proptest::collection::vec(op(), 0..200)) {
        const SIZE: u64 = 4096;
        let ring = ring(SIZE as u32);
        let mut consumer = ring.consumer().unwrap();
        let mut queue: VecDeque<(State, Vec<u8>)> = VecDeque::new();
        let (mut produced, mut consumed, mut serial) = (0u64, 0u64, 0u8);
        let room = |len: usize| (len as u64 + 8).next_multiple_of(8);
        for op in ops {
            match op {
                Op::Reserve(len) | Op::Output(len) => {
                    serial = serial.wrapping_add(1);
                    let bytes = vec![serial; usize::from(len)];
                    let fits = produced + room(bytes.len()) - consumed < SIZE;
                    let state = if matches!(op, Op::Output(_)) {
                        prop_assert_eq!(ring.output(&bytes, 0), fits);
                        State::Done
                    } else {
                        let record = ring.reserve(u64::from(len));
                        prop_assert_eq!(record.is_some(), fits);
                        let Some(record) = record else { continue };
                        prop_assert!((record.as_ptr() as usize).is_multiple_of(8));
                        // SAFETY: the record is this test's until it is submitted.
                        unsafe { record.as_ptr().copy_from(bytes.as_ptr(), bytes.len()) };
                        State::Busy(record)
                    };
                    if fits {
                        produced += room(bytes.len());
                        queue.push_back((state, bytes));
                    }
                }
                Op::Submit(which) | Op::Discard(which) => {
                    let mut busy = queue.iter_mut().filter(|(state, _)| matches!(state, State::Busy(_)));
                    let Some((state, _)) = busy.nth(which) else { continue };
                    let State::Busy(record) = *state else { unreachable!() };
                    *state = if matches!(op, Op::Submit(_)) {
                        // SAFETY: reserved, and not given back yet.
                        unsafe { ring.submit(record, 0) };
                        State::Done
                    } else {
                        // SAFETY: as above.
                        unsafe { ring.discard(record, 0) };
                        State::Discarded
                    };
                }
                Op::Consume => {
                    let mut expected = Vec::new();
                    while queue.front().is_some_and(|(state, _)| !matches!(state, State::Busy(_))) {
                        let (state, bytes) = queue.pop_front().unwrap();
                        consumed += room(bytes.len());
                        if state == State::Done {
                            expected.push(bytes);
                        }
                    }
                    prop_assert_eq!(consume(&mut consumer), expected);
                }
            }
            prop_assert_eq!(ring.query(RingQuery::ProdPos), produced);
            prop_assert_eq!(ring.query(RingQuery::ConsPos), consumed);
            prop_assert_eq!(ring.query(RingQuery::AvailData), produced - consumed);
            prop_assert_eq!(ring.query(RingQuery::RingSize), SIZE);
        }
    }
}

/// Sizes that Linux refuses: no room beyond one byte fewer than the buffer, no overflow.
#[test]
fn lengths_of_records() {
    for (len, fits) in [
        (0, true),
        (4080, true),
        (4081, false),
        (4088, false),
        (4089, false),
        (u64::from(u32::MAX), false),
        (u64::MAX, false),
    ] {
        assert_eq!(ring(4096).reserve(len).is_some(), fits, "{len}");
    }
}

#[test]
fn one_consumer_at_a_time() {
    let ring = ring(4096);
    let first = ring.consumer().unwrap();
    assert!(ring.consumer().is_none());
    drop(first);
    assert!(ring.consumer().is_some());
}

/// Who is woken: a consumer that has caught up, unless told otherwise.
#[test]
fn wakeups() {
    let ring = ring(4096);
    let woken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&woken);
    assert!(ring.on_wake(move || {
        count.fetch_add(1, Ordering::Relaxed);
    }));
    assert!(!ring.on_wake(|| ()), "it can be set once");
    let wakes = |flags: u64| {
        let before = woken.load(Ordering::Relaxed);
        assert!(ring.output(b"x", flags));
        woken.load(Ordering::Relaxed) - before
    };
    assert_eq!(wakes(0), 1, "the consumer has read all before");
    assert_eq!(wakes(0), 0, "it has not read the first yet");
    assert_eq!(wakes(WakeFlags::FORCE_WAKEUP), 1);
    consume(&mut ring.consumer().unwrap());
    assert_eq!(wakes(WakeFlags::NO_WAKEUP), 0);
    assert_eq!(wakes(WakeFlags::NO_WAKEUP | WakeFlags::FORCE_WAKEUP), 1);
}

#[test]
fn waiting() {
    let ring = ring(4096);
    let mut consumer = ring.consumer().unwrap();
    assert!(!consumer.wait(Duration::ZERO));
    let record = ring.reserve(4).unwrap();
    assert!(!consumer.wait(Duration::ZERO), "a reserved record is not there yet");
    // SAFETY: just reserved.
    unsafe { ring.submit(record, WakeFlags::NO_WAKEUP) };
    assert!(consumer.wait(Duration::ZERO));
}

/// Many producers, one consumer, a buffer that is full most of the time: nothing is lost, each producer's records come in
/// its order, no record is torn.
#[test]
fn many_producers() {
    const PRODUCERS: u64 = 4;
    const RECORDS: u64 = 5_000;
    let ring = ring(4096);
    let mut consumer = ring.consumer().unwrap();
    std::thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let ring = &ring;
            scope.spawn(move || {
                for number in 0..RECORDS {
                    // Lengths vary so that records wrap at all places; every word tells the record.
                    let words = 1 + (number * 7 + producer) % 20;
                    let record: Vec<u8> =
                        (0..words).flat_map(|_| (producer << 32 | number).to_ne_bytes()).collect();
                    if number.is_multiple_of(3) {
                        while !ring.output(&record, 0) {
                            std::thread::yield_now();
                        }
                        continue;
                    }
                    let place = loop {
                        match ring.reserve(record.len() as u64) {
                            Some(place) => break place,
                            None => std::thread::yield_now(),
                        }
                    };
                    // SAFETY: this thread's own until it is submitted.
                    unsafe { place.as_ptr().copy_from(record.as_ptr(), record.len()) };
                    if number.is_multiple_of(5) {
                        // SAFETY: reserved above.
                        unsafe { ring.discard(place, 0) };
                    } else {
                        // SAFETY: reserved above.
                        unsafe { ring.submit(place, 0) };
                    }
                }
            });
        }
        let kept = |number: u64| number.is_multiple_of(3) || !number.is_multiple_of(5);
        let mut expected: Vec<_> =
            (0..PRODUCERS).map(|_| (0..RECORDS).filter(|number| kept(*number)).peekable()).collect();
        let mut missing = expected.iter().map(|numbers| numbers.clone().count()).sum::<usize>();
        while missing > 0 {
            // A wakeup that was lost shows as a time that ran out.
            assert!(consumer.wait(Duration::from_secs(60)), "{missing} records are missing");
            missing -= consumer
                .consume(&mut |record| {
                    let (words, rest) = record.as_chunks::<8>();
                    let word = u64::from_ne_bytes(words[0]);
                    assert!(
                        rest.is_empty() && words.iter().all(|other| u64::from_ne_bytes(*other) == word),
                        "torn"
                    );
                    assert_eq!(expected[(word >> 32) as usize].next(), Some(word & 0xffff_ffff), "order");
                })
                .unwrap();
        }
    });
    let after = consume(&mut consumer);
    assert!(after.is_empty(), "more than was sent");
    // Discarded records at the end are consumed, too.
    assert_eq!(ring.query(RingQuery::AvailData), 0);
}
