//! Two greenlets that switch to each other with values, and end in the parent that they were given.
//!
//! The first value starts a greenlet; the later ones come back from its `switch`. What the body
//! returns goes to the parent. `test2` is still waiting then, and is never over.

use greenlet::Greenlet;

fn test1(n: u32, gr2: &Greenlet<u32>) -> u32 {
    println!("test1: {n}");
    let n = gr2.switch(32);
    println!("test1: over");
    n
}

fn test2(n: u32, gr1: &Greenlet<u32>) -> u32 {
    println!("test2: {n}");
    let n = gr1.switch(23);
    println!("test2: over");
    n
}

pub(crate) fn main() {
    let current = Greenlet::<u32>::current();
    let gr1 = Greenlet::builder().parent(&current).build_without_body();
    let gr2 = Greenlet::builder().parent(&current).build({
        let gr1 = gr1.clone();
        move |n| test2(n, &gr1)
    });
    gr1.set_body(move |n| test1(n, &gr2));
    gr1.switch(2);
}
