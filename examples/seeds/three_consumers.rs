//! Three consumers share what one producer puts into a queue. Nothing is taken twice.

use std::rc::Rc;

use greenlet::queue::Queue;
use greenlet::{join_all, spawn, yield_now};

fn producer(products: &Queue<u32>) {
    for product in 1..10 {
        products.put(product).expect("nobody shuts it down");
    }
}

fn consumer(name: &str, products: &Queue<u32>) {
    while let Ok(product) = products.try_get() {
        println!("{name} got product {product}");
        yield_now();
    }
    println!("Quit");
}

pub(crate) fn main() {
    let products = Rc::new(Queue::unbounded());
    let consumers = ["steve", "john", "nancy"].map(|name| {
        let products = products.clone();
        move || consumer(name, &products)
    });
    let mut tasks = vec![spawn(move || producer(&products))];
    tasks.extend(consumers.map(spawn));
    join_all(tasks, None);
}
