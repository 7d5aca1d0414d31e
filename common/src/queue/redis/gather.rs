//! Calls that come while one of their kind is under way go together in the next. A script that does many at once costs Redis little
//! more than one that does one; with nothing under way nobody waits for company, so an idle queue answers as fast as ever.
//!
//! A call is a task of its own: who asks may stop waiting at any time without harm to those that go with it.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::queue::QueueError;

/// What does for many what it does for one.
pub(super) trait Batch: Send + Sync + 'static {
    type Ask: Send + Sync + 'static;
    type Answer: Send + 'static;

    /// At most so many at once: a script stops the whole server while it runs, which is to be well under a millisecond.
    const MOST: usize;

    /// How many it counts as.
    fn weight(_ask: &Self::Ask) -> usize {
        1
    }

    /// An answer for each, in their order. None of them may fail because of another.
    fn run(&self, asks: &[Self::Ask]) -> impl Future<Output = Result<Vec<Self::Answer>, QueueError>> + Send;
}

pub(super) struct Gather<B: Batch> {
    shared: Arc<Shared<B>>,
}

struct Shared<B: Batch> {
    batch: B,
    waiting: Mutex<Waiting<B>>,
}

struct Waiting<B: Batch> {
    asks: VecDeque<(B::Ask, Teller<B>)>,
    under_way: bool,
}

type Teller<B> = oneshot::Sender<Result<<B as Batch>::Answer, QueueError>>;

impl<B: Batch> Gather<B> {
    pub(super) fn new(batch: B) -> Self {
        let waiting = Mutex::new(Waiting { asks: VecDeque::new(), under_way: false });
        Self { shared: Arc::new(Shared { batch, waiting }) }
    }

    pub(super) async fn ask(&self, ask: B::Ask) -> Result<B::Answer, QueueError> {
        let (tell, answer) = oneshot::channel();
        if self.shared.join(ask, tell) {
            tokio::spawn(Flight { shared: self.shared.clone(), ended: false }.go());
        }
        // Gone with a runtime that ends.
        answer.await.unwrap_or_else(|_| Err(QueueError::away("the call was given up")))
    }
}

impl<B: Batch> Shared<B> {
    fn lock(&self) -> MutexGuard<'_, Waiting<B>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody has to set out.
    fn join(&self, ask: B::Ask, tell: Teller<B>) -> bool {
        let mut waiting = self.lock();
        waiting.asks.push_back((ask, tell));
        !mem::replace(&mut waiting.under_way, true)
    }

    /// Those who go together next, at least one however much it weighs; none: there is nothing under way any more.
    fn next(&self) -> (Vec<B::Ask>, Vec<Teller<B>>) {
        let mut waiting = self.lock();
        let mut weight = 0;
        let mut next = (Vec::new(), Vec::new());
        while let Some((ask, tell)) = waiting.asks.pop_front() {
            if tell.is_closed() {
                continue;
            }
            weight += B::weight(&ask);
            if weight > B::MOST && !next.0.is_empty() {
                waiting.asks.push_front((ask, tell));
                break;
            }
            next.0.push(ask);
            next.1.push(tell);
        }
        waiting.under_way = !next.0.is_empty();
        next
    }
}

/// What is under way. Dropped before its end it leaves nobody waiting.
struct Flight<B: Batch> {
    shared: Arc<Shared<B>>,
    ended: bool,
}

impl<B: Batch> Flight<B> {
    async fn go(mut self) {
        while !self.ended {
            let (asks, tellers) = self.shared.next();
            if asks.is_empty() {
                // From here on another one may be under way.
                self.ended = true;
            } else {
                tell(self.shared.batch.run(&asks).await, tellers);
            }
        }
    }
}

impl<B: Batch> Drop for Flight<B> {
    fn drop(&mut self) {
        if !self.ended {
            let mut waiting = self.shared.lock();
            waiting.asks.clear();
            waiting.under_way = false;
        }
    }
}

/// Who has stopped waiting hears nothing.
fn tell<A>(answers: Result<Vec<A>, QueueError>, tellers: Vec<oneshot::Sender<Result<A, QueueError>>>) {
    match answers {
        Ok(answers) => tellers.into_iter().zip(answers).for_each(|(tell, answer)| drop(tell.send(Ok(answer)))),
        Err(error) => tellers.into_iter().for_each(|tell| drop(tell.send(Err(error.clone())))),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use tokio::{sync::Semaphore, task::yield_now};

    use super::*;

    /// Answers each number with its square, when it may; 0 is an error, and 13 the end of all.
    #[derive(Clone)]
    struct Squares {
        may: Arc<Semaphore>,
        sizes: Arc<Mutex<Vec<usize>>>,
    }

    impl Batch for Squares {
        type Ask = usize;
        type Answer = usize;

        const MOST: usize = 100;

        fn weight(ask: &usize) -> usize {
            *ask
        }

        async fn run(&self, asks: &[usize]) -> Result<Vec<usize>, QueueError> {
            self.sizes.lock().unwrap().push(asks.len());
            self.may.acquire().await.unwrap().forget();
            assert!(!asks.contains(&13));
            if asks.contains(&0) {
                return Err(QueueError::away("nought"));
            }
            Ok(asks.iter().map(|ask| ask * ask).collect())
        }
    }

    fn squares() -> (Squares, Arc<Gather<Squares>>) {
        let squares = Squares { may: Arc::new(Semaphore::new(0)), sizes: Arc::default() };
        (squares.clone(), Arc::new(Gather::new(squares)))
    }

    /// The first is under way, the others wait.
    async fn begin(
        gather: &Arc<Gather<Squares>>,
        asks: &[usize],
    ) -> Vec<tokio::task::JoinHandle<Result<usize, QueueError>>> {
        let mut begun = Vec::new();
        for ask in asks.iter().copied() {
            let gather = gather.clone();
            begun.push(tokio::spawn(async move { gather.ask(ask).await }));
            yield_now().await;
            yield_now().await;
        }
        begun
    }

    #[tokio::test]
    async fn what_comes_meanwhile_goes_together_in_the_next() {
        let (squares, gather) = squares();
        let begun = begin(&gather, &[1, 2, 3, 4]).await;
        squares.may.add_permits(9);
        let answers: Vec<_> = join_all(begun).await.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
        assert_eq!(answers, [1, 4, 9, 16]);
        assert_eq!(*squares.sizes.lock().unwrap(), [1, 3]);
        assert_eq!(gather.ask(5).await.unwrap(), 25, "nothing is under way any more");
    }

    #[tokio::test]
    async fn one_call_is_bounded_and_order_is_kept() {
        let (squares, gather) = squares();
        let begun = begin(&gather, &[1, 95, 5, 1, 107, 2]).await;
        squares.may.add_permits(9);
        for answer in begun {
            answer.await.unwrap().unwrap();
        }
        assert_eq!(*squares.sizes.lock().unwrap(), [1, 2, 1, 1, 1], "and what is too much by itself goes alone");
    }

    #[tokio::test]
    async fn who_stops_waiting_holds_nobody_up_and_is_not_asked_for() {
        let (squares, gather) = squares();
        let begun = begin(&gather, &[1, 2, 3]).await;
        begun[0].abort();
        begun[1].abort();
        yield_now().await;
        squares.may.add_permits(9);
        assert_eq!(begun.into_iter().next_back().unwrap().await.unwrap().unwrap(), 9);
        assert_eq!(*squares.sizes.lock().unwrap(), [1, 1]);
    }

    #[tokio::test]
    async fn a_failure_is_told_to_each_and_the_next_call_is_made() {
        let (squares, gather) = squares();
        let begun = begin(&gather, &[1, 2, 0]).await;
        squares.may.add_permits(9);
        let answers: Vec<_> = join_all(begun).await.into_iter().map(|answer| answer.unwrap().ok()).collect();
        assert_eq!(answers, [Some(1), None, None]);
        assert_eq!(gather.ask(2).await.unwrap(), 4);
    }

    #[tokio::test]
    async fn a_call_that_dies_leaves_nobody_waiting() {
        let (squares, gather) = squares();
        let begun = begin(&gather, &[13, 2, 3]).await;
        squares.may.add_permits(9);
        for answer in begun {
            assert!(matches!(answer.await.unwrap(), Err(QueueError::Away(_))));
        }
        assert_eq!(gather.ask(2).await.unwrap(), 4);
    }
}
