//! What the compiler must refuse, each beside its nearest neighbour that it accepts.
//!
//! # Greenlets stay on their thread
//!
//! Here Python's greenlet raises an error when it runs: "cannot switch to a different thread".
//!
//! A handle does not go to another thread, whatever its greenlet exchanges:
//!
//! ```compile_fail,E0277
//! use greenlet::Greenlet;
//!
//! let g = Greenlet::<()>::new(|()| ());
//! std::thread::spawn(move || g.switch(()));
//! ```
//!
//! A body does, as long as it is no greenlet yet:
//!
//! ```
//! use greenlet::Greenlet;
//!
//! let body = |n: u32| n + 1;
//! let thread = std::thread::spawn(move || Greenlet::new(body).switch(4));
//! assert_eq!(thread.join().unwrap(), 5);
//! ```
//!
//! Nor is a handle shared between threads:
//!
//! ```compile_fail,E0277
//! use greenlet::Greenlet;
//!
//! let g = Greenlet::<()>::new(|()| ());
//! std::thread::scope(|scope| {
//!     scope.spawn(|| g.is_dead());
//! });
//! ```
//!
//! Its number is:
//!
//! ```
//! use greenlet::Greenlet;
//!
//! let g = Greenlet::<()>::new(|()| ());
//! let id = g.id();
//! std::thread::scope(|scope| {
//!     scope.spawn(|| assert_ne!(id, Greenlet::<()>::current().id(), "that thread's root"));
//! });
//! ```
//!
//! A static holds no handle, and so no other thread finds one there:
//!
//! ```compile_fail,E0277
//! use std::sync::Mutex;
//! use greenlet::Greenlet;
//!
//! static SHARED: Mutex<Option<Greenlet>> = Mutex::new(None);
//! ```
//!
//! A thread-local does:
//!
//! ```
//! use std::cell::RefCell;
//! use greenlet::Greenlet;
//!
//! thread_local! {
//!     static OWN: RefCell<Option<Greenlet>> = const { RefCell::new(None) };
//! }
//! OWN.set(Some(Greenlet::new(|()| ())));
//! OWN.take();
//! ```
//!
//! A weak handle is no way around that:
//!
//! ```compile_fail,E0277
//! fn crosses_threads<T: Send>() {}
//! crosses_threads::<greenlet::WeakGreenlet<()>>();
//! ```
//!
//! ```compile_fail,E0277
//! fn is_shared<T: Sync>() {}
//! is_shared::<greenlet::WeakGreenlet<()>>();
//! ```
//!
//! Nor is a generator, whose body may hold handles, nor what that yields by:
//!
//! ```compile_fail,E0277
//! fn crosses_threads<T: Send>() {}
//! crosses_threads::<greenlet::Generator<(), (), ()>>();
//! ```
//!
//! ```compile_fail,E0277
//! fn crosses_threads<T: Send>() {}
//! crosses_threads::<&greenlet::Yielder<(), ()>>();
//! ```
//!
//! Nor is a builder, which may hold a parent:
//!
//! ```compile_fail,E0277
//! fn crosses_threads<T: Send>() {}
//! crosses_threads::<greenlet::Builder<()>>();
//! ```
//!
//! Nor what was raised, which may hold a value that was not sent:
//!
//! ```compile_fail,E0277
//! fn crosses_threads<T: Send>() {}
//! crosses_threads::<greenlet::Raised>();
//! ```
//!
//! The payload of a panic and the reason of a refusal go anywhere:
//!
//! ```
//! use greenlet::{Greenlet, SwitchError};
//!
//! fn crosses_threads<T: Send>(_: T) {}
//! fn is_send_and_sync<T: Send + Sync>() {}
//! let raised = Greenlet::<()>::new(|()| std::panic::resume_unwind(Box::new(7))).try_switch(()).unwrap_err();
//! crosses_threads(raised.into_payload());
//! is_send_and_sync::<SwitchError>();
//! ```
//!
//! Nor an event, which holds the greenlets that it tells of; nor a thread's hook:
//!
//! ```compile_fail,E0277
//! fn crosses_threads<T: Send>() {}
//! crosses_threads::<greenlet::trace::Event>();
//! ```
//!
//! ```compile_fail,E0277
//! fn crosses_threads<T: Send>() {}
//! crosses_threads::<greenlet::trace::Hook>();
//! ```
//!
//! Nor a context, whose values are the thread's:
//!
//! ```compile_fail,E0277
//! fn crosses_threads<T: Send>() {}
//! crosses_threads::<greenlet::context::Context>();
//! ```
//!
//! A hook for the whole process runs on every thread, so it takes nothing that belongs to one:
//!
//! ```compile_fail,E0277
//! use std::rc::Rc;
//!
//! let of_this_thread = Rc::new(());
//! greenlet::trace::set_global(move |_| drop(of_this_thread.clone()));
//! ```
//!
//! ```
//! use std::sync::Arc;
//!
//! let of_all_threads = Arc::new(());
//! greenlet::trace::set_global(move |_| drop(of_all_threads.clone()));
//! greenlet::trace::clear_global();
//! ```
//!
//! What is thrown becomes the payload of a panic, which may end a thread and be looked at by another:
//!
//! ```compile_fail,E0277
//! use std::rc::Rc;
//! use greenlet::Greenlet;
//!
//! Greenlet::<()>::new(|()| ()).throw(Rc::new(()));
//! ```
//!
//! ```
//! use std::sync::Arc;
//! use greenlet::Greenlet;
//!
//! assert!(Greenlet::<()>::new(|()| ()).try_throw(Arc::new(())).is_err());
//! ```
//!
//! # Greenlets outlive whoever makes them
//!
//! A suspended greenlet may be kept, or forgotten, so its body borrows nothing from its maker:
//!
//! ```compile_fail,E0597
//! use greenlet::Greenlet;
//!
//! let numbers = vec![1, 2, 3];
//! let borrowed = &numbers;
//! let g = Greenlet::<usize>::new(move |n| n + borrowed.len());
//! ```
//!
//! It owns, or shares:
//!
//! ```
//! use std::rc::Rc;
//! use greenlet::Greenlet;
//!
//! let numbers = Rc::new(vec![1, 2, 3]);
//! let shared = numbers.clone();
//! let g = Greenlet::<usize>::new(move |n| n + shared.len());
//! assert_eq!(g.switch(numbers.len()), 6);
//! ```
//!
//! The same for a body that is given later, and for a trace hook:
//!
//! ```compile_fail,E0597
//! use greenlet::Greenlet;
//!
//! let numbers = vec![1, 2, 3];
//! let borrowed = &numbers;
//! Greenlet::<usize>::without_body().set_body(move |n| n + borrowed.len());
//! ```
//!
//! ```compile_fail,E0597
//! let numbers = vec![1, 2, 3];
//! let borrowed = &numbers;
//! greenlet::trace::set(move |_| assert_eq!(borrowed.len(), 3));
//! ```
//!
//! A value may lie in a suspended greenlet for any time, so it borrows nothing either:
//!
//! ```compile_fail,E0597
//! use greenlet::Greenlet;
//!
//! let text = String::from("short-lived");
//! Greenlet::<&'static str>::new(|text| text).switch(&text);
//! ```
//!
//! ```compile_fail,E0310
//! use greenlet::Greenlet;
//!
//! fn echo<T>(value: T) -> T {
//!     Greenlet::new(|value: T| value).switch(value)
//! }
//! ```
//!
//! ```
//! use greenlet::Greenlet;
//!
//! fn echo<T: 'static>(value: T) -> T {
//!     Greenlet::new(|value: T| value).switch(value)
//! }
//! assert_eq!(echo("forever"), "forever");
//! ```
//!
//! Within a body everything may be borrowed, across switches too, because its stack stays where it is:
//!
//! ```
//! use greenlet::Greenlet;
//!
//! let main = Greenlet::<usize>::current();
//! let g = Greenlet::new(move |n: usize| {
//!     let numbers = vec![n; 3];
//!     let borrowed = &numbers;
//!     main.switch(0) + borrowed.len()
//! });
//! g.switch(7);
//! assert_eq!(g.switch(1), 4);
//! ```
//!
//! What a greenlet keeps for itself is lent for no longer than a call:
//!
//! ```compile_fail,E0521
//! use std::cell::Cell;
//!
//! greenlet::local! {
//!     static NUMBER: Cell<u32> = Cell::new(5);
//! }
//! let mut kept: Option<&Cell<u32>> = None;
//! NUMBER.with(|number| kept = Some(number));
//! ```
//!
//! # A handle says exactly what its greenlet exchanges
//!
//! A value goes in and comes out, so a handle is neither covariant nor contravariant:
//!
//! ```compile_fail,E0308
//! use greenlet::Greenlet;
//!
//! type General = for<'a> fn(&'a str);
//! type Special = fn(&'static str);
//! fn specialise(g: Greenlet<General>) -> Greenlet<Special> {
//!     g
//! }
//! ```
//!
//! ```compile_fail,E0308
//! use greenlet::Greenlet;
//!
//! type General = for<'a> fn(&'a str);
//! type Special = fn(&'static str);
//! fn generalise(g: Greenlet<Special>) -> Greenlet<General> {
//!     g
//! }
//! ```
//!
//! ```compile_fail,E0308
//! use greenlet::WeakGreenlet;
//!
//! type General = for<'a> fn(&'a str);
//! type Special = fn(&'static str);
//! fn specialise(g: WeakGreenlet<General>) -> WeakGreenlet<Special> {
//!     g
//! }
//! ```
//!
//! Nor do those of local data:
//!
//! ```compile_fail,E0308
//! use greenlet::LocalKey;
//!
//! type General = for<'a> fn(&'a str);
//! type Special = fn(&'static str);
//! fn specialise(key: &'static LocalKey<General>) -> &'static LocalKey<Special> {
//!     key
//! }
//! ```
//!
//! The functions themselves convert:
//!
//! ```
//! type General = for<'a> fn(&'a str);
//! type Special = fn(&'static str);
//! fn specialise(f: General) -> Special {
//!     f
//! }
//! ```
//!
//! A result is of the type of the values, and a switch takes no other:
//!
//! ```compile_fail,E0308
//! use greenlet::Greenlet;
//!
//! let g = Greenlet::<u32>::new(|n| n.to_string());
//! ```
//!
//! ```compile_fail,E0308
//! use greenlet::Greenlet;
//!
//! Greenlet::<u32>::new(|n| n).switch("text");
//! ```
