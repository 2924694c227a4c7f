//! Two greenlets that switch to each other by name.
//!
//! The second one ends, and control goes to its parent, the program. The first one is still
//! waiting then: it is unwound when its last handle goes.

use greenlet::Greenlet;

fn test1(gr2: &Greenlet) {
    println!("12");
    gr2.switch(());
    println!("34");
    gr2.switch(());
}

fn test2(gr1: &Greenlet) {
    println!("56");
    gr1.switch(());
    println!("78");
}

pub(crate) fn main() {
    let gr1 = Greenlet::without_body();
    let gr2 = Greenlet::new({
        let gr1 = gr1.clone();
        move |()| test2(&gr1)
    });
    gr1.set_body(move |()| test1(&gr2));
    gr1.switch(());
}
