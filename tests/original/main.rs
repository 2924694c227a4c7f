//! The test suite of Python's greenlet, row by row.
//!
//! Each test here names the rows that it stands for. The modules are called as the files there; what
//! can end a process, or measures one, is in `tests/isolated/`: `shutdown`, `leaks`, `unwinding`.
//!
//! # Rows that tests elsewhere stand for
//!
//! - `TestGreenlet::test_simple`: switch: `control_alternates_between_two_greenlets`
//! - `TestGreenlet::test_switch_no_run_raises_AttributeError`:
//!   death: `a_greenlet_without_a_body_is_not_started_and_can_be_given_one`
//! - `TestGreenlet::test_dealloc_catches_GreenletExit_throws_other`:
//!   isolated/exit: `a_panic_in_a_destructor_of_a_dropped_greenlet_is_reported_and_goes_no_further`
//! - `TestGreenlet::test_instance_dict`: data: `each_greenlet_has_its_own_local_data`
//! - `TestGreenlet::test_dealloc_switch_args_not_lost`:
//!   corners: `a_greenlet_that_loses_its_last_handle_while_it_runs_is_unwound_when_it_is_left`
//! - `TestGreenlet::test_falling_off_end_switches_to_unstarted_parent_works`:
//!   switch: `a_finished_greenlet_starts_its_unstarted_parent_with_the_result`
//! - `TestGreenletSetParentErrors::test_trivial_cycle`, `test_trivial_cycle_main`:
//!   death: `set_parent_refuses_cycles_and_roots`
//! - `TestBrokenGreenlets::test_failed_to_initialstub`:
//!   isolated/leaks: `a_greenlet_that_cannot_have_a_stack_stays_unstarted_and_may_be_tried_again`
//! - `TestBrokenGreenlets::test_failed_to_switch_into_running`:
//!   switch: `a_switch_to_one_who_waits_for_another_type_is_refused_and_gives_the_value_back`
//! - `TestBrokenGreenlets::test_reentrant_switch_two_greenlets`:
//!   trace: `a_hook_may_switch_and_no_value_is_mixed_up`
//! - `TestGC::test_inactive_ref`: data: `a_weak_handle_finds_its_greenlet_until_the_last_handle_goes`
//! - `WeakRefTests::test_dead_weakref`, `test_inactive_weakref`: the same
//! - `WeakRefTests::test_dealloc_weakref`:
//!   data: `a_weak_handle_is_dead_already_when_the_destructors_of_a_dropped_greenlet_run`
//! - `TestGreenletTracing::test_a_greenlet_tracing`:
//!   trace: `every_switch_is_told_with_its_kind_origin_and_target`
//! - `TestGreenletTracing::test_b_exception_disables_tracing`:
//!   trace: `a_hook_that_panics_is_removed_and_its_panic_replaces_what_was_sent`
//! - `TestGreenletTracing::test_set_same_tracer_twice`: trace: `set_returns_the_hook_that_was_there`
//! - `ContextVarsTests::test_context_propagated_by_setting_attribute`:
//!   data: `a_context_can_be_given_by_the_builder_and_by_set_context`
//! - `ContextVarsTests::test_context_not_propagated`: data: `a_new_greenlet_starts_with_an_empty_context`
//! - `ContextVarsTests::test_context_shared`:
//!   data: `greenlets_with_the_same_context_do_not_see_each_others_settings`
//! - `TestInterpreterShutdown`, 17 of its 23 rows: isolated/shutdown
//! - `CPPTests`, the four rows `test_unhandled_...`: isolated/unwinding
//! - `TestLeaks::test_untracked_memory_doesnt_increase`, and the measuring half of four more:
//!   isolated/leaks
//!
//! # Rows that the compiler stands for
//!
//! Greenlets do not leave their thread: `src/greenlet/compile_fail.rs` has what is refused in place of
//! `TestGreenlet::test_switching_many_threads`, `test_dealloc_other_thread`,
//! `test_switch_to_another_thread`, `test_threaded_updatecurrent`,
//! `TestGreenletSetParentErrors::test_threaded_reparent`,
//! `test_unexpected_reparenting_thread_running`, `TestRepr::test_main_from_other_thread`,
//! `ContextVarsTests::test_context_assignment_different_thread`,
//! `TestLeaks::test_issue251_killing_cross_thread_leaks_list`, `test_issue251_with_cleanup_disabled`,
//! `test_issue251_issue252_need_to_collect_in_background` and
//! `test_issue251_issue252_need_to_collect_in_background_cleanup_disabled`.
//!
//! # Rows that have no counterpart
//!
//! | row | why |
//! |---|---|
//! | `TestMainGreenlet::test_main_greenlet_type_can_be_subclassed` | there is one type of greenlet |
//! | `TestBrokenGreenlets::test_failed_to_slp_switch_into_running` | a switch copies nothing and cannot fail |
//! | `test_stack_saved.py::Test::test_stack_saved` | the same: nothing is copied |
//!
//! # Corners
//!
//! 1. a result goes to the parent, not to the switcher:
//!    switch: `a_result_goes_to_the_parent_and_not_to_the_one_who_switched`
//! 2. the parent is read at death: death: `the_parent_is_read_at_death`; corners: two more
//! 3. a switch to a dead one is forwarded:
//!    switch: `switching_to_a_dead_greenlet_reaches_its_nearest_living_ancestor`; corners
//! 4. throw into an unstarted one:
//!    death: `throw_into_an_unstarted_greenlet_never_runs_it_and_surfaces_at_its_parent`; corners: two more
//! 5. kill and throw at a dead one: death: `kill_runs_the_destructors_and_returns_to_the_killer`; corners
//! 6. an exit that escapes is a normal end:
//!    death: `an_exit_that_escapes_the_body_is_told_to_the_parent_as_an_exit`,
//!    `killing_oneself_unwinds_from_there`; corners
//! 7. the last handle goes:
//!    death: `dropping_the_last_handle_...`, `a_greenlet_dropped_while_its_holder_panics_...`,
//!    `dropping_an_unstarted_...`; corners
//! 8. the running one has the last handle to itself: corners
//! 9. an error on the way out:
//!    isolated/exit: `a_panic_in_a_destructor_of_a_dropped_greenlet_...`; corners, for a kill
//! 10. an unstarted parent:
//!     switch: `a_finished_greenlet_starts_...`; test_greenlet: `a_result_for_a_parent_without_a_body_...`;
//!     corners
//! 11. a switch to oneself:
//!     switch: `switching_to_oneself_returns_the_value_at_once`; trace: `a_switch_to_oneself_is_told`
//! 12. when hooks are told: trace, most of it; corners: two more
//! 13. threads: the compiler; test_interpreter_shutdown: `a_handle_that_outlives_...`
//! 14. cycles, roots, parents of the dead:
//!     death: `set_parent_refuses_cycles_and_roots`; test_greenlet: `a_parent_that_descends_...`; corners
//! 15. what is per greenlet: handlers of panics:
//!     test_greenlet: `what_one_greenlet_handles_...`; test_cpp; corners. Control words, for a greenlet
//!     that asks for its own: float_control: `what_a_greenlet_sets_is_neither_...`
//! - active to the last destructor; any sender; own stacks: corners
//! - a hook that switches: trace: `a_hook_may_switch_...`; test_greenlet: `a_hook_that_switches_within_...`
//! - a stack is refused: isolated/leaks: `a_greenlet_that_cannot_have_a_stack_...`

mod corners;
mod generator;
mod test_contextvars;
mod test_cpp;
mod test_extension_interface;
mod test_gc_weakref;
mod test_generator;
mod test_generator_nested;
mod test_greenlet;
mod test_interpreter_shutdown;
mod test_leaks;
mod test_throw;
mod test_version;

use std::cell::RefCell;
use std::rc::Rc;

use greenlet::Greenlet;

/// Runs a function when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        self.0();
    }
}

/// What happened, in order, told from several greenlets.
struct Log<E>(Rc<RefCell<Vec<E>>>);

impl<E> Log<E> {
    fn push(&self, entry: E) {
        self.0.borrow_mut().push(entry);
    }

    /// What was told since the last time.
    fn take(&self) -> Vec<E> {
        self.0.take()
    }
}

impl<E> Clone for Log<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E> Default for Log<E> {
    fn default() -> Self {
        Self(Rc::default())
    }
}

/// A greenlet that waits for one switch from here, and ends with it.
fn suspended() -> Greenlet {
    let maker = Greenlet::current();
    let g = Greenlet::new(move |()| maker.switch(()));
    g.switch(());
    g
}
