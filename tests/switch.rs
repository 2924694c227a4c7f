//! Values and control: where a switch goes and what it brings.

use std::cell::RefCell;
use std::rc::Rc;

use greenlet::{Greenlet, State, SwitchError};

#[test]
fn control_alternates_between_two_greenlets() {
    let order = Rc::new(RefCell::new(Vec::new()));
    let main = Greenlet::<()>::current();
    let child = {
        let order = order.clone();
        Greenlet::new(move |()| {
            order.borrow_mut().push(1);
            main.switch(());
            order.borrow_mut().push(3);
        })
    };
    order.borrow_mut().push(0);
    child.switch(());
    order.borrow_mut().push(2);
    child.switch(());
    order.borrow_mut().push(4);
    assert_eq!(*order.borrow(), [0, 1, 2, 3, 4]);
    assert_eq!(child.state(), State::Dead);
}

#[test]
fn values_larger_than_a_word_arrive_whole() {
    let main = Greenlet::<[u64; 8]>::current();
    let child = Greenlet::new(move |mut values: [u64; 8]| {
        for _ in 0..10 {
            values = main.switch(values.map(|value| value + 1));
        }
        values
    });
    let mut values = [0, 1, 2, 3, 4, 5, 6, 7];
    for _ in 0..10 {
        values = child.switch(values);
    }
    assert_eq!(child.switch(values), [10, 11, 12, 13, 14, 15, 16, 17]);
}

#[test]
fn owned_values_are_moved_not_copied() {
    let main = Greenlet::<String>::current();
    let child = Greenlet::new(move |text: String| main.switch(text + " there") + "!");
    assert_eq!(child.switch("hello".into()), "hello there");
    assert_eq!(child.switch("bye".into()), "bye!");
}

#[test]
fn switching_to_oneself_returns_the_value_at_once() {
    let me = Greenlet::<u32>::current();
    assert_eq!(me.switch(7), 7);
}

#[test]
fn a_result_goes_to_the_parent_and_not_to_the_one_who_switched() {
    let g = Greenlet::new(|n: u32| n + 1);
    let b = {
        let g = g.clone();
        Greenlet::new(move |n: u32| g.switch(n))
    };
    assert_eq!(b.switch(1), 2, "the parent is main, which is waiting in b.switch");
    assert!(g.is_dead());
    assert_eq!(b.state(), State::Suspended);
}

#[test]
fn switching_to_a_dead_greenlet_reaches_its_nearest_living_ancestor() {
    let g = Greenlet::new(|n: u32| n);
    g.switch(1);
    assert_eq!(g.switch(25), 25);
}

#[test]
fn a_finished_greenlet_starts_its_unstarted_parent_with_the_result() {
    let parent = Greenlet::new(|n: u32| n * 100);
    let child = Greenlet::<u32>::builder().parent(&parent).build(|n: u32| n + 1);
    assert_eq!(child.switch(1), 200);
    assert!(child.is_dead() && parent.is_dead());
}

#[test]
fn a_switch_to_one_who_waits_for_another_type_is_refused_and_gives_the_value_back() {
    let main = Greenlet::<u32>::current();
    let g = Greenlet::new(move |n: u32| main.switch(n));
    g.switch(1);
    let mut refused = g.cast::<String>().try_switch("precious".into()).unwrap_err();
    assert!(matches!(refused.refusal(), Some(SwitchError::WrongType { .. })), "{refused}");
    assert_eq!(refused.take_value::<String>().as_deref(), Some("precious"));
    assert_eq!(g.switch(5), 5);
}

#[test]
fn a_value_of_the_wrong_type_starts_nobody() {
    let g = Greenlet::new(|text: String| text + "!");
    let relay = {
        let g = g.clone();
        Greenlet::<u32>::new(move |_| {
            let me = Greenlet::<u32>::current();
            g.set_parent(&me).unwrap();
            let error = g.cast::<u32>().try_switch(1).unwrap_err();
            assert!(matches!(error.refusal(), Some(SwitchError::WrongType { .. })));
            0
        })
    };
    assert_eq!(relay.switch(1), 0);
    assert_eq!(g.state(), State::Unstarted);
}

#[test]
fn a_result_that_a_waiting_parent_does_not_take_is_refused_there() {
    let g = Greenlet::new(|text: String| text + "!");
    let parent = Greenlet::<u32>::new({
        let g = g.clone();
        move |_| {
            g.set_parent(&Greenlet::<u32>::current()).unwrap();
            let starter = Greenlet::<u32>::new(move |n| g.switch("text".into()).len() as u32 + n);
            let mut refused = starter.try_switch(1).unwrap_err();
            assert!(matches!(refused.refusal(), Some(SwitchError::WrongType { .. })), "{refused}");
            assert_eq!(refused.take_value::<u32>(), None);
            assert_eq!(refused.take_value::<String>().as_deref(), Some("text!"));
            assert_eq!(refused.take_value::<String>(), None, "it can be taken once");
            7
        }
    });
    assert_eq!(parent.switch(1), 7);
    assert!(g.is_dead());
}

#[test]
fn hundred_greenlets_in_a_ring_pass_a_value_on() {
    let main = Greenlet::<usize>::current();
    let ring: Rc<RefCell<Vec<Greenlet<usize>>>> = Rc::default();
    for i in 0..100 {
        let (weak, main) = (Rc::downgrade(&ring), main.clone());
        ring.borrow_mut().push(Greenlet::new(move |mut n: usize| {
            loop {
                let next = weak.upgrade().and_then(|ring| ring.borrow().get(i + 1).cloned());
                n = next.unwrap_or(main.clone()).switch(n + 1);
            }
        }));
    }
    let first = ring.borrow()[0].clone();
    for _ in 0..3 {
        assert_eq!(first.switch(0), 100);
    }
}
