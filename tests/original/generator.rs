//! A generator made of plain greenlets: what the rows on generators are tried with.

use greenlet::Greenlet;

/// What a generator's switches carry: nothing, or a value and who goes on when the next one is
/// asked for.
pub struct Step<V: 'static>(Option<(V, Greenlet<Step<V>>)>);

/// An iterator over the values that a function yields, at whatever depth.
pub struct Generator<V: 'static> {
    whole: Greenlet<Step<V>>,
    resumed: Greenlet<Step<V>>,
}

impl<V: 'static> Generator<V> {
    pub fn new(body: impl FnOnce() + 'static) -> Self {
        let whole = Greenlet::new(move |_| {
            body();
            Step(None)
        });
        Self { resumed: whole.clone(), whole }
    }
}

/// A generator within this one has this one as its parent, and is held by it: letting go of the handles
/// alone would end neither.
impl<V: 'static> Drop for Generator<V> {
    fn drop(&mut self) {
        self.whole.kill().expect("a body that does not catch its exit");
    }
}

impl<V: 'static> Iterator for Generator<V> {
    type Item = V;

    fn next(&mut self) -> Option<V> {
        if self.whole.is_dead() {
            return None;
        }
        self.whole.set_parent(&Greenlet::<()>::current()).expect("a generator does not ask itself");
        let (value, resumed) = self.resumed.switch(Step(None)).0?;
        self.resumed = resumed;
        Some(value)
    }
}

/// Gives a value to whoever asked the innermost generator.
pub fn emit<V: 'static>(value: V) {
    emit_past(0, value);
}

/// Gives a value to whoever asked the generator that is so many levels further out.
pub fn emit_past<V: 'static>(levels: u32, value: V) {
    let me = Greenlet::<Step<V>>::current();
    let outside = "a value can only be emitted in a generator";
    let mut generator = me.clone();
    for _ in 0..levels {
        generator = generator.parent().expect(outside);
    }
    generator.parent::<Step<V>>().expect(outside).switch(Step(Some((value, me))));
}
