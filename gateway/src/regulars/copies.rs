//! What one thread has copied of what is remembered. Bounded: each address has one place, which it leaves to another when
//! it is asked for no more.

use std::{cell::RefCell, hash::BuildHasher, sync::Arc};

use quick_cache::{DefaultHashBuilder, Equivalent};

use super::{Address, Asked, Regular};

const PLACES: u64 = 128;

thread_local! {
    static COPIES: RefCell<Copies> = RefCell::default();
}

#[derive(Default)]
struct Copies {
    hasher: DefaultHashBuilder,
    places: Vec<Option<Own>>,
}

struct Own {
    /// Whose memory it was copied from: there may be several gateways in a process.
    of: u64,
    address: Address,
    regular: Arc<Regular>,
}

/// This thread's copy, or what `find` gives, which is copied unless something fresh has its place.
pub(super) fn find(
    asked: (u64, Asked<'_>),
    is_fresh: impl Fn(&Regular) -> bool,
    find: impl Fn() -> Option<Arc<Regular>>,
) -> Option<Arc<Regular>> {
    COPIES.with_borrow_mut(|copies| copies.find(asked, is_fresh, find))
}

impl Copies {
    fn find(
        &mut self,
        (of, asked): (u64, Asked<'_>),
        is_fresh: impl Fn(&Regular) -> bool,
        find: impl Fn() -> Option<Arc<Regular>>,
    ) -> Option<Arc<Regular>> {
        let index = usize::try_from(self.hasher.hash_one(asked) % PLACES).expect("there are few");
        if self.places.len() <= index {
            self.places.resize_with(index + 1, || None);
        }
        let place = &mut self.places[index];
        match place.as_ref().filter(|own| is_fresh(&own.regular)) {
            Some(own) if own.of == of && asked.equivalent(&own.address) => Some(Arc::clone(&own.regular)),
            Some(_) => find(),
            None => {
                let regular = Arc::new(find()?.copy());
                *place = Some(Own { of, address: asked.to_address(), regular: Arc::clone(&regular) });
                Some(regular)
            }
        }
    }
}
