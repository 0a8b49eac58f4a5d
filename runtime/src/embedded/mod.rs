//! The embedded engine: images without a daemon.
//!
//! | room | holds |
//! | --- | --- |
//! | `blobs.rs` | the pieces of an image in archives and layouts |
//! | `catalog.rs` | what users do with the store by hand |
//! | `changes/` | `changes`, as the Docker Engine applies them |
//! | `container.rs` | a container: layers, a sandbox, new layers |
//! | `copy.rs` | trees with all that their files carry |
//! | `engine.rs` | images by name |
//! | `image.rs` | an image's configuration |
//! | `layer/` | layers as folders and as archives |
//! | `process.rs` | the calls that have no safe form |
//! | `reference.rs` | how images are named |
//! | `registry/` | images from registries and to them |
//! | `rootless.rs` | rpk as root of a user namespace |
//! | `sandbox/` | processes with a file system of their own |
//! | `save.rs` | images into archives |
//! | `settings.rs` | `docker run`'s words in this engine's terms |
//! | `store.rs` | the engine's folder |
//! | `take_in.rs` | images from elsewhere into the store |
//! | `trouble.rs` | the system's errors as failures |

mod blobs;
mod catalog;
mod changes;
pub(crate) mod container;
mod copy;
mod engine;
pub mod image;
mod layer;
mod process;
mod reference;
mod registry;
pub mod rootless;
pub mod sandbox;
mod save;
pub(crate) mod settings;
pub mod store;
mod take_in;
mod trouble;

pub use engine::{Engine, Image};
