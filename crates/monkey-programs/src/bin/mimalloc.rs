//! mimalloc as the allocator of a program whose greenlets allocate.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    greenlet_monkey::patch_all()?;
    println!("mimalloc: {}", monkey_programs::allocate());
    Ok(())
}
