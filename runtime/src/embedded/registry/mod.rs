//! Images from registries and to them.
//!
//! | file | holds |
//! | --- | --- |
//! | `client.rs` | requests, and who asks |
//! | `pull.rs` | an image into the store |
//! | `push.rs` | an image out of it |
//!
//! All of this blocks and runs on a thread of its own.

mod client;
mod pull;
mod push;

pub use pull::{digest, pull};
pub use push::push;
