//! Numbers as HCL has them: binary floating point with 512 bits.

/// A number.
#[derive(Clone, Debug, PartialEq)]
pub struct Number(f64);
