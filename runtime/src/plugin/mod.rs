//! Plugins: components that live in programs of their own, written for Packer and used unchanged.
//!
//! | file | holds |
//! | --- | --- |
//! | `msgpack.rs`, `gob.rs` | the two encodings of values |
//! | `mux.rs` | many streams over one socket |
//! | `rpc.rs` | numbers for streams, calls over them |
//! | `process.rs`, `log.rs` | one plugin process and what it says of itself |
//! | `host.rs` | where processes live while a template is checked and run |
//! | `schema.rs`, `spec.rs` | a plugin's options, for the planner |
//! | `component.rs` | a component: how it takes its options |
//! | `builder.rs`, `provisioner.rs`, `post_processor.rs`, `data_source.rs` | rpk's traits, answered by plugins |
//! | `communicator.rs`, `given_communicator.rs` | machines of plugins, and machines given to plugins |
//! | `leftovers.rs` | what plugins that have died leave behind |
//! | `remote_artifact.rs`, `ui.rs` | artifacts across processes, words for the user |
//! | `folder.rs`, `version.rs`, `install.rs` | which plugins are installed, and how they come there |
//! | `load.rs` | which plugin serves which component |
//! | `sdk/` | the other side: plugins written in Rust |
//!
//! The executor, the planner and the reports do not know the difference: to them a plugin's component is one more
//! answer behind the traits. `docs/plugins.md` says how plugins are found and chosen.

pub mod builder;
mod communicator;
mod component;
pub mod data_source;
pub mod folder;
mod given_communicator;
mod gob;
mod host;
pub mod install;
mod leftovers;
pub mod load;
mod log;
mod msgpack;
mod mux;
pub mod post_processor;
mod process;
pub mod provisioner;
mod remote_artifact;
mod rpc;
mod schema;
pub mod sdk;
mod spec;
mod ui;
pub mod version;

pub use component::Component;
pub use host::RunOptions;
pub use load::{Loaded, Needed, Preference, Request, Required, load};
