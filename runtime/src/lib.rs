//! Plan in, events and artifacts out.
//!
//! ```text
//! Plan --executor--> lanes (boot, provision, capture, destroy) and post-processors --> Event, Artifact
//! ```
//!
//! Components (builders, communicators, provisioners, post-processors) know the traits in their folder's `mod.rs`
//! and [`context`]; they never see the executor. [`registry`] is the table of them all and answers the planner's
//! questions.

pub mod artifact;
pub mod budget;
pub mod builder;
pub mod cache;
pub mod cancel;
mod chef;
pub mod communicator;
mod compression;
pub mod context;
pub mod data_source;
pub mod docker;
#[cfg(target_os = "linux")]
pub mod embedded;
pub mod engine;
pub mod event;
pub mod executor;
pub mod failure;
mod guest;
mod hex;
mod inputs;
pub mod journal;
mod keeping;
mod lane;
mod local_script;
mod output;
pub mod plugin;
pub mod post_processor;
pub mod provisioner;
mod puppet;
pub mod recovery;
pub mod registry;
mod script;
mod settings;
mod state;
#[cfg(feature = "testing")]
pub mod testing;
