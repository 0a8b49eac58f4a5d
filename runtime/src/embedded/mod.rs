//! The embedded engine: images without a daemon.
//!
//! | room | holds |
//! | --- | --- |
//! | `image.rs` | an image's configuration |
//! | `layer/` | layers as folders and as archives |
//! | `sandbox/` | processes with a file system of their own |
//! | `store.rs` | the engine's folder |

mod copy;
mod image;
mod layer;
mod process;
pub mod sandbox;
mod store;
mod trouble;
