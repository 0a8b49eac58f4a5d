//! What the docker components share: the engine they talk to, and the language of `docker run`.
//!
//! | file | holds |
//! | --- | --- |
//! | `engine.rs` | the connection: which engine, how it is found, images by name |
//! | `image.rs` | images as artifacts |
//! | `images.rs` | what is done with images in its store |
//! | `run_command.rs` | `run_command` into a container's configuration |
//! | `terminal.rs` | a shell in a container |
//! | `transfer.rs` | files and tar streams to and from the engine |

mod engine;
mod image;
mod images;
mod run_command;
mod terminal;
mod transfer;

pub use engine::{Engine, ImageName, PullPolicy, describe_endpoint, explain};
pub(crate) use engine::{endpoint_socket, stored_credentials};
pub(crate) use image::expect_image;
pub use image::{EXPORT_BUILDER_ID, IMAGE_BUILDER_ID, TAGGED_BUILDER_ID};
pub use run_command::{RunOptions, RunSpec};
pub(crate) use terminal::shell;
pub(crate) use transfer::{PieceWriter, read_tar, tar_stream, write_stream};
