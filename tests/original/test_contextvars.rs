//! The rows of `test_contextvars.py` that `tests/data.rs` leaves.

use greenlet::context::{Context, Key};
use greenlet::{Greenlet, State};

static COLOUR: Key<&str> = Key::new();

/// A context in which the colour is set to this, and nothing else.
fn coloured(colour: &'static str) -> Context {
    Context::default().run(|| {
        COLOUR.set(colour);
        Context::current()
    })
}

// test_contextvars.py::ContextVarsTests::test_context_propagated_by_context_run
// test_contextvars.py::ContextVarsTests::test_break_ctxvars (which says that it breaks; it must not)
#[test]
fn greenlets_inside_contexts_of_their_own_may_leave_them_in_any_order() {
    let main = Greenlet::<()>::current();
    COLOUR.set("of main");
    let greenlets = ["red", "blue"].map(|colour| {
        let main = main.clone();
        let g = Greenlet::new(move |()| {
            coloured(colour).run(|| {
                main.switch(());
                assert_eq!(COLOUR.get(), Some(colour));
            });
            assert_eq!(COLOUR.get(), None);
            main.switch(());
        });
        g.switch(());
        g
    });
    for g in greenlets.iter().chain(&greenlets) {
        g.switch(());
        assert_eq!(COLOUR.get(), Some("of main"));
    }
    assert!(greenlets.iter().all(Greenlet::is_dead));
}

// test_contextvars.py::ContextVarsTests::test_not_broken_if_using_attribute_instead_of_context_run
#[test]
fn contexts_that_were_set_for_good_may_be_left_in_any_order() {
    let main = Greenlet::<()>::current();
    let greenlets = ["red", "blue", "green"].map(|colour| {
        let main = main.clone();
        let g = Greenlet::new(move |()| {
            Greenlet::<()>::current().set_context(coloured(colour));
            for _ in 0..2 {
                main.switch(());
                assert_eq!(COLOUR.get(), Some(colour));
            }
        });
        g.switch(());
        g
    });
    for place in [0, 1, 0, 2, 2, 1] {
        greenlets[place].switch(());
        assert_eq!(COLOUR.get(), None);
    }
    assert!(greenlets.iter().all(Greenlet::is_dead));
}

// test_contextvars.py::ContextVarsTests::test_context_assignment_while_running
#[test]
fn the_context_of_a_greenlet_can_be_read_and_replaced_in_every_state() {
    let main = Greenlet::<()>::current();
    let g = Greenlet::new(move |()| {
        assert_eq!(COLOUR.get(), Some("unstarted"));
        Greenlet::<()>::current().set_context(coloured("running"));
        main.switch(());
        assert_eq!(COLOUR.get(), Some("suspended"));
    });
    let colour_of = |g: &Greenlet| g.context().run(|| COLOUR.get());
    assert!(g.set_context(coloured("unstarted")).is_empty());
    assert_eq!(colour_of(&g), Some("unstarted"));
    g.switch(());
    assert_eq!(colour_of(&g), Some("running"));
    g.set_context(coloured("suspended"));
    g.switch(());
    assert_eq!((g.state(), colour_of(&g)), (State::Dead, Some("suspended")));
    g.set_context(coloured("dead"));
    assert_eq!(colour_of(&g), Some("dead"));
}
