//! Floor 4: pools.

mod thread_pool;

pub use thread_pool::ThreadPool;
