//! Checked options into a component's own form.

use std::time::Duration;

use rpk_planner::catalog::Settings;
use rpk_planner::value::duration as go_duration;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize as _, Deserializer};

use crate::failure::{Failure, Outcome};

/// Reads checked options into a component's own form.
pub(crate) fn read_settings<T: DeserializeOwned>(settings: &Settings) -> Outcome<T> {
    T::deserialize(serde_json::Value::Object(settings.clone()))
        .map_err(|error| Failure::new(error.to_string()).context("reading the options"))
}

/// Reads a length of time in Go's form; a negative one is none.
pub(crate) fn optional_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let nanoseconds = go_duration::parse(&text).map_err(D::Error::custom)?;
    Ok(u64::try_from(nanoseconds).ok().filter(|nanoseconds| *nanoseconds > 0).map(Duration::from_nanos))
}
