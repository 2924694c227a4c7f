//! jemalloc as the allocator of a program whose greenlets allocate.

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    greenlet_monkey::patch_all()?;
    println!("jemalloc: {}", monkey_programs::allocate());
    Ok(())
}
