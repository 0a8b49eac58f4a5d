//! Layers as folders and as archives.
//!
//! | file | holds |
//! | --- | --- |
//! | `look.rs` | what stands at a path of layers that lie over each other |
//! | `pack.rs` | a folder into an archive |
//! | `parts.rs` | an archive that was taken in, put together again byte for byte |
//! | `unpack.rs` | an archive into a folder |
//! | `writer.rs` | the format of archives |

pub mod look;
pub mod pack;
pub mod parts;
pub mod unpack;
pub mod writer;

/// What the name of a file begins with that says, in an archive, that a file of a layer below is gone.
const WHITEOUT: &str = ".wh.";

/// The file that says, in an archive, that nothing of a folder in the layers below is left.
const OPAQUE: &str = ".wh..wh..opq";

/// Returns the extended attribute by which an overlay file system says the same.
pub fn opaque_attribute(is_rootless: bool) -> &'static str {
    if is_rootless { "user.overlay.opaque" } else { "trusted.overlay.opaque" }
}
