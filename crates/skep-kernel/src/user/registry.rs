//! Ids: every object of a kind has one, from which it can be found as long as anything holds it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The largest id (Linux hands out ids below `INT_MAX`).
const MAX_ID: u32 = i32::MAX as u32 - 1;

/// The live objects of one kind by id. Ids rise; after the largest they begin at 1 again and pass over those in use.
pub(crate) struct Registry<T> {
    ids: Mutex<Ids<T>>,
}

struct Ids<T> {
    last: u32,
    live: BTreeMap<u32, Weak<T>>,
}

/// An object's place in its registry, which it keeps as a field: when the object goes, so does its id.
pub(crate) struct Id<T> {
    number: u32,
    registry: Arc<Registry<T>>,
}

impl<T> Default for Registry<T> {
    fn default() -> Self {
        Registry { ids: Mutex::new(Ids { last: 0, live: BTreeMap::new() }) }
    }
}

impl<T> Registry<T> {
    fn lock(&self) -> MutexGuard<'_, Ids<T>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes an object with a new id, which it can be found by once it is made. None when all ids are in use.
    pub(crate) fn create(self: &Arc<Self>, make: impl FnOnce(Id<T>) -> T) -> Option<Arc<T>> {
        let number = self.lock().reserve()?;
        let object = Arc::new(make(Id { number, registry: Arc::clone(self) }));
        self.lock().live.insert(number, Arc::downgrade(&object));
        Some(object)
    }

    /// The object with this id.
    pub(crate) fn get(&self, number: u32) -> Option<Arc<T>> {
        self.lock().live.get(&number)?.upgrade()
    }

    /// The smallest id above `after` that an object has.
    pub(crate) fn next(&self, after: u32) -> Option<u32> {
        let first = after.checked_add(1)?;
        let ids = self.lock();
        ids.live.range(first..).find(|(_, object)| object.strong_count() > 0).map(|(number, _)| *number)
    }

    /// Objects that live.
    pub(crate) fn count(&self) -> usize {
        self.lock().live.values().filter(|object| object.strong_count() > 0).count()
    }
}

impl<T> Ids<T> {
    fn reserve(&mut self) -> Option<u32> {
        let after = (self.last + 1..=MAX_ID).chain(1..=self.last);
        let number = after.into_iter().find(|number| !self.live.contains_key(number))?;
        self.last = number;
        self.live.insert(number, Weak::new());
        Some(number)
    }
}

impl<T> Id<T> {
    pub(crate) fn number(&self) -> u32 {
        self.number
    }
}

impl<T> Drop for Id<T> {
    fn drop(&mut self) {
        self.registry.lock().live.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Thing {
        id: Id<Thing>,
    }

    #[test]
    fn ids_rise_and_live_ones_are_not_reused() {
        let things = Arc::new(Registry::<Thing>::default());
        let first = things.create(|id| Thing { id }).unwrap();
        let second = things.create(|id| Thing { id }).unwrap();
        assert_eq!((first.id.number(), second.id.number()), (1, 2));
        drop(second);
        assert_eq!(
            things.create(|id| Thing { id }).unwrap().id.number(),
            3,
            "an id that was given back is not next"
        );
        things.lock().last = MAX_ID - 1;
        let last = things.create(|id| Thing { id }).unwrap();
        let wrapped = things.create(|id| Thing { id }).unwrap();
        assert_eq!(last.id.number(), MAX_ID);
        assert_eq!(wrapped.id.number(), 2, "1 is in use");
        assert_eq!(things.next(0), Some(1));
        assert_eq!(things.next(1), Some(2));
        assert_eq!(things.next(2), Some(MAX_ID));
        assert_eq!(things.next(MAX_ID), None);
        assert_eq!(things.count(), 3);
    }
}
